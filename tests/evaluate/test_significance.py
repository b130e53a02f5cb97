"""Differences between models: one correction for interval, p and power; each against an independent computation."""

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.stats import studentized_range, ttest_1samp

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.power import people_needed
from vitrina.evaluate.bootstrap import Bootstrap, Buckets, drawn
from vitrina.evaluate.correction import sign_flip
from vitrina.evaluate.interval import mean_interval
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.significance import best_of, compare_paired, compare_pairs, compare_with_best


def clustered(rng, users, spread=1.0):
    """Queries of people who differ: 1 to 8 queries each, whose values share a part of the person; true mean 0 over persons of equal weight."""
    lengths = rng.integers(1, 9, users)
    codes = np.repeat(np.arange(users), lengths)
    return np.repeat(rng.normal(0, spread, users), lengths) + rng.normal(0, 0.5, len(codes)), codes


def test_draws_have_the_covariance_of_people():
    rng = np.random.default_rng(4)
    values, users = clustered(rng, 300)
    other = values + rng.normal(0, 1, len(values))
    parts = Buckets.of([values, other, other - values], users).jackknife().parts
    sums = drawn(parts, Bootstrap(draws=200_000, seed=3))
    np.testing.assert_allclose(np.cov(sums.T), parts.T @ parts, rtol=0.02, atol=2e-5)
    np.testing.assert_allclose(sums[:, 1] - sums[:, 0], sums[:, 2], atol=1e-3 * sums.std())
    np.testing.assert_array_equal(sums, drawn(parts, Bootstrap(draws=200_000, seed=3)))


def paired(shift, users=400, seed=0):
    rng = np.random.default_rng(seed)
    base, codes = clustered(rng, users)
    return compare_paired({"base": base, "other": base + shift + rng.normal(0, 0.2, len(base))}, "base", codes).row(0, named=True)


def test_paired_interval_is_far_narrower_than_two_separate_ones():
    row = paired(0.05)
    values, users = clustered(np.random.default_rng(0), 400)
    alone = np.diff(mean_interval(values, users))[0]
    assert row["high"] - row["low"] < alone / 3
    assert row["low"] < 0.05 < row["high"]
    assert row["p"] < 1e-4
    assert row["verdict"].startswith("better by 0.0")


def test_the_verdict_says_which_difference_would_have_been_seen():
    row = paired(0.0)
    assert row["low"] < 0 < row["high"]
    assert row["p_adjusted"] > 0.05
    assert row["verdict"] == f"no measurable difference; a difference of {row['detectable']:.3f} or more would have been seen"


def test_a_detectable_difference_is_seen_four_times_of_five():
    detectable = paired(0.0)["detectable"]
    seen = [paired(detectable, seed=s)["p_adjusted"] < 0.05 for s in range(1, 41)]
    assert 0.67 <= np.mean(seen) <= 0.93


def test_no_difference_is_called_one_at_most_once_in_twenty():
    called = [paired(0.0, users=150, seed=s)["p"] < 0.05 for s in range(100)]
    assert 0 < np.mean(called) <= 0.05 + 2 * 0.022


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
        tukey = studentized_range.ppf(0.95, 7, 150) / 2**0.5  # Dunnett's is 2.6 for six
        assert reach == pytest.approx(tukey if chosen else 2.6, abs=0.06)


def test_one_comparison_of_one_query_each_is_students_t():
    rng = np.random.default_rng(12)
    base = rng.random(60)
    other = base + rng.choice([-0.1, 0.1], 60, p=[0.35, 0.65])  # of one size, so that G - 1 degrees of freedom are left
    row = compare_paired({"base": base, "other": other}, "base", np.arange(60)).row(0, named=True)
    found = ttest_1samp(other - base, 0)
    ends = found.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), rel=0.02)
    assert row["p"] == row["p_adjusted"] == pytest.approx(found.pvalue, rel=0.2)


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
        everything.filter(against="m0").sort("model")["low"], chosen.sort("model")["low"], rtol=1e-3
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
    assert three["low"] is None
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
        Bootstrap(draws=0)
    with pytest.raises(ParameterError, match=r"must be 99 or more at a confidence of 0\.99"):
        Bootstrap(draws=98, confidence=0.99)
    with pytest.raises(ParameterError, match="'confidence'"):
        mean_interval(values, users, confidence=95)
    with pytest.raises(ParameterError, match="3 values and 2 users"):
        mean_interval(values, users[:2])


