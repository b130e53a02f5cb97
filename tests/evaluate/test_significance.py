"""The bootstrap: its weights, its coverage, its shards, its verdicts; each against an independent computation."""

import itertools
import math
from itertools import pairwise

import numpy as np
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.power import people_needed
from vitrina.evaluate.bootstrap import _THRESHOLDS, BUCKETS, Bootstrap, Buckets, _bucket_of, _poisson
from vitrina.evaluate.interval import bootstrap_interval
from vitrina.evaluate.significance import best_of, compare_paired, compare_pairs, compare_with_best, sign_flip


def clustered(rng, users, spread=1.0):
    """Queries of people who differ: 1 to 8 queries each, whose values share a part of the person; true mean 0 over persons of equal weight."""
    lengths = rng.integers(1, 9, users)
    codes = np.repeat(np.arange(users), lengths)
    return np.repeat(rng.normal(0, spread, users), lengths) + rng.normal(0, 0.5, len(codes)), codes


def test_weights_are_poisson_of_mean_one_and_uncorrelated():
    weights = np.empty((4000, 64))
    _poisson(4000, np.arange(4000, dtype=np.uint64), np.uint64(3), _THRESHOLDS, weights)
    for j in range(5):
        assert (weights == j).mean() == pytest.approx(math.exp(-1) / math.factorial(j), abs=0.004)
    off = np.corrcoef(weights.T) - np.eye(64)
    assert np.abs(off).max() < 0.08  # 2016 pairs of standard deviation 0.016
    assert np.abs(np.corrcoef(weights[:64]) - np.eye(64)).max() < 0.6


def test_interval_covers_the_truth_19_times_of_20():
    """400 worlds of 120 people with correlated queries; the standard deviation of the share is 1.1 points."""
    rng = np.random.default_rng(0)
    covered, naive = 0, 0
    for world in range(400):
        values, users = clustered(rng, 120)
        low, high = bootstrap_interval(values, users, bootstrap=Bootstrap(draws=400, seed=world))
        covered += low <= 0 <= high
        half = 1.96 * values.std() / math.sqrt(len(values))
        naive += abs(values.mean()) <= half
    assert 0.915 <= covered / 400 <= 0.98
    assert naive / 400 < 0.8, "queries taken as independent must cover too little, or this test proves nothing"


def test_many_users_share_buckets_and_the_width_stays_right():
    """60,000 people in 16,384 buckets against the delta-method error of the ratio, which knows no buckets."""
    rng = np.random.default_rng(1)
    values, users = clustered(rng, 60_000)
    sums, counts = np.bincount(users, values), np.bincount(users)
    error = math.sqrt(((sums - values.mean() * counts) ** 2).sum()) / len(values)
    widths = [np.diff(bootstrap_interval(values, users, bootstrap=Bootstrap(draws=1000, seed=s)))[0] for s in range(4)]
    assert np.mean(widths) == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert len(values) > BUCKETS


def test_value_is_the_mean_over_queries_and_nan_says_nothing():
    values = np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan], [0.5, 0.1]])
    np.testing.assert_allclose(Buckets.of(values, np.array([0, 0, 1, 2])).value, [0.5, 0.3])
    assert np.isnan(Buckets.of(np.full((3, 1), np.nan), np.arange(3)).value).all()


def test_draws_are_studentised_as_in_plain_numpy():
    """(value_b - value) / error_b of two columns with other nulls, person by person."""
    rng = np.random.default_rng(4)
    first, users = clustered(rng, 30)
    values = np.column_stack([first, np.where(rng.random(len(first)) < 0.3, np.nan, first**2)])
    studentised = Buckets.of(values, users).studentised(Bootstrap(draws=50, seed=9))

    weights = np.empty((30, 50))
    _poisson(30, _bucket_of(np.arange(30)).astype(np.uint64), np.uint64(9), _THRESHOLDS, weights)
    for column, drawn in zip(values.T, studentised.T, strict=True):
        known = ~np.isnan(column)
        sums, counts = np.bincount(users[known], column[known], 30), np.bincount(users[known], minlength=30)
        for b in range(50):
            w = weights[:, b]
            value = (w * sums).sum() / (w * counts).sum()
            error = math.sqrt((w * (sums - value * counts) ** 2).sum()) / (w * counts).sum()
            assert drawn[b] == pytest.approx((value - sums.sum() / counts.sum()) / error, rel=1e-9)


