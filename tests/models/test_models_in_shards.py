"""Models fitted on shards: the answers of loops in plain Python, of the log in memory, and of any executor."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import held
from vitrina.data.worth import usual_values
from vitrina.models import ease, people
from vitrina.rerank.rules.base import column_of_people
from vitrina.types import Events

DAY = 86_400_000_000


@dataclass(frozen=True)
class Several:
    """An executor that says it has several workers, in this process."""

    workers: int = 3

    def map(self, function, items):
        return map(function, items)


def log_of(seed, users=12, items=7, weights=False):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    people = np.where(rng.random(n) < 0.5, 3, rng.integers(0, users - 3, n))
    own = rng.choice([0.5, 1, 2, 3], n).astype(np.float32) if weights else None
    events = Events(
        rng.integers(0, items - 1, n).astype(np.int32), rng.integers(0, 12, n) * DAY // 2, rng.random(n, np.float32), weights=own
    )
    vocabularies = vt.Vocabulary.of([f"u{u}" for u in range(users)]), vt.Vocabulary.of([f"i{c}" for c in range(items)])
    return Dataset.of_codes(people, events, *vocabularies, time_unit="us")


def slow_popularity(data, days, half_life, by):
    """What the docstring says, event by event."""
    end = data.events.times.max()
    scores = Counter()
    for user in range(len(data.users)):
        best = {}
        for at in range(data.indptr[user], data.indptr[user + 1]):
            item, time = int(data.events.items[at]), data.events.times[at]
            weight = 1.0 if data.events.weights is None else float(data.events.weights[at])
            if days is not None and time <= end - days * DAY:
                weight = 0.0
            if half_life is not None:
                weight *= 0.5 ** ((end - time) / DAY / half_life)
            if by == "users":
                largest = weight if data.events.weights is None else max(weight, best.get(item, 0.0))
                best[item] = largest  # without weights the latest counts
            else:
                best[item] = best.get(item, 0.0) + weight
        scores.update(best)
    return [scores[item] for item in range(data.n_items)]


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("by", ["users", "events"])
def test_popularity_of_shards_is_counted_event_by_event(by, weights):
    rng = np.random.default_rng(0)
    for seed in range(50):
        data = log_of(seed, weights=weights)
        days, half_life = rng.choice([None, 2, 4]), rng.choice([None, 1, 3])
        model = vt.Popularity(days=days, half_life=half_life, by=by)
        for log in (data, held(data, 5), held(data, 5).on(Several())):
            found = model.fit(log).scores
            np.testing.assert_allclose(np.where(np.isfinite(found), found, 0), slow_popularity(data, days, half_life, by), rtol=1e-6)


def test_the_gram_matrix_comes_in_blocks(monkeypatch):
    monkeypatch.setattr(ease, "BLOCK", 64)
    for seed in range(20):
        data = log_of(seed, weights=seed % 2 == 1)
        kept = np.sort(np.random.default_rng(seed).permutation(7)[:5]).astype(np.int32)
        expected = ease.gram(data, kept)
        for log in (held(data, 4), held(data, 4).on(Several())):
            assert np.array_equal(np.tril(ease.gram(log, kept)), np.tril(expected))


@pytest.mark.parametrize(
    "model", [vt.EASE(l2=1), vt.TifuKNN(neighbours=3), vt.TopPersonal(), vt.RandomItems(), vt.Cooccurrence()], ids=repr
)
def test_any_executor_gives_the_same_lists(model):
    data = log_of(8)
    one, other = (model.fit(log) for log in (held(data, 4), held(data, 4).on(Several())))
    for shard in held(data, 4).shards():
        lists = [fitted.recommend(shard.queries(), 5, eligible=vt.Eligibility(repeat=True)) for fitted in (one, other)]
        assert np.array_equal(lists[0].items, lists[1].items)
        assert np.array_equal(lists[0].scores, lists[1].scores, equal_nan=True)


def test_people_who_are_near_have_their_ids():
    data = log_of(8)
    fitted = vt.TifuKNN(neighbours=3).fit(held(data, 4))
    assert fitted.people.ids.to_list() == vt.TifuKNN(neighbours=3).fit(data).people.ids.to_list()


@pytest.mark.parametrize("model", [vt.TifuKNN(), vt.UpCF()], ids=repr)
def test_vectors_that_do_not_fit_are_refused(model, monkeypatch):
    monkeypatch.setattr(people, "MEMORY_SHARE", 1e-12)
    with pytest.raises(MemoryBudgetError, match=r"keeps a vector of each person.*Use TopPersonal\(\) or Cooccurrence\(\)"):
        model.fit(held(log_of(8), 3))


def test_a_model_of_the_whole_log_names_a_way_that_works():
    log = held(vt.testing.synthetic(), 3)
    model = vt.Blend(models=(vt.Popularity(), vt.Cooccurrence()))  # learns its weights
    with pytest.raises(
        DataError, match=r"fit\(next\(data.shards\(\)\)\) takes those of one shard, and the model answers for all.*data.to_memory\(\)"
    ):
        model.fit(log)
    assert model.fit(log.to_memory()).recommend(log.to_memory().queries(), 5)
    fitted = model.fit(next(log.shards()))
    assert all(len(fitted.recommend(shard.queries(), 5)) == shard.n_users for shard in log.shards())


def test_usual_values_and_tables_of_people_come_from_all_shards():
    data = log_of(9)
    np.testing.assert_allclose(usual_values(held(data, 4)), usual_values(data), rtol=1e-6)
    table = vt.testing.synthetic()
    if table.user_table is None:
        import polars as pl

        from vitrina.data.features import FeatureTable

        table = replace(table, user_table=FeatureTable(pl.DataFrame({"age": np.arange(len(table.users)) % 9}), {"age": "number"}, None))
    whole, parts = column_of_people(table, "age"), column_of_people(held(table, 4), "age")
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    assert set(whole) == {"person", "people"}