def test_the_former_names_work_for_one_more_release_and_say_what_to_write():
    users = np.arange(300)
    values = np.random.default_rng(0).random(300)
    columns = {"a": values, "b": values**2}
    with pytest.warns(FutureWarning, match=r"compare_paired\(bootstrap=Bootstrap\(draws=50, seed=3, confidence=0\.8\)\)"):
        table = compare_paired(columns, "a", users, draws=50, seed=3, confidence=0.8)
    assert table.equals(compare_paired(columns, "a", users, bootstrap=Bootstrap(draws=50, seed=3, confidence=0.8)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'drawz'"):
        compare_paired(columns, "a", users, drawz=50)


def grouped(rng, people, ahead):
    """Three models that are equal but for the people of Riga, to whom m1 gives `ahead` more."""
    models, users = equal_models(rng, people, 3)
    city = np.array(["Riga", "Oslo", "Rome"])[users % 3]
    models["m1"] = models["m1"] + np.where(city == "Riga", ahead, 0)
    return models, users, {"city": pl.Series(city), "odd": pl.Series(np.where(users % 2 == 0, "no", "yes"))}


def test_leads_within_groups_are_paired_and_corrected_for_all_groups_and_models():
    models, users, labels = grouped(np.random.default_rng(13), 600, 0.5)
    table = leads_within(models, labels, users)
    assert table.group_by("slice", "group").len()["len"].to_list() == [2] * 5
    sure = table.filter(pl.col("p_adjusted") <= 0.05)
    assert set(sure.filter(slice="city")["group"]) == {"Riga"}
    assert set(sure.filter(slice="city")["leader"]) == {"m1"}
    riga = np.array(labels["city"]) == "Riga"
    alone = compare_with_best({m: v[riga] for m, v in models.items()}, users[riga]).sort("model")
    row = table.filter(slice="city", group="Riga").sort("model")
    np.testing.assert_allclose(row["difference"], -alone["difference"], rtol=1e-9)
    assert ((row["high"] - row["low"]) > (alone["high"] - alone["low"])).all(), "it pays for the other groups"
    assert (row["people"].unique().to_list(), row["queries"].unique().to_list()) == ([200], [int(riga.sum())])
    turned = leads_within({m: -v for m, v in models.items()}, labels, users, lower_is_better=True)
    np.testing.assert_allclose(turned["difference"], -table["difference"], rtol=1e-9)


def test_what_says_nothing_in_a_group_is_not_in_it():
    models, users, labels = grouped(np.random.default_rng(14), 300, 0.5)
    riga = np.array(labels["city"]) == "Riga"
    models["m0"] = np.where(riga, np.nan, models["m0"])
    table = leads_within(models, {"city": labels["city"]}, users)
    assert table.filter(group="Riga").select("leader", "model").rows() == [("m1", "m2")]
    assert table.filter(group="Oslo").height == 2
    few = leads_within(models, {"few": pl.Series([f"g{u // 5}" for u in users])}, users)
    assert few.columns == table.columns
    assert few["p_adjusted"].is_null().all(), "five people are no group to speak of"


def test_equal_models_are_rarely_told_apart_however_one_chooses():
    """100 worlds of 6 equal models and 80 people with 1 to 8 queries: the standard deviation of 5% is 2.2 points. More in benchmarks."""
    rng = np.random.default_rng(15)
    called = np.zeros(3)
    for _ in range(100):
        models, users = equal_models(rng, 80, 6)
        table = compare_pairs(models, list(itertools.combinations(models, 2)), users, bootstrap=FEW)
        sure = table.filter(pl.col("p_adjusted") <= 0.05)
        best, least = best_of(models), best_of(models, lower_is_better=True)
        of = [{best}, {least}, set(models)]
        called += [(sure["model"].is_in(list(some)) | sure["against"].is_in(list(some))).any() for some in of]
    assert (called / 100 <= 0.05 + 2 * 0.022).all()


FEW = Bootstrap(draws=199)
