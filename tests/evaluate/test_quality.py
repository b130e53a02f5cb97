"""The quality of a benchmark: every statistic beside a slow or foreign one, intervals and sizes beside worlds whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau, nct, spearmanr

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.cli.console import plain
from vitrina.evaluate.fits import FitSpread
from vitrina.evaluate.quality import (
    ModelValues,
    Quality,
    monotonicity,
    order_agreement,
    people_apart,
    quality_of,
    signal_to_noise,
    stable_size,
)
from vitrina.evaluate.quality.found import tau_by_doubt
from vitrina.evaluate.quality.orders import at_checkpoints, spearman, tau_b


def people(n: int, means: list[float], seed: int, spread: float = 0.2) -> dict[str, np.ndarray]:
    """Values of models that share half of the doubt of each person."""
    rng = np.random.default_rng(seed)
    base = spread * rng.standard_normal(n)
    return {f"m{i}": mean + base + spread * rng.standard_normal(n) for i, mean in enumerate(means)}


def test_rank_correlations_are_scipys_with_ties_and_without() -> None:
    rng = np.random.default_rng(0)
    for levels in (3, 1000):
        for _ in range(20):
            a, b = rng.integers(0, levels, (2, 9)).astype(float)
            assert tau_b(a, b) == pytest.approx(kendalltau(a, b).statistic, nan_ok=True)
            assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, nan_ok=True)
    assert np.isnan(tau_b(np.ones(4), np.arange(4.0)))
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_monotonicity_is_of_checkpoints_in_their_order_and_few_say_nothing() -> None:
    table = monotonicity({"rises": [0.1, 0.2, 0.3], "falls": [3, 2, 1, 0], "short": [0.1, 0.2], "still": [1, 1, 1]}, "nDCG@10")
    assert table.select("model", "checkpoints", "spearman").rows() == [
        ("rises", 3, 1.0),
        ("falls", 4, -1.0),
        ("short", 2, None),
        ("still", 3, None),
    ]
    assert monotonicity({"a": [3.0, 2.0, 1.0]}, "MeanRank", lower_is_better=True)["spearman"].to_list() == [1.0]


def test_checkpoints_are_compared_where_several_models_have_them() -> None:
    table = at_checkpoints({"a": [1, 2, 3, 4], "b": [2, 1, 4, 3], "c": [0, 0.5]}, "nDCG@10")
    assert table.select("one", "other", "models", "tau").rows() == [
        ("1", "2", 3, pytest.approx(1 / 3)),
        ("2", "3", 2, -1.0),
        ("3", "4", 2, -1.0),
    ]


def test_orders_agree_on_the_models_that_both_have() -> None:
    orders = {"one": {"a": 3.0, "b": 2.0, "c": 1.0}, "other": {"b": 5.0, "a": 7.0}, "equal": {"a": 1.0, "b": 1.0}}
    table = order_agreement(orders, "rules", "nDCG@10")
    assert table.select("models", "tau", "same_first").rows() == [(2, 1.0, True), (2, None, True), (2, None, True)]


@pytest.mark.parametrize("queries", [1, 3])
def test_at_the_stable_size_so_many_drawn_comparisons_are_right(queries: int) -> None:
    """The slow way: people are drawn with all their queries, means taken, orders counted."""
    n, tau = 4000, 0.8
    rng = np.random.default_rng(1)
    persons = np.repeat(np.arange(n), rng.integers(1, 2 * queries, n))
    mine = np.array(list(people(n, [0.0, 0.015, 0.03, 0.05, 0.06], 2).values()))
    columns = {f"m{i}": (row[persons] + 0.1 * rng.standard_normal(len(persons)) > 0.3).astype(float) for i, row in enumerate(mine)}
    values = ModelValues("HitRate@10", columns, persons)
    found = stable_size(values, tau=tau, share=0.9)
    own = np.stack([np.bincount(persons, columns[name], n) for name in values.models])
    counts, order = np.bincount(persons, minlength=n), np.sign(np.subtract.outer(values.means, values.means))
    right = {"order": 0, "first": 0}
    for which, stable in (("order", found.order), ("first", found.first)):
        for _ in range(1000):
            drawn = rng.integers(0, n, int(stable.size))
            means = own[:, drawn].sum(axis=1) / counts[drawn].sum()
            agree = (np.sign(np.subtract.outer(means, means)) * order).sum() / 20 >= tau - 1e-9
            right[which] += int(agree) if which == "order" else int(means.argmax() == values.means.argmax())
    assert 860 < right["order"] < 940
    assert 860 < right["first"] < 940
    at = found.curve.filter(found.curve["people"] <= found.order.size)["order"].to_list()
    assert at == sorted(at)
    assert at[-1] <= 0.9


def test_in_worlds_of_a_known_order_the_size_is_within_a_factor_of_two_and_inside_its_interval() -> None:
    """People normal, seeds too: comparisons are drawn as their sums are, and the true size is found by bisection."""
    within = inside = 0
    worlds = 15
    for world in range(worlds):
        rng = np.random.default_rng([7, world])
        models = int(rng.integers(3, 6))
        gaps = np.exp(rng.normal(np.log(0.02), 0.5, models - 1))
        means, seeds = np.concatenate([[0.0], np.cumsum(gaps)]), 0.05 * gaps.min()
        z, w = rng.standard_normal((4000, models)) * 0.2, rng.standard_normal((4000, models)) * seeds / np.sqrt(3)
        pairs = np.triu_indices(models, 1)

        def right(n: float, means: np.ndarray = means, z: np.ndarray = z, w: np.ndarray = w, pairs: tuple = pairs) -> float:
            seen = means + z / np.sqrt(n) + w
            return float(((seen[:, pairs[1]] > seen[:, pairs[0]]).mean(axis=1) >= 0.9 - 1e-9).mean())

        low, high = 1.0, 1e7
        for _ in range(40):
            low, high = (low, np.sqrt(low * high)) if right(np.sqrt(low * high)) >= 0.9 else (np.sqrt(low * high), high)
        true = max(high, 20)
        n = int(20 * true)
        base, moved = rng.standard_normal(n), seeds * rng.standard_normal((models, 3, 1))
        fits = means[:, None, None] + moved + 0.2 * rng.standard_normal((models, 1, n)) + base
        found = stable_size(ModelValues.of_fits("nDCG@10", {f"m{i}": row for i, row in enumerate(fits)}, np.arange(n)), seed=world).order
        within += true / 2 <= found.size <= 2 * true
        inside += found.low <= true <= found.high
    assert within >= 13
    assert inside >= 10  # 90% of 15 is 13.5; fewer than 10 come once in 400


def test_what_was_not_established_has_no_end() -> None:
    found = stable_size(ModelValues("nDCG@10", people(500, [0.0, 0.001], 3), np.arange(500)))
    assert found.order.high == np.inf
    assert found.order.now < 0.8


def test_no_size_is_named_below_where_ten_people_differ() -> None:
    hits = np.zeros((2, 10_000))
    hits[0, :40] = 1
    found = stable_size(ModelValues("HitRate@1", {"a": hits[0], "b": hits[1]}, np.arange(10_000)))
    assert found.least == 2500
    assert found.order.size == 2500


def test_seeds_that_turn_the_order_are_not_mended_by_people() -> None:
    rng, moved = np.random.default_rng(0), 0.05 * np.array([[-1.0], [0.0], [1.0]])
    fits = {name: mean + moved + 0.001 * rng.standard_normal((3, 4000)) for name, mean in (("a", 0.01), ("b", 0.0))}
    values = ModelValues.of_fits("nDCG@10", fits, np.arange(4000))
    assert stable_size(values).order.size == np.inf
    assert people_apart(values).needed == np.inf
    alone = ModelValues("nDCG@10", values.values, np.arange(4000))  # the same numbers, and nobody knows of seeds
    assert stable_size(alone).order.size < 4000


def test_signal_to_noise_is_its_definition_and_the_interval_of_two_models_that_of_the_noncentral_t() -> None:
    rng = np.random.default_rng(0)
    fits = {name: mean + 0.01 * rng.standard_normal((4, 1)) + np.zeros((4, 6)) for name, mean in (("a", 0.3), ("b", 0.25))}
    found = signal_to_noise(ModelValues.of_fits("nDCG@10", fits, np.arange(6)))
    means = [f.mean() for f in fits.values()]
    deviation = np.sqrt(np.mean([f[:, 0].var(ddof=1) for f in fits.values()]))
    level = np.mean(means)
    assert found.ratio == pytest.approx((abs(means[0] - means[1]) / level) / (deviation / level))
    assert found.signal == pytest.approx(abs(means[0] - means[1]) / level)
    t = found.ratio / np.sqrt(2 / 4)
    for end, tail in ((found.low, 0.025), (found.high, 0.975)):
        assert nct.sf(t, 6, end / np.sqrt(2 / 4)) == pytest.approx(tail, abs=0.004)


@pytest.mark.parametrize("real", [0.0, 2.0, 12.0])
def test_the_interval_of_signal_to_noise_holds_the_true_one(real: float) -> None:
    held = 0
    for world in range(200):
        rng = np.random.default_rng([5, world])
        fits = {f"m{i}": mean + rng.standard_normal((3, 1)) + np.zeros((3, 2)) for i, mean in enumerate((0.0, real / 2, real))}
        found = signal_to_noise(ModelValues.of_fits("m", fits, np.arange(2)), 0.9, seed=world)
        held += found.low <= real <= found.high
    assert held >= 172  # 90% of 200; fewer come once in 20


def test_the_named_people_tell_the_first_two_apart_in_four_comparisons_of_five() -> None:
    values = ModelValues("nDCG@10", people(40_000, [0.03, 0.0], 11), np.arange(40_000))
    needed = people_apart(values)
    told, spread = 0, 0.2 * np.sqrt(2)
    for world in range(1000):
        seen = np.random.default_rng([9, world]).normal(needed.difference, spread, int(needed.needed))
        told += abs(seen.mean()) > 1.96 * seen.std(ddof=1) / np.sqrt(len(seen))
    assert 760 < told < 840
    assert needed.needed_low < needed.needed < needed.needed_high
    assert people_apart(ModelValues("x", people(300, [0.0, 0.0], 12), np.arange(300))).needed_high == np.inf


def test_folds_that_doubt_alone_would_turn_agree_as_often_as_it_says() -> None:
    values = ModelValues("nDCG@10", people(2000, [0.0, 0.02, 0.04, 0.06], 13), np.arange(2000))
    drawn = tau_by_doubt(values, 200, 100)
    rng, seen = np.random.default_rng(0), []
    columns = np.array(list(values.values.values()))
    for _ in range(1000):
        a, b = (columns[:, rng.integers(0, 2000, n)].mean(axis=1) for n in (200, 100))
        seen.append(kendalltau(a, b).statistic)
    assert drawn.mean() == pytest.approx(np.mean(seen), abs=0.04)


def quality(**more: object) -> Quality:
    columns = people(600, [0.3, 0.28, 0.2], 5)
    folds = np.repeat([1, 2, 3], 200)
    hits = {name: (column > 0.9).astype(float) for name, column in columns.items()}
    return quality_of(
        [ModelValues("nDCG@10", columns, np.arange(600), folds=folds), ModelValues("HitRate@1", hits, np.arange(600))], **more
    )


def test_the_record_says_what_is_unknown_and_names_what_to_do() -> None:
    found = quality(rule="GlobalTime(days=30)", ties=0.29)
    text = " ".join(found.sentences)
    assert "unknown with one seed" in text
    assert "counts have none" in text
    assert "29% of the targets" in text
    assert found.of("folds")["metric"].unique().to_list() == ["nDCG@10"]
    assert {"nDCG@10", "HitRate@1"} == set(found.curve["metric"])
    assert str(found).startswith("Trust")
    assert json.loads(json.dumps(plain(found)))["trusted"] == found.trusted
    assert found.row("HitRate@1")["people"] == 600


def test_rules_and_parts_of_the_log_get_their_sentences() -> None:
    base = {"m0": 3.0, "m1": 2.0, "m2": 1.0}
    sizes = pl.DataFrame(
        {
            "share": [0.25],
            "draw": [1],
            "people": [150],
            "events": [9],
            "metric": ["nDCG@10"],
            "tau": [0.33],
            "same_first": [True],
            "expected": [0.9],
        }
    )
    found = quality(rules={"time": base, "LeaveOneOut": {"m0": 1.0, "m1": 2.0, "m2": 3.0}, "last": base}, sizes=sizes)
    text = " ".join(found.sentences)
    assert "LeaveOneOut (tau −1.00, another best model) can't stand for time" in text
    assert "last (tau 1.00)" in text
    assert "of 25% of the people (about 150 asked) tau 0.33" in text


def test_two_models_that_are_the_same_have_no_order() -> None:
    column = np.random.default_rng(0).random(100)
    found = quality_of([ModelValues("nDCG@10", {"a": column, "b": column.copy()}, np.arange(100))])
    assert found.sentences == (
        "a, b answer alike on every query by every metric: there is no order to trust, and no number of people makes one.",
    )
    third = quality_of([ModelValues("nDCG@10", {"a": column, "b": column.copy(), "c": column + 0.1}, np.arange(100))])
    assert "a and b have the same nDCG@10 on every query" in " ".join(third.sentences)
    assert third.row("nDCG@10")["pairs"] == 2


def test_one_heavy_person_makes_an_order_need_more_people() -> None:
    columns, users = people(2000, [0.05, 0.0], 21), np.arange(2000)
    columns["m0"][:500] += 0.2  # who is alone in this, or one of five hundred
    alone = stable_size(ModelValues("nDCG@10", columns, users)).order.size
    heavy = stable_size(ModelValues("nDCG@10", columns, np.where(users < 500, 0, users))).order.size
    assert heavy > 3 * alone


def test_mistakes_are_refused_with_a_sentence() -> None:
    column, users = np.random.default_rng(0).random(50), np.arange(50)
    with pytest.raises(ParameterError, match=r"two models or more with values of nDCG@10\. Got EASE"):
        ModelValues("nDCG@10", {"EASE": column}, users)
    with pytest.raises(ParameterError, match="KNN has the shape"):
        ModelValues("nDCG@10", {"EASE": column, "KNN": column[:3]}, users)
    values = ModelValues("nDCG@10", {"EASE": column, "KNN": column[::-1]}, users)
    with pytest.raises(UnknownNameError, match="nDCG@10"):
        quality_of([values], "nDCG@5")
    with pytest.raises(ParameterError, match="each once"):
        quality_of([values, values])
    with pytest.raises(ParameterError, match="'share' of stable_size is above 0 and below 1"):
        stable_size(values, share=1.0)


def test_spreads_are_pooled_by_their_freedom_and_people_are_taken_out() -> None:
    values = ModelValues(
        "m",
        {name: np.arange(4.0) for name in "abc"},
        np.arange(4),
        spreads={"a": FitSpread(3, 0.04, 0.01), "b": FitSpread(2, 0.02, 0.03), "c": FitSpread(1)},
    )
    assert values.freedom == 3
    assert values.pooled(own=False) == pytest.approx((2 * 0.04 + 0.02) / 3)
    assert values.pooled(own=True) == pytest.approx((2 * 0.03 - 0.01) / 3)
    assert values.shares().tolist() == [1 / 3, 1 / 2, 0]
