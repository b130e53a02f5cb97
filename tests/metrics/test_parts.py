"""Repeat, explore and debiased parts of the truth, and the names of metrics."""

import math
from dataclasses import replace

import numpy as np
import pytest
from worlds import rows, world

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.catalogue import Catalogue
from vitrina.metrics import DEFAULT_METRICS, Judged, known_names, metric
from vitrina.metrics.ranking import Recall
from vitrina.metrics.repeat import Debiased
from vitrina.types import Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


def test_repeat_and_explore_parts_equal_plain_python():
    judged = world(seed=4)
    repeat, explore = [], []
    for q, (items, truth) in enumerate(rows(judged)):
        history = set(judged.queries.histories()[q].tolist())
        for out, part in ((repeat, truth & history), (explore, truth - history)):
            out.append(sum(i in part for i in items[:10]) / len(part) if part else math.nan)
    np.testing.assert_allclose(metric("repeat Recall@10").per_query(judged), repeat)
    np.testing.assert_allclose(metric("explore Recall@10").per_query(judged), explore)
    assert np.isnan(repeat).any()
    assert not np.isnan(repeat).all()


def test_repeat_share_equals_plain_python():
    judged = world(seed=6)
    expected = []
    for q, (items, _) in enumerate(rows(judged)):
        history, held = set(judged.queries.histories()[q].tolist()), [i for i in items[:10] if i is not None]
        expected.append(sum(i in history for i in held) / len(held) if held else math.nan)
    np.testing.assert_allclose(metric("RepeatShare@10").per_query(judged), expected)


@pytest.mark.parametrize("name", ["repeat Recall@10", "explore nDCG@10", "RepeatShare@10"])
def test_parts_need_histories(name):
    with pytest.raises(DataError, match="histories"):
        metric(name).per_query(replace(world(), queries=None, _cache={}))


def crowd() -> Judged:
    """Items 1 to 20 taken by 1 to 4 people each, item 0 by all of 100."""
    rng = np.random.default_rng(0)
    truth = [{0} for _ in range(100)]
    for item in range(1, 21):
        for q in rng.permutation(100)[: 1 + item % 4]:
            truth[q].add(item)
    lists = np.tile(np.array([0, 1], np.int32), (100, 1))
    found = Recommendations(lists, np.zeros(lists.shape, np.float32), Vocabulary.of(range(21)))
    return Judged(found, Ragged.of([sorted(t) for t in truth]), Catalogue(np.ones(21, np.int64), np.ones(21, np.int64), 100))


def test_debiased_truth_thins_only_what_is_too_popular():
    judged = crowd()
    counts = np.bincount(judged.truth.values)
    low, high = np.percentile(counts, (25, 75))
    limit = int(high + 1.5 * (high - low))
    thinned = Debiased().truth(judged)
    assert counts[0] > limit >= counts[1:].max()
    np.testing.assert_array_equal(np.bincount(thinned.values), np.minimum(counts, limit))
    for q in range(100):
        assert set(thinned[q].tolist()) <= set(judged.truth[q].tolist())
    recall = metric("debiased Recall@2").per_query(judged)
    assert np.nanmean(recall) < np.nanmean(metric("Recall@2").per_query(judged))
    np.testing.assert_array_equal(np.isnan(recall), thinned.lengths == 0)


def test_debiased_draw_is_seeded_and_the_same_for_every_model():
    judged = crowd()
    other = replace(judged, recommendations=judged.recommendations[np.arange(99, -1, -1)], _cache={})
    np.testing.assert_array_equal(Debiased().truth(judged).values, Debiased().truth(other).values)
    rows_of = [Debiased(seed=s).truth(judged).row_of[Debiased(seed=s).truth(judged).values == 0].tolist() for s in (0, 1)]
    assert rows_of[0] != rows_of[1]


def test_every_known_name_is_its_metric_and_its_k_is_kept():
    for name in (*known_names(7), *DEFAULT_METRICS):
        assert metric(name).name == name
        assert metric(name).k == (100 if name.startswith("condensed") else int(name.split("@")[1]))  # it reads deeper
    assert metric(Recall(k=3)) == Recall(k=3)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("ndcg@10", "nDCG@10"), ("nDCG", "nDCG@10"), ("Recal@5", "Recall@5"), ("Recall@10 repeat", "Recall@10"), ("repeat Coverage@10", "Coverage@10"),
     ("nDCG@0", "nDCG@10"), ("unbiased nDCG@10", "debiased nDCG@10"), ("recall@05", "Recall@10")],
)  # fmt: skip
def test_an_unknown_name_gets_the_closest(wrong, hint):
    with pytest.raises(UnknownNameError, match=r"There is no metric") as caught:
        metric(wrong)
    assert f"'{hint}'" in str(caught.value).split("Known:")[0]


def test_k_must_be_positive():
    with pytest.raises(ParameterError, match=r"The 'k' parameter of Recall must be greater than or equal to 1\. Got 0"):
        Recall(k=0)
