"""A network beside counts of order: what the mixture is made of, and the laws of a model."""

import numpy as np
import pytest

import vitrina as vt
from vitrina.board import order
from vitrina.forms import Blended

SMALL = vt.eSASRec(dim=8, training=vt.sequence.Training(epochs=1, patience=None))
DATA = vt.testing.synthetic(users=60, items=24)


@pytest.mark.parametrize("content", [False, True])
def test_scores_are_chances_and_shares(content):
    fitted = vt.sequence.with_counts(SMALL, content=content, weights=(1, 0.5, 0.5, 0.05)[: 3 + content]).fit(DATA)
    assert isinstance(fitted, Blended)
    queries, items = DATA.queries(), np.arange(24, dtype=np.int32)
    network, counts, linear, *likeness = (np.where(np.isfinite(s), s, 0) for s in (m.score(queries, items) for m in fitted.members))
    for q in range(len(queries)):
        wanted = np.exp(network[q]) / np.exp(network[q]).sum()
        wanted += sum(0.5 * np.maximum(part[q], 0) / max(np.maximum(part[q], 0).sum(), 1e-9) for part in (counts, linear))
        if content:
            wanted += 0.05 * likeness[0][q]
        np.testing.assert_allclose(fitted.score(queries[q : q + 1], items)[0], wanted, rtol=1e-4, atol=1e-6)


def test_the_mixture_keeps_the_laws():
    assert "saved" in vt.testing.check_model(vt.sequence.with_counts(SMALL, content=True, weights=(1, 0.5, 0.5, 0.05))).kept


def test_weights_are_learned_where_none_are_given():
    split = DATA.split(vt.split.LeaveOneOut(repeat=False, strict=True))
    fitted = vt.sequence.with_counts(SMALL).fit(split.train, validation=split.validation)
    assert len(fitted.weights) == 3
    assert any("weights learned on" in note for note in fitted.notes)


def test_the_network_is_the_default_on_ids_and_content():
    network = vt.sequence.with_counts(content=True).models[0]
    assert isinstance(network, vt.SequenceModel)
    assert [type(part).__name__ for part in network.embed.parts] == ["Ids", "ContentProjection"]
    assert vt.sequence.with_counts().models[0] == vt.eSASRec()


def test_it_is_no_baseline_of_a_board():
    """Counts alone stay on a board beside it."""
    assert order.reads_order(order.with_content())
    assert not order.reads_order(vt.sequence.with_counts(content=True))
