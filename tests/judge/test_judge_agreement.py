"""Agreement against scikit-learn, published tables and plain counting; intervals against simulation; decisions by their lower end."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau
from scripted_judges import Scripted
from sklearn.metrics import cohen_kappa_score

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.judge import Comparisons, Estimate, Gold, Judge, Judgements, Scale, calibrate, cohen_kappa, gwet_ac, probe, system_order
from vitrina.judge.agreement import MEASURES, agreement, counts_by
from vitrina.judge.decision import decided

SCALE = Scale(grades=("no", "partly", "yes"))
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]  # Gwet 2014, the data set of R's irrCAC


def labels(seed=0, queries=40, per_query=6, noise=0.3, raters=1):
    """Gold labels and a judge's, whose errors go with the query."""
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), per_query)
    truth = rng.integers(0, 3, len(query))
    bad = rng.random(queries)[query] * 2 * noise

    def noisy(share):
        return np.where(rng.random(len(query)) < share, rng.integers(0, 3, len(query)), truth)

    base = {"query": [f"q{q}" for q in query], "item": [f"i{n}" for n in range(len(query))]}
    people = [pl.DataFrame(base | {"rater": f"r{r}", "label": noisy(0.2 if raters > 1 else 0)}) for r in range(raters)]
    judge = pl.DataFrame(base | {"label": noisy(bad)})
    return pl.concat(people), judge