def test_shards_add_up_to_the_whole_in_any_order():
    rng = np.random.default_rng(5)
    values, users = clustered(rng, 500)
    values = np.column_stack([values, values**2])
    whole = Buckets.of(values, users)
    cuts = np.searchsorted(users, [0, 100, 350, 500])
    parts = [Buckets.of(values[a:b], users[a:b]) for a, b in pairwise(cuts)]
    merged = parts[2] + parts[0] + parts[1]
    np.testing.assert_allclose(
        merged.studentised(Bootstrap(draws=200, seed=1)), whole.studentised(Bootstrap(draws=200, seed=1)), rtol=1e-12
    )
    shuffled = rng.permutation(len(users))
    np.testing.assert_allclose(
        Buckets.of(values[shuffled], users[shuffled]).studentised(Bootstrap(draws=200, seed=1)),
        whole.studentised(Bootstrap(draws=200, seed=1)),
        rtol=1e-9,
    )


def test_unknown_visitors_are_people_of_their_own():
    values = np.random.default_rng(0).random(300)
    strangers = np.diff(bootstrap_interval(values, np.full(300, -1)))
    assert strangers == pytest.approx(np.diff(bootstrap_interval(values, np.arange(300))), rel=0.2)
    assert np.isnan(bootstrap_interval(values, np.full(300, 5))).all()


def paired(shift, users=400, seed=0):
    rng = np.random.default_rng(seed)
    base, codes = clustered(rng, users)
    return compare_paired({"base": base, "other": base + shift + rng.normal(0, 0.2, len(base))}, "base", codes).row(0, named=True)


def test_paired_interval_is_far_narrower_than_two_separate_ones():
    row = paired(0.05)
    values, users = clustered(np.random.default_rng(0), 400)
    alone = np.diff(bootstrap_interval(values, users))[0]
    assert row["high"] - row["low"] < alone / 3
    assert row["low"] < 0.05 < row["high"]
    assert row["p"] == pytest.approx(1 / 1001)
    assert row["verdict"].startswith("better by 0.0")


def test_the_verdict_says_which_difference_would_have_been_seen():
    row = paired(0.0)
    assert row["low"] < 0 < row["high"]
    assert row["p_adjusted"] > 0.05
    assert row["verdict"] == f"no measurable difference; a difference of {row['detectable']:.3f} or more would have been seen"


def test_a_detectable_difference_is_seen_four_times_of_five():
    detectable = paired(0.0)["detectable"]
    seen = [paired(detectable, seed=s)["p_adjusted"] < 0.05 for s in range(1, 81)]
    assert 0.65 <= np.mean(seen) <= 0.93


def test_no_difference_is_called_one_at_most_once_in_twenty():
    called = [paired(0.0, users=150, seed=s)["p"] < 0.05 for s in range(200)]
    assert np.mean(called) <= 0.1
    assert np.mean(called) > 0


def equal_models(rng, people, models):
    """Values of models that differ by chance alone: a person's own part, and noise of each model."""
    base, users = clustered(rng, people)
    return {f"m{i}": base + rng.normal(0, 0.5, len(base)) for i in range(models)}, users


def test_one_critical_value_makes_interval_p_and_power():
    rng = np.random.default_rng(2)
    models, users = equal_models(rng, 300, 7)
    for chosen in (False, True):
        table = compare_paired(models, "m0", users, chosen=chosen)
        assert table["model"].to_list() == [f"m{i}" for i in range(1, 7)]
        half = ((table["high"] - table["low"]) / 2).to_numpy()
        power = (table["detectable"].to_numpy() - half) / half  # z(0.8) / c for all of them
        np.testing.assert_allclose(power, power[0])
        excludes = ((table["low"] > 0) | (table["high"] < 0)).to_list()
        assert excludes == (table["p_adjusted"] <= 0.05).to_list()
        assert (table["p_adjusted"] >= table["p"]).all()
        reach = 0.8416 / power[0]
        assert (2.9 < reach < 3.2) if chosen else (2.5 < reach < 2.75), "Tukey's 2.95 for 21 pairs, Dunnett's 2.6 for 6"


def test_a_correction_for_more_comparisons_asks_for_more():
    models, users = equal_models(np.random.default_rng(2), 300, 7)
    alone = compare_paired({name: models[name] for name in ("m0", "m1")}, "m0", users).row(0, named=True)
    table = compare_paired(models, "m0", users).row(0, named=True)
    looked = compare_paired(models, "m0", users, chosen=True).row(0, named=True)
    assert [table["difference"], looked["difference"]] == pytest.approx([alone["difference"]] * 2, rel=1e-12)
    assert alone["p"] == alone["p_adjusted"] <= table["p_adjusted"] <= looked["p_adjusted"]
    assert alone["detectable"] < table["detectable"] < looked["detectable"]


def test_pairs_share_one_correction():
    models, users = equal_models(np.random.default_rng(3), 200, 4)
    pairs = [("m1", "m0"), ("m2", "m1"), ("m3", "m1")]
    table = compare_pairs(models, pairs, users)
    assert list(table.select("model", "against").iter_rows()) == pairs
    everything = compare_pairs(models, [*pairs, ("m2", "m0"), ("m3", "m0"), ("m3", "m2")], users)
    chosen = compare_paired(models, "m0", users, chosen=True)
    np.testing.assert_allclose(
        everything.filter(against="m0").sort("model")["low"], chosen.sort("model")["low"], rtol=1e-9
    )  # fmt: skip
    assert (table["high"] < everything.head(3)["high"]).all()


