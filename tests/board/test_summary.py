import numpy as np
import polars as pl
import pytest

from vitrina.board.assemble import COMPARISON
from vitrina.board.result import Entry
from vitrina.board.summary import Loss, find_losses, headline


def rows(*found):
    """model, difference, half width of the interval, p_adjusted, detectable."""
    table = [
        {
            "model": m,
            "metric": "nDCG@10",
            "baseline": "b",
            "difference": d,
            "low": d - w,
            "high": d + w,
            "p": p,
            "p_adjusted": p,
            "detectable": r,
            "verdict": "",
        }
        for m, d, w, p, r in found
    ]
    return pl.DataFrame(table, schema=COMPARISON)


def say(entries, values, against_base, against_winner, baseline="Popularity", losses=()):
    intervals = {n: (v, v - 0.01, v + 0.01) for n, v in values.items()}
    return headline("nDCG@10", baseline, entries, intervals, against_base, against_winner, losses)


def entries(**seconds):
    return [Entry(n, {"name": n}, fit_seconds=s, answer_seconds=0.0, baseline=n == "Popularity") for n, s in seconds.items()]


def test_a_clear_winner():
    said = say(
        entries(EASE=2, KNN=2, Popularity=0.1), {"EASE": 0.30, "KNN": 0.25, "Popularity": 0.2},
        rows(("EASE", 0.1, 0.02, 0.001, 0.02), ("KNN", 0.05, 0.02, 0.001, 0.02)),
        rows(("KNN", -0.05, 0.02, 0.001, 0.02), ("Popularity", -0.1, 0.02, 0.001, 0.02)),
    )  # fmt: skip
    assert said == (
        "EASE has the best nDCG@10: 0.300 (0.290 to 0.310), 0.100 better than the baseline Popularity (0.080 to 0.120).",
        "Every other model is measurably behind it; the nearest, KNN, by 0.050 (0.030 to 0.070).",
        "Next: tune EASE on validation, and test it on a later fold.",
    )


def test_a_tie_is_called_a_tie_and_the_cheaper_one_is_advised():
    said = say(
        entries(SASRec=600, EASE=2, Popularity=0.1), {"SASRec": 0.30, "EASE": 0.298, "Popularity": 0.2},
        rows(("SASRec", 0.1, 0.02, 0.001, 0.02), ("EASE", 0.098, 0.02, 0.001, 0.02)),
        rows(("EASE", -0.002, 0.01, 0.8, 0.012), ("Popularity", -0.1, 0.02, 0.001, 0.02)),
    )  # fmt: skip
    assert said[1] == "EASE can't be told from SASRec: a difference of 0.012 or more would probably have been seen."
    assert said[2] == "Take EASE unless more data says otherwise: it costs 300 times less to fit and answer."


def test_no_model_is_said_to_beat_a_baseline_that_it_cannot_be_told_from():
    tie = rows(("EASE", 0.004, 0.01, 0.3, 0.015))
    said = say(entries(EASE=0.2, Popularity=0.1), {"EASE": 0.204, "Popularity": 0.2}, tie, rows(("Popularity", -0.004, 0.01, 0.3, 0.015)))
    assert "better" not in said[0]
    assert "can't be told from the baseline Popularity" in said[0]
    assert said[1] == "A difference of 0.015 or more would probably have been seen."
    assert said[2].startswith("Serve Popularity until a model beats it")


def test_a_small_test_part_and_unknown_reach_ask_for_more_people():
    for reach in (0.2, float("nan")):
        wide = rows(("EASE", 0.004, 0.1, 0.9, reach))
        said = say(
            entries(EASE=0.2, Popularity=0.1), {"EASE": 0.204, "Popularity": 0.2}, wide, wide.with_columns(model=pl.lit("Popularity"))
        )
        assert "too small" in said[2]
    assert "too few people" in said[1].lower()


def test_a_baseline_that_leads_is_a_baseline_that_leads():
    said = say(
        entries(Popularity=0.1, EASE=1),
        {"Popularity": 0.3, "EASE": 0.2},
        rows(("EASE", -0.1, 0.02, 0.001, 0.02)),
        rows(("EASE", -0.1, 0.02, 0.001, 0.02)),
    )
    assert "no other model beats it" in said[0]
    assert said[2].startswith("Serve Popularity, and let vitrina diagnose")


def test_losses_and_failures_are_told():
    models = [*entries(EASE=1, Popularity=0.1), Entry("SASRec", {}, "out of memory", "killed")]
    better = rows(("EASE", 0.1, 0.02, 0.001, 0.02))
    worse = rows(("Popularity", -0.1, 0.02, 0.001, 0.02))
    losses = [Loss("history", "1 to 4", "Popularity", 0.03, 400), Loss("people", "known", "Popularity", 0.2, 2)]
    said = say(models, {"EASE": 0.3, "Popularity": 0.2}, better, worse, losses=losses)
    assert len(said) == 2
    assert "In the slice history: 1 to 4 (400 queries) Popularity is ahead of it by 0.030." in said[-1]
    assert "SASRec did not come to an end" in said[-1]


def test_nothing_came_to_an_end():
    said = headline("nDCG@10", "", [Entry("A", {}, "failed", "It broke.")], {}, pl.DataFrame(), pl.DataFrame())
    assert said == ("No model came to an end: A: It broke.",)


@pytest.mark.parametrize("lower", [False, True])
def test_a_loss_is_found_where_it_is_and_not_where_there_is_only_noise(lower):
    rng = np.random.default_rng(0)
    users = np.arange(2000)
    young = users < 600
    leader = rng.random(2000)
    other = leader + np.where(young, 0.2, -0.3) + 0.05 * rng.standard_normal(2000)
    same = leader + 0.3 * rng.standard_normal(2000)
    labels = {"age": pl.Series(np.where(young, "young", "old")), "coin": pl.Series(rng.choice(["a", "b", "c"], 2000))}
    columns = {"leader": leader, "other": other, "same": same}
    if lower:
        columns = {n: -v for n, v in columns.items()}
    (loss,) = find_losses(columns, "leader", labels, users, lower_is_better=lower)
    assert (loss.slice, loss.group, loss.model, loss.queries) == ("age", "young", "other", 600)
    assert loss.difference == pytest.approx(0.2, abs=0.01)
