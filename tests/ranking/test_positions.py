"""Bias of position: clicks of lists whose places were looked at less and less, with known chances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.ranking import Examples, LambdaRank, Source, SourceScores
from vitrina.ranking.shown import shown_window

pytest.importorskip("lightgbm")
RANKER = LambdaRank(trees=30, leaves=7, learning_rate=0.1, least_pairs=20, columns=1.0)


def world(queries: int, seed: int) -> tuple[np.ndarray, np.ndarray, Examples]:
    """A position-based model: a place p is looked at with the chance 1 / p, and what is seen is clicked by its first feature alone. The list
    that was shown went by the second feature."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(queries, 10, 3)).astype(np.float32)
    chance = 1 / (1 + np.exp(1.5 - features[:, :, 0]))
    shown = 1.5 * features[:, :, 1] + 0.3 * features[:, :, 0] + 0.5 * rng.normal(size=(queries, 10))
    places = np.argsort(np.argsort(-shown, axis=1), axis=1) + 1
    clicks = rng.random((queries, 10)) < chance / places
    lists = Examples(
        features.reshape(-1, 3), clicks.ravel().astype(np.float32), np.full(queries, 10), ("good", "shown by", "noise"), np.zeros(queries, bool),
        positions=places.ravel().astype(np.int32),
    )  # fmt: skip
    return features, chance, lists.take(clicks.any(axis=1))


def right_pairs(ranker: LambdaRank, lists: Examples, seed: int) -> float:
    """The share of pairs of new lists that are put in the order of their true chances."""
    features, chance, _ = world(300, seed + 100)
    scores = ranker.fit(lists).score(features.reshape(-1, 3)).reshape(chance.shape)
    ordered = (scores[:, :, None] > scores[:, None, :])[chance[:, :, None] > chance[:, None, :]]
    return float(ordered.mean())


@pytest.mark.parametrize("seed", range(3))
def test_with_places_the_true_order_is_found_and_without_them_it_is_not(seed: int) -> None:
    _, _, lists = world(3000, seed)
    naive, corrected = right_pairs(RANKER, lists, seed), right_pairs(RANKER.model_copy(update={"positions": True}), lists, seed)
    assert naive < 0.82
    assert corrected > 0.88


def test_where_nothing_was_shown_places_are_asked_for() -> None:
    _, _, lists = world(50, 0)
    with pytest.raises(ParameterError, match=r"positions=True\) learns from lists that were shown"):
        RANKER.model_copy(update={"positions": True}).fit(replace(lists, positions=None))


def impressions_of(data: vt.Dataset) -> vt.Impressions:
    """A list of ten for everybody after two thirds of the log, of which people click what they took next."""
    late = data.events.times > np.quantile(data.events.times, 0.66)
    rng, rows = np.random.default_rng(0), []
    for event in np.flatnonzero(late):
        user, item, now = int(data.user_of[event]), int(data.events.items[event]), int(data.events.times[event])
        others = rng.permutation(np.setdiff1d(np.unique(data.events.items), [item]))[:9]
        for place, code in enumerate(rng.permutation([item, *others]), 1):
            rows.append((f"r{event}", data.users.ids[user], data.items.ids[int(code)], place, float(code == item), now))
    names = ["request_id", "user_id", "item_id", "position", "outcome", "timestamp"]
    table = pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.col("timestamp").cast(pl.Datetime("us")))
    return vt.Impressions.of_frame(table)


def test_two_stages_learn_from_what_was_shown() -> None:
    data = vt.testing.synthetic(users=150, items=40, mean_length=10, groups=4, seed=2)
    shown = impressions_of(data)
    split, places = shown_window(data, shown)
    assert len(split.queries) == len(shown.requests)
    assert (split.queries.now == shown.times[shown.by_request[:-1]]).all()
    last = np.maximum(split.queries.stop - 1, 0)
    asked = split.queries.lengths > 0
    assert (data.events.times[last][asked] < split.queries.now[asked]).all()
    for request in range(0, len(split.queries), 37):
        of = slice(shown.by_request[request], shown.by_request[request + 1])
        known = dict(zip(data.items.encode(shown.vocabulary.ids)[shown.items[of]].tolist(), shown.positions[of].tolist(), strict=True))
        own = slice(split.eligible.include.indptr[request], split.eligible.include.indptr[request + 1])
        assert dict(zip(split.eligible.include[request].tolist(), places[own].tolist(), strict=True)) == known
    sources = (Source(model=vt.Cooccurrence(), n=60), Source(model=vt.Popularity(), n=60))
    model = vt.TwoStage(sources=sources, features=(SourceScores(),), ranker=RANKER.model_copy(update={"positions": True}))
    fitted = model.fit(data, impressions=shown)
    assert fitted.tables["sources"]["queries"][0] == len(split.queries)
    assert len(fitted.recommend(data.queries(), 5)) == 150
    with pytest.raises(ParameterError, match=r"give the fit vt\.Impressions"):
        model.fit(data)


def test_impressions_without_times_or_outcomes_are_refused() -> None:
    data = vt.testing.synthetic(users=150, items=40, mean_length=10, groups=4, seed=2)
    shown = impressions_of(data)
    with pytest.raises(DataError, match="they have no times"):
        shown_window(data, replace(shown, times=None, time_unit=None))
    with pytest.raises(DataError, match="they have no outcomes"):
        shown_window(data, replace(shown, outcomes=None))
    with pytest.raises(DataError, match="No event of the log is before the first impression"):
        shown_window(data, replace(shown, times=np.zeros_like(shown.times)))