def test_the_best_is_found_and_all_pairs_are_paid_for():
    models, users = equal_models(np.random.default_rng(5), 200, 4)
    models["ahead"] = models["m0"] + 0.4
    table = compare_with_best(models, users)
    assert best_of(models) == "ahead"
    assert table.equals(compare_paired(models, "ahead", users, chosen=True))
    assert table["verdict"].str.starts_with("worse by").all()
    assert best_of(models, lower_is_better=True) != "ahead"


def test_models_are_compared_on_the_queries_that_both_have_a_value_for():
    rng = np.random.default_rng(6)
    base = rng.random(400)
    part = np.where(np.arange(400) < 150, np.nan, base + 0.01 * rng.normal(size=400))
    row = compare_paired({"base": base, "part": part}, "base", np.arange(400)).row(0, named=True)
    alone = compare_paired({"base": base[150:], "part": part[150:]}, "base", np.arange(150, 400)).row(0, named=True)
    assert row["people"] == 250
    assert row == alone
    assert abs(row["difference"]) < 0.003, "the mean of the base over all queries is another one"


def test_who_is_helped_and_who_is_harmed():
    users = np.repeat(np.arange(40), 2)
    change = np.zeros(80)
    change[:40] = 0.2  # 20 people gain
    change[40:52:2], change[41:53:2] = -0.5, 0.1  # 6 lose on the whole
    change[52], change[53] = 0.3, -0.3  # one breaks even
    table = compare_paired({"base": np.full(80, 0.5), "other": 0.5 + change}, "base", users)
    row = table.row(0, named=True)
    assert (row["people"], row["differ"]) == (40, 27)
    assert (row["helped"], row["harmed"]) == (0.5, 0.15)
    assert row["worst"] == pytest.approx(-0.2)
    lower = compare_paired({"base": np.full(80, 0.5), "other": 0.5 + change}, "base", users, lower_is_better=True).row(0, named=True)
    assert (lower["helped"], lower["harmed"], lower["worst"]) == (0.15, 0.5, pytest.approx(0.2))


def test_an_interval_within_what_matters_is_a_finding():
    rng = np.random.default_rng(7)
    base = rng.random(2000)
    models = {"base": base, "close": base + rng.normal(0.002, 0.02, 2000), "far": base + 0.1}
    table = compare_paired(models, "base", np.arange(2000), matters=0.01)
    assert table["verdict"].to_list() == ["about equal: within 0.010", "better by 0.100 (0.100 to 0.100)"]
    assert table["low"][0] > 0, "it is measurable, and too small to matter"
    with pytest.raises(ParameterError, match="above 0, the smallest one that does"):
        compare_paired(models, "base", np.arange(2000), matters=0)


def test_the_doubt_of_seeds_widens_what_depends_on_it():
    models, users = equal_models(np.random.default_rng(8), 200, 3)
    plain = compare_paired(models, "m0", users)
    wide = compare_paired(models, "m0", users, more={"m1": 0.3**2})
    assert wide.row(1) == plain.row(1)
    grown = (wide["detectable"][0] / plain["detectable"][0]) ** 2
    error = plain["detectable"][0] / (wide["high"][1] - wide["low"][1]) * (plain["high"][1] - plain["low"][1])
    assert grown > 1
    assert error == pytest.approx(plain["detectable"][0])
    assert (wide["p"][0], wide["p_adjusted"][0]) >= (plain["p"][0], plain["p_adjusted"][0])


def test_people_needed_is_as_many_as_let_it_be_seen():
    models, users = equal_models(np.random.default_rng(9), 500, 2)
    row = compare_paired(models, "m0", users).row(0, named=True)
    needed = people_needed(0.05, row["detectable"], row["people"])
    more, codes = equal_models(np.random.default_rng(10), needed, 2)
    assert compare_paired(more, "m0", codes)["detectable"][0] == pytest.approx(0.05, rel=0.1)
    with pytest.raises(ParameterError, match="above 0"):
        people_needed(0, 0.1, 10)


def test_flipping_all_signs_equals_plain_python():
    rng = np.random.default_rng(11)
    for size in (1, 4, 9):
        sums = np.round(rng.normal(0.3, 1, size), 1)
        totals = [abs(sum(s * x for s, x in zip(signs, sums, strict=True))) for signs in itertools.product((-1, 1), repeat=size)]
        expected = np.mean([total >= abs(sums.sum()) - 1e-9 for total in totals])
        assert sign_flip(sums) == pytest.approx(expected)
    assert sign_flip(np.zeros(5)) == 1.0


