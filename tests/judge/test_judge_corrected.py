"""Corrected means hold the truth whatever the judge's bias, narrow as theory says, and stay honest where doubtful rows are labelled more often."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.judge import corrected_difference, corrected_mean, next_labels
from vitrina.judge.labelling import chances


def world(rng, labels=100, rows=2000, per_query=1, correlation=0.9):
    """A judge that is off by half a grade and has its own spread; people's mean is 0."""
    query = np.repeat(np.arange(rows // per_query), per_query)
    shared = rng.normal(size=query.max() + 1)[query] * (0.7 if per_query > 1 else 0)
    people = rng.normal(size=rows) * (np.sqrt(0.51) if per_query > 1 else 1) + shared
    judge = 0.5 + 0.6 * (people + np.sqrt(1 / correlation**2 - 1) * rng.normal(size=rows))
    drawn = np.isin(query, rng.choice(query.max() + 1, labels // per_query, replace=False))
    return pl.DataFrame({"query": query, "judge": judge, "people": people, "labelled": drawn})


def seen(rows):
    return rows.with_columns(people=pl.when("labelled").then("people"))


def test_the_value_is_the_regression_estimate_and_its_error_its_jackknife():
    rows = seen(world(np.random.default_rng(0), rows=300))
    found = corrected_mean(rows)
    known = rows.drop_nulls("people")

    def by_hand(part, power):
        y = part.drop_nulls("people")
        return y["people"].mean() - power * (y["judge"].mean() - part["judge"].mean())

    assert found.estimate.value == pytest.approx(by_hand(rows, found.power), abs=1e-12)
    covariance = np.cov(known["judge"], known["people"], ddof=0)[0, 1]
    assert found.power == pytest.approx(covariance / rows["judge"].var(ddof=0), rel=0.2)  # PPI++ with rows of one chance
    plain = corrected_mean(rows, power=0.7)
    left = np.array([by_hand(rows.filter(pl.col("query") != q), 0.7) for q in rows["query"]])
    assert plain.estimate.error == pytest.approx(np.sqrt(99 / 100 * ((left - plain.estimate.value) ** 2).sum()), rel=1e-9)
    assert corrected_mean(rows, power=0).estimate == found.labels_alone


@pytest.mark.parametrize(("per_query", "labels", "least"), [(1, 100, 0.935), (5, 150, 0.935), (1, 20, 0.93)])
def test_a_biased_judge_spoils_no_interval(per_query, labels, least):
    held, ratio, biased = [], [], []
    for seed in range(900):
        found = corrected_mean(seen(world(np.random.default_rng([seed, labels]), labels, 1000, per_query)))
        held.append(found.estimate.low <= 0 <= found.estimate.high)
        ratio.append(found.narrowing)
        biased.append(found.judge_alone.low <= 0 <= found.judge_alone.high)
    assert least <= np.mean(held) <= 0.97
    assert np.mean(biased) < 0.02
    assert np.mean(ratio) < 0.62  # 100 labels of 1,000: .436 would be reached with ever more judged ones


def test_200_labels_and_20_000_judged_are_half_as_wide():
    found = [corrected_mean(seen(world(np.random.default_rng(seed), 200, 20_000))).narrowing for seed in range(10)]
    assert np.mean(found) < 0.5


def test_a_judge_that_tells_nothing_costs_next_to_nothing():
    rows = world(np.random.default_rng(3), labels=200)
    noise = seen(rows).with_columns(judge=pl.Series(np.random.default_rng(4).normal(size=len(rows))))
    found = corrected_mean(noise)
    assert abs(found.power) < 0.2
    assert found.narrowing < 1.03
    constant = corrected_mean(noise.with_columns(judge=pl.lit(1.0)))
    assert constant.power == 0
    assert constant.estimate.value == constant.labels_alone.value


def test_differences_are_those_of_the_rows():
    rng = np.random.default_rng(1)
    people = rng.random((300, 2))
    judge = people * 0.5 + 0.2 + 0.1 * rng.random((300, 2))
    mask = np.arange(300) < 60
    rows = pl.DataFrame({
        "query": np.arange(300), "judge_a": judge[:, 0], "judge_b": judge[:, 1],
        "people_a": [v if m else None for v, m in zip(people[:, 0], mask, strict=True)], "people_b": [v if m else None for v, m in zip(people[:, 1], mask, strict=True)],
    })  # fmt: skip
    by_rows = rows.select("query", judge=pl.col("judge_a") - pl.col("judge_b"), people=pl.col("people_a") - pl.col("people_b"))
    assert corrected_difference(rows) == corrected_mean(by_rows)


def doubtful(rng, rows=3000):
    doubt = np.where(rng.random(rows) < 0.15, 1.0, 0.1)
    people = rng.normal(size=rows)
    return pl.DataFrame(
        {"query": np.arange(rows), "judge": people + 0.3 * (doubt > 0.5) + doubt * rng.normal(size=rows), "truth": people, "doubt": doubt}
    )


def test_doubtful_rows_are_labelled_more_often_and_the_interval_stays_honest():
    held, width, even, foretold, foretold_even = [], [], [], [], []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        rows = doubtful(rng)
        pilot = rng.choice(len(rows), 40, replace=False)
        known = rows.with_columns(people=pl.when(pl.Series(np.isin(np.arange(len(rows)), pilot))).then("truth"))
        drawn = next_labels(known, 160, seed=seed)
        labelled = drawn.rows.with_columns(people=pl.when(pl.col("chance").is_not_null()).then("truth"))
        found = corrected_mean(labelled).estimate
        plain = corrected_mean(
            rows.with_columns(
                people=pl.when(pl.Series(np.isin(np.arange(len(rows)), rng.choice(len(rows), 200, replace=False)))).then("truth")
            )
        ).estimate
        held.append(found.low <= 0 <= found.high)
        width.append(found.high - found.low)
        even.append(plain.high - plain.low)
        foretold.append(drawn.half_width)
        foretold_even.append(drawn.half_width_even)
    assert 0.925 <= np.mean(held) <= 0.975
    assert np.mean(width) < 0.9 * np.mean(even)
    assert np.mean(foretold) < np.mean(foretold_even)


def test_draws_have_their_chances():
    size = np.array([1.0, 1, 1, 5, 50])
    chance = chances(size, 3, 0.2, np.ones(5, bool))
    assert chance.sum() == pytest.approx(3)
    assert chance[4] == 1
    rows = pl.DataFrame({"query": range(5), "judge": 0.0, "doubt": size})
    drawn = np.mean([next_labels(rows, 3, seed=seed).rows["chosen"].to_numpy() for seed in range(1500)], axis=0)
    assert np.abs(drawn - chance).max() < 0.04
    assert all(len(next_labels(rows, 3, seed=seed).chosen) == 3 for seed in range(50))


def test_small_and_rare_gold_sets_are_told():
    rows = pl.DataFrame({"query": range(200), "judge": [0.0] * 190 + [1.0] * 10, "people": [0.0] * 29 + [1.0] + [None] * 170})
    notes = corrected_mean(rows).notes
    assert "30 queries are few" in notes[0]
    assert "All labels but 1" in notes[1]
    with pytest.raises(DataError, match="4 queries or more"):
        corrected_mean(rows.with_columns(people=pl.when(pl.col("query") < 2).then(1.0)))
    with pytest.raises(DataError, match="number of the judge"):
        corrected_mean(rows.with_columns(judge=pl.lit(None)))
    with pytest.raises(ParameterError, match="chance above 0"):
        corrected_mean(rows.with_columns(chance=pl.lit(0.0)))
