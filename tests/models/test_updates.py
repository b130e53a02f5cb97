"""A day's events added to a fitted model, held against a fit on the whole log of now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.sharded import held
from vitrina.models import ease, woodbury

DAY = 86_400_000_000


def log_until(whole: vt.Dataset, moment: int) -> vt.Dataset:
    """What is read of a file that ends there: other vocabularies, in the order of first appearance."""
    return vt.read_interactions(whole.frame().filter(pl.col("timestamp").cast(pl.Int64) < moment), value="value")


def days(whole: vt.Dataset, count: int) -> list[vt.Dataset]:
    """The log as it was after each of its last days, the first half of it first."""
    first, last = whole.time_span
    return [log_until(whole, moment + 1) for moment in np.linspace((first + last) // 2, last, count + 1).astype(int)]


@pytest.fixture(scope="module")
def whole() -> vt.Dataset:
    return vt.testing.synthetic(users=400, items=60, mean_length=8, seed=3)


def weights_of(fitted: vt.ItemMap, items: vt.Vocabulary) -> np.ndarray:
    """(items, items) dense, in the codes of `items`."""
    codes, out = items.encode(fitted.vocabulary.ids), np.zeros((len(items), len(items)))
    if fitted.is_dense:
        rows = codes[fitted.kept]
        out[np.ix_(rows, rows)] = fitted.weight_from_to
    else:
        out[np.ix_(codes, codes)] = fitted.weight_from_to.toarray()
    return out


@pytest.fixture
def never_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(woodbury, "SHARE", np.inf)


@pytest.mark.usefixtures("never_refit")
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("block", [128, 7])
def test_thirty_days_one_after_another_are_a_fit_on_all(whole: vt.Dataset, shards: int, block: int, monkeypatch) -> None:
    monkeypatch.setattr(woodbury, "BLOCK", block)
    model, logs = vt.EASE(l2=5), days(whole, 30)
    fitted = model.fit(logs[0])
    calls = []
    monkeypatch.setattr(ease, "gram", lambda *given: calls.append(given))
    for now in logs[1:]:
        fitted = model.fit(held(now, shards) if shards > 1 else now, start=fitted)
    assert not calls
    monkeypatch.undo()
    wanted, got = model.fit(logs[-1]), fitted
    np.testing.assert_array_equal(np.sort(got.kept), np.sort(wanted.kept))
    np.testing.assert_allclose(weights_of(got, whole.items), weights_of(wanted, whole.items), atol=2e-5)
    queries = logs[-1].queries()
    np.testing.assert_allclose(got.score(queries, got.kept), wanted.score(queries, wanted.kept), atol=1e-4)


@pytest.mark.usefixtures("never_refit")
@pytest.mark.parametrize("seed", range(20))
def test_one_update_is_the_inverse_in_float64(seed: int) -> None:
    whole = vt.testing.synthetic(users=40, items=15, mean_length=5, seed=seed)
    first, now = days(whole, 3)[-2:]
    fitted = vt.EASE(l2=0.5).fit(now, start=vt.EASE(l2=0.5).fit(first))
    x = now.csr().toarray().astype(float)[:, fitted.kept]
    p = np.linalg.inv(x.T @ x + 0.5 * np.eye(x.shape[1]))
    wanted = -p / np.diagonal(p)
    np.fill_diagonal(wanted, 0)
    np.testing.assert_allclose(fitted.weight_from_to, wanted, atol=1e-4)
    np.testing.assert_allclose(fitted.basis.diagonal, np.diagonal(p), rtol=1e-4)


@pytest.mark.usefixtures("never_refit")
def test_weights_that_grow_are_added(whole: vt.Dataset) -> None:
    def weighed(log: vt.Dataset) -> vt.Dataset:
        return replace(log, events=replace(log.events, weights=log.events.values))

    first, now = (weighed(log) for log in days(whole, 2)[-2:])
    got, wanted = vt.EASE(l2=20).fit(now, start=vt.EASE(l2=20).fit(first)), vt.EASE(l2=20).fit(now)
    np.testing.assert_allclose(got.weight_from_to, wanted.weight_from_to, atol=2e-5)


@pytest.mark.parametrize("model", [vt.EASE(l2=5), vt.EASE(l2=5, dropout=0.3), vt.EASE(l2=5, max_items=20)], ids=repr)
def test_where_an_update_does_not_pay_it_is_a_fit(whole: vt.Dataset, model: vt.EASE, monkeypatch) -> None:
    monkeypatch.setattr(woodbury, "SHARE", 0.0)
    first, now = days(whole, 2)[-2:]
    got, wanted = model.fit(now, start=model.fit(first)), model.fit(now)
    np.testing.assert_array_equal(got.weight_from_to, wanted.weight_from_to)


def test_nothing_new_changes_nothing(whole: vt.Dataset) -> None:
    fitted = vt.EASE(l2=5).fit(whole)
    again = vt.EASE(l2=5).fit(whole, start=fitted)
    np.testing.assert_allclose(again.weight_from_to, fitted.weight_from_to, rtol=1e-6, atol=1e-9)


def test_an_artifact_goes_on(whole: vt.Dataset, tmp_path) -> None:
    first, now = days(whole, 2)[-2:]
    model = vt.EASE(l2=5)
    vt.save(model.fit(first), tmp_path / "model")
    got = model.fit(now, start=vt.load(tmp_path / "model"))
    np.testing.assert_allclose(got.weight_from_to, model.fit(now).weight_from_to, atol=2e-5)


def test_what_is_not_the_same_log_is_refused(whole: vt.Dataset) -> None:
    first, now = days(whole, 2)[-2:]
    model = vt.EASE(l2=5)
    fitted = model.fit(first)
    late = now.select(np.arange(now.n_events) != 0)
    with pytest.raises(DataError, match="events came late"):
        model.fit(late, start=fitted)
    with pytest.raises(DataError, match="events came late"):
        model.fit(vt.testing.toy(), start=fitted)
    with pytest.raises(ParameterError, match="same parameters"):
        vt.EASE(l2=6).fit(now, start=fitted)
    with pytest.raises(ParameterError, match="must be a fitted EASE"):
        model.fit(now, start=vt.Popularity().fit(first))
    without = replace(first, events=replace(first.events, times=None), time_unit=None)
    with pytest.raises(ParameterError, match="kept what an update needs"):
        model.fit(now, start=model.fit(without))
    with pytest.raises(DataError, match="no times"):
        model.fit(replace(now, events=replace(now.events, times=None), time_unit=None), start=fitted)


def test_corrections_that_leave_all_counts_are_refused(whole: vt.Dataset) -> None:
    """Two people of the earlier days are given each other's item: every item has as many events and people as before."""
    first, now = days(whole, 2)[-2:]
    x, one, other = first.csr().toarray() > 0, 0, 1
    a, b = next((a, b) for a in range(len(x)) for b in range(len(x)) if x[a, one] > x[a, other] and x[b, other] > x[b, one])
    frame, names = now.frame(), first.items.ids.to_list()
    mine, theirs = (
        (pl.col("user_id") == first.users.ids[user]) & (pl.col("item_id") == names[item]) for user, item in ((a, one), (b, other))
    )
    swapped = pl.when(mine).then(pl.lit(names[other])).when(theirs).then(pl.lit(names[one])).otherwise(pl.col("item_id"))
    corrected = vt.read_interactions(frame.with_columns(item_id=swapped), value="value")
    for model in (vt.EASE(l2=5), COUNTS[0]):
        with pytest.raises(DataError, match="were corrected or removed"):
            model.fit(corrected, start=model.fit(first))