def test_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 4, (2, 300))
    other = np.where(rng.random(300) < 0.6, one, other)
    counts = counts_by(one, other, pl.Series(np.arange(300) % 17), 4).sum(0).reshape(4, 4)
    for ours, theirs in (("equal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        assert cohen_kappa(counts, ours) == pytest.approx(cohen_kappa_score(one, other, weights=theirs), abs=1e-12)


def test_published_coefficients():
    assert cohen_kappa(ABSTRACTORS) == pytest.approx(0.7964094, abs=1e-7)
    assert gwet_ac(ABSTRACTORS) == pytest.approx(0.8493305, abs=1e-7)
    n = Fraction(100)
    mean = [Fraction(13) / n, Fraction(51, 2) / n, Fraction(123, 2) / n]
    seen = (13 + 20 + 56 + Fraction(3, 4) * 11) / n  # labels one grade apart agree by 1 - 1/4
    chance = Fraction(6, 6) * sum(q * (1 - q) for q in mean)
    assert gwet_ac(ABSTRACTORS, "quadratic") == pytest.approx(float((seen - chance) / (1 - chance)), abs=1e-12)
    with pytest.raises(UnknownNameError, match="quadratic"):
        cohen_kappa(ABSTRACTORS, "cubic")


@pytest.mark.parametrize("measure", ["kappa_quadratic", "AC2_quadratic", "accuracy"])
def test_intervals_hold_the_truth(measure):
    people, judge = labels(99, queries=40_000)
    both = people.join(judge, on=["query", "item"], suffix="_judge")
    counts = counts_by(both["label"].to_numpy(), both["label_judge"].to_numpy(), both["query"], 3)
    truth = float(MEASURES[measure](counts.sum(0).reshape(3, 3)))
    found = [agreement(measure, counts[at : at + 30]) for at in range(0, 30 * 1300, 30)]
    held = np.mean([f.low <= truth <= f.high for f in found])
    assert 0.935 <= held <= 0.97  # two standard errors of 1,300 worlds are .012


def test_the_jackknife_leaves_out_queries():
    people, judge = labels(3, queries=12)
    both = people.join(judge, on=["query", "item"], suffix="_judge")
    found = calibrate(Judgements.of_labels(judge, SCALE, "noisy"), Gold.of(people, SCALE)).estimate("kappa_quadratic")

    def kappa(rows):
        return cohen_kappa_score(rows["label"], rows["label_judge"], weights="quadratic")

    left = np.array([kappa(both.filter(pl.col("query") != q)) for q in both["query"].unique()])
    assert found.value == pytest.approx(kappa(both))
    assert found.error == pytest.approx(np.sqrt(11 / 12 * ((left - kappa(both)) ** 2).sum()))


def test_full_agreement_still_has_doubt():
    found = agreement("kappa", counts_by(np.arange(60) % 3, np.arange(60) % 3, pl.Series(np.arange(60) // 3), 3))
    assert (found.value, found.high) == (1, 1)
    assert 0.6 < found.low < 0.85
    alone = agreement("kappa", counts_by(np.zeros(60, int), np.zeros(60, int), pl.Series(np.arange(60) // 3), 3))
    assert np.isnan(alone.value)  # nobody ever says another grade: chance alone would agree


def test_people_beside_the_judge():
    people, judge = labels(5, raters=3)
    told = calibrate(Judgements.of_labels(judge, SCALE, "noisy"), people)
    wide = people.pivot(on="rater", index=["query", "item"], values="label").join(judge, on=["query", "item"])
    for rater in ("r0", "r1", "r2"):
        assert told.estimate("kappa", f"judge and {rater}").value == pytest.approx(cohen_kappa_score(wide[rater], wide["label"]))
    pairs = [("r0", "r1"), ("r0", "r2"), ("r1", "r2")]
    among = np.mean([(wide[a] == wide[b]).mean() for a, b in pairs])
    ours = np.mean([(wide[a] == wide["label"]).mean() for a in ("r0", "r1", "r2")])
    assert told.estimate("accuracy", "people among themselves").value == pytest.approx(among)
    assert told.estimate("accuracy", "judge minus people").value == pytest.approx(ours - among)
    assert set(told.tables) == {"agreement", "confusion", "by_grade", "biases", "systems"}
    assert told.confusion["labels"].sum() == 3 * 240
    assert "kappa_quadratic" in str(told)


def test_a_judge_is_refused_until_its_lower_end_is_enough():
    people, judge = labels(7)
    told = calibrate(Judgements.of_labels(judge, SCALE, "noisy"), people)
    seen = told.estimate()
    assert told.decide(at_least=seen.low - 0.01)
    near = told.decide(at_least=(seen.low + seen.value) / 2)
    assert near.verdict == "undecided"
    assert not near
    assert f"About {near.more_labels:,} more labels" in near.sentence
    assert told.decide(at_least=seen.high + 0.01).verdict == "refused"
    with pytest.raises(ParameterError, match="either 'at_least' or 'below_people'"):
        told.decide()
    few = calibrate(Judgements.of_labels(judge, SCALE, "noisy"), people.head(60))
    assert few.decide(at_least=-0.9).verdict == "undecided"  # ten queries decide nothing
    assert "10 queries are few" in few.notes[-1]


def test_as_many_labels_as_are_asked_for_settle_it_in_four_cases_of_five():
    people, judge = labels(99, queries=20_000)
    both = people.join(judge, on=["query", "item"], suffix="_judge")
    counts = counts_by(both["label"].to_numpy(), both["label_judge"].to_numpy(), both["query"], 3)
    whole = agreement("kappa_quadratic", counts)
    error = np.mean([agreement("kappa_quadratic", counts[at : at + 40]).error for at in range(0, 4000, 40)])
    seen = Estimate(whole.value, whole.value - 0.2, whole.value + 0.2, float(error), 30, 40, 240)
    queries = 40 + decided("kappa", whole.value - 0.1, seen).more_labels // 6
    found = [agreement("kappa_quadratic", counts[at : at + queries]) for at in range(0, len(counts) - queries, queries)]
    assert len(found) > 100
    assert 0.72 < np.mean([f.low >= whole.value - 0.1 for f in found]) < 0.88


def test_biases_are_seen_where_they_are_and_not_where_they_are_not():
    people, _ = labels(11, queries=60)
    rng = np.random.default_rng(0)
    length = rng.integers(3, 400, len(people))
    fair = people.select("query", "item", label="label").with_columns(text=pl.Series(["x" * n for n in length]))
    unfair = fair.with_columns(label=pl.Series(np.clip(fair["label"].to_numpy() + (length > 150), 0, 2)))
    written = unfair.with_columns(writer=pl.Series(np.where(length > 150, "noisy", "people")))
    verdicts = {
        name: calibrate(Judgements.of_labels(t, SCALE, "noisy"), people).biases for name, t in (("fair", fair), ("unfair", written))
    }
    assert verdicts["fair"].select("name", "verdict").rows() == [("length", "none seen")]
    assert verdicts["unfair"].select("name", "verdict").rows() == [("length", "biased"), ("own style", "biased")]
    mine = np.abs(written["label"].to_numpy() - people["label"].to_numpy())
    gap = mine[length > 150].mean() - mine[length <= 150].mean()
    assert verdicts["unfair"]["value"][1] == pytest.approx(gap)


def test_probes_and_order():
    items = pl.DataFrame({"query": [f"q{n}" for n in range(30)], "item": "a", "text": "red lamp"})
    longer = Judge(criteria="c", scale=SCALE, model=Scripted(lambda p, _: {"label": int(len(p["item"]) > 10)}))
    assert probe(longer, items, "repetition").verdict == "biased"
    assert probe(longer, items, "repetition").estimate.value == 1
    fair = Judge(criteria="c", scale=SCALE, model=Scripted(lambda p, _: {"label": 1}))
    assert probe(fair, items, "keywords").verdict == "none seen"
    pairs = items.select("query", item_a="item", item_b=pl.lit("b"), text_a="text", text_b=pl.lit("lamp"))
    first = Judge(criteria="c", scale=SCALE, model=Scripted(lambda p, _: {"winner": "first"})).compare(pairs, progress=False)
    assert isinstance(first, Comparisons)
    told = calibrate(
        Judgements.of_labels(items.with_columns(label=1), SCALE, "x"), items.select("query", "item", label=1), comparisons=first
    )
    assert told.biases.filter(pl.col("name") == "order")["value"].item() == 1


def test_the_order_of_systems_is_kendalls_tau():
    rng = np.random.default_rng(2)
    people = rng.random((50, 6)) + np.arange(6) * 0.05
    judge = people + rng.normal(0, 0.3, (50, 6))
    rows = [(f"s{s}", q, people[q, s], judge[q, s]) for q in range(50) for s in range(6)]
    values = pl.DataFrame(rows, schema=["system", "query", "people", "judge"], orient="row")
    found = system_order(values)
    assert found.value == pytest.approx(kendalltau(people.mean(0), judge.mean(0)).statistic)
    assert found.low <= found.value <= found.high
    assert system_order(values, Bootstrap(draws=1000)) == found
    with pytest.raises(DataError, match="one value per query"):
        system_order(values[1:])


def test_what_is_wrong_with_a_gold_set_is_told():
    people, judge = labels(1)
    with pytest.raises(DataError, match="labels an item of a query once"):
        Gold.of(pl.concat([people, people]), SCALE)
    with pytest.raises(DataError, match=r"on the scale 0 to 2\. Got 7"):
        Gold.of(people.with_columns(label=pl.lit(7)), SCALE)
    with pytest.raises(DataError, match="No item of the gold set"):
        calibrate(Judgements.of_labels(judge, SCALE, "x"), people.with_columns(query=pl.lit("other")))