def test_lower_is_better_turns_the_words():
    base = np.random.default_rng(0).random(200)
    table = compare_paired({"base": base, "less": base - 0.5}, "base", np.arange(200), lower_is_better=True)
    assert table["verdict"][0] == "better by 0.500 (0.500 to 0.500)"
    worse = compare_paired({"base": base, "less": base - 0.5}, "base", np.arange(200))
    assert worse["verdict"][0].startswith("worse by 0.500")


def test_degenerate_comparisons_are_words_and_not_errors():
    base = np.random.default_rng(0).random(50)
    table = compare_paired({"base": base, "same": base, "void": np.full(50, np.nan)}, "base", np.arange(50))
    assert table["verdict"].to_list() == ["the same on every query", "too few people to tell: 0 of the 20 that it takes"]
    assert table["p_adjusted"].is_null().all()
    assert compare_paired({"base": base}, "base", np.arange(50)).equals(table.clear())


def test_one_person_says_nothing_about_people():
    """20 queries of one person, all better by a tenth."""
    base = np.random.default_rng(0).random(20)
    row = compare_paired({"A": base + 0.1, "B": base}, "B", np.zeros(20, int)).row(0, named=True)
    assert row["verdict"] == "too few people to tell: 1 of the 20 that it takes"
    assert [row[name] for name in ("low", "high", "p", "p_adjusted", "detectable")] == [None] * 5


def test_few_people_and_few_hits_are_no_verdict_and_p_is_the_exact_one():
    three = compare_paired({"A": np.array([0.5, 0.6, 0.7]), "B": np.zeros(3)}, "B", np.arange(3)).row(0, named=True)
    assert three["verdict"] == "too few people to tell: 3 of the 20 that it takes"
    assert three["p"] >= 0.25
    hits = np.zeros(300)
    hits[:4] = 1
    four = compare_paired({"A": hits, "B": np.zeros(300)}, "B", np.arange(300)).row(0, named=True)
    assert four["verdict"] == "too few people differ to tell: 4 of the 10 that it takes"
    assert four["p"] >= 0.125
    hits[:10] = 1
    ten = compare_paired({"A": hits, "B": np.zeros(300)}, "B", np.arange(300)).row(0, named=True)
    assert ten["verdict"].startswith("better by 0.033")
    assert 0.001 < ten["p"] < 0.01


def test_a_difference_without_doubt_has_no_power_sentence():
    """People who all differ by the same: nothing is in doubt, and no difference of 0.000 or more would have been seen."""
    base = np.random.default_rng(1).random(30)
    row = compare_paired({"A": base + 0.1, "B": base}, "B", np.arange(30)).row(0, named=True)
    assert (row["detectable"], row["verdict"]) == (None, "better by 0.100 (0.100 to 0.100)")
    turns = np.where(np.arange(30) < 15, 0.1, -0.1)
    row = compare_paired({"A": base + turns, "B": base}, "B", np.arange(30)).row(0, named=True)
    assert row["verdict"].startswith("no measurable difference; a difference of 0.0")


def test_wrong_input_is_named():
    values, users = np.zeros(3), np.arange(3)
    with pytest.raises(UnknownNameError, match="Did you mean 'Popularity'"):
        compare_paired({"Popularity": values}, "popularity", users)
    with pytest.raises(ParameterError, match="'draws'"):
        bootstrap_interval(values, users, bootstrap=Bootstrap(draws=0))
    with pytest.raises(ParameterError, match=r"must be 99 or more at a confidence of 0\.99"):
        Bootstrap(draws=98, confidence=0.99)
    with pytest.raises(ParameterError, match="'confidence'"):
        bootstrap_interval(values, users, bootstrap=Bootstrap(confidence=95))
    with pytest.raises(ParameterError, match="3 values and 2 users"):
        bootstrap_interval(values, users[:2])


def test_the_former_names_work_for_one_more_release_and_say_what_to_write():
    users = np.arange(300)
    values = np.random.default_rng(0).random(300)
    wanted = bootstrap_interval(values, users, Bootstrap(draws=50, seed=3, confidence=0.8))
    with pytest.warns(FutureWarning, match=r"bootstrap_interval\(bootstrap=Bootstrap\(draws=50, seed=3, confidence=0\.8\)\)"):
        assert bootstrap_interval(values, users, draws=50, seed=3, confidence=0.8) == wanted
    columns = {"a": values, "b": values**2}
    with pytest.warns(FutureWarning, match="compare_paired"):
        table = compare_paired(columns, "a", users, draws=50)
    assert table.equals(compare_paired(columns, "a", users, bootstrap=Bootstrap(draws=50)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'drawz'"):
        bootstrap_interval(values, users, drawz=50)