def test_corrected_weights_are_refused(whole: vt.Dataset) -> None:
    first, now = days(whole, 2)[-2:]
    first, now = (replace(log, events=replace(log.events, weights=np.ones(log.n_events, np.float32))) for log in (first, now))
    fitted = vt.EASE(l2=5).fit(first)
    vt.EASE(l2=5).fit(now, start=fitted)
    heavier = now.events.weights + (now.events.times == now.events.times.min())
    with pytest.raises(DataError, match="were corrected or removed"):
        vt.EASE(l2=5).fit(replace(now, events=replace(now.events, weights=heavier.astype(np.float32))), start=fitted)


COUNTS = [
    vt.Cooccurrence(neighbours=5, keep_pairs=True),
    vt.Cooccurrence(weighting=vt.weighting.Jaccard(shrinkage=2), neighbours=100, diagonal=True, keep_pairs=True),
    vt.Cooccurrence(weighting=vt.weighting.ConditionalProbability(alpha=0.5), neighbours=7, keep_pairs=True),
]


def plain(model: vt.Cooccurrence) -> vt.Cooccurrence:
    """The same without the pairs."""
    return model.model_copy(update={"keep_pairs": False})


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("model", COUNTS, ids=repr)
def test_counts_of_thirty_days_are_those_of_all(whole: vt.Dataset, model: vt.Cooccurrence, shards: int) -> None:
    logs = days(whole, 30)
    fitted = model.fit(logs[0])
    for now in logs[1:]:
        fitted = model.fit(held(now, shards) if shards > 1 else now, start=fitted)
    wanted = plain(model).fit(logs[-1])
    x = logs[-1].csr().toarray().astype(int)
    np.testing.assert_array_equal(fitted.basis.pairs.toarray(), x.T @ x - np.diag(x.sum(axis=0)))
    assert (fitted.weight_from_to != wanted.weight_from_to).nnz == 0
    np.testing.assert_array_equal(fitted.weight_from_to.indices, wanted.weight_from_to.indices)


@pytest.mark.parametrize("model", COUNTS, ids=repr)
def test_pairs_that_are_kept_change_no_answer(whole: vt.Dataset, model: vt.Cooccurrence, monkeypatch) -> None:
    monkeypatch.setattr("vitrina.models.pair_counts.CELLS", 2000)
    got, wanted = model.fit(whole), plain(model).fit(whole)
    assert (got.weight_from_to != wanted.weight_from_to).nnz == 0


def test_content_counts_with_pairs(whole: vt.Dataset) -> None:
    model = vt.Cooccurrence(content=vt.Content(columns=("group",)), neighbours=8, keep_pairs=True)
    got, wanted = model.fit(whole), plain(model).fit(whole)
    np.testing.assert_array_equal(got.weight_from_to.toarray(), wanted.weight_from_to.toarray())


def test_pairs_of_an_artifact_go_on(whole: vt.Dataset, tmp_path) -> None:
    first, now = days(whole, 2)[-2:]
    vt.save(COUNTS[0].fit(first), tmp_path / "model")
    got = COUNTS[0].fit(now, start=vt.load(tmp_path / "model"))
    np.testing.assert_array_equal(got.weight_from_to.toarray(), plain(COUNTS[0]).fit(now).weight_from_to.toarray())


def test_pairs_that_are_no_counts_are_refused(whole: vt.Dataset) -> None:
    for other in (
        {"gap": vt.decay.Exponential(events=3)},
        {"one_way": True},
        {"weighting": vt.weighting.BM25()},
        {"weighting": vt.weighting.Transitions()},
    ):
        with pytest.raises(ParameterError, match="counts of people"):
            vt.Cooccurrence(keep_pairs=True, **other)
    weighed = replace(whole, events=replace(whole.events, weights=whole.events.values))
    with pytest.raises(DataError, match="Leave 'keep_pairs' out"):
        COUNTS[0].fit(weighed)
    with pytest.raises(ParameterError, match="can't go on from a 'start'"):
        vt.Cooccurrence().fit(whole, start=COUNTS[0].fit(whole))
