from dataclasses import replace

import polars as pl

from vitrina.board.asked import Asked
from vitrina.board.assemble import COMPARISON, FOLDS
from vitrina.board.leads import Loss
from vitrina.board.result import Entry
from vitrina.board.summary import Findings, headline

MATTERS = 0.02


def row(model, difference, half, verdict, detectable=0.02, people=900, differ=400, helped=0.3, harmed=0.05, worst=-0.1):
    """One comparison; the verdict's first word, or what it says where it is no verdict."""
    known = verdict != "too few"
    said = {
        "no": "no measurable difference",
        "about": f"about equal: within {MATTERS}",
        "too few": "too few people to tell",
        "same": "the same on every query",
    }
    return {
        "model": model, "metric": "nDCG@10", "baseline": "b", "difference": difference, "low": difference - half if known else None,
        "high": difference + half if known else None, "p": 0.01, "p_adjusted": 0.01 if known else None, "detectable": detectable if known else None,
        "people": people, "differ": differ, "helped": helped, "harmed": harmed, "worst": worst,
        "verdict": said.get(verdict, f"{verdict} by {abs(difference)}"),
    }  # fmt: skip


def rows(*found):
    return pl.DataFrame(list(found), schema=COMPARISON)


def say(entries, values, against_base, against_winner, *, baseline="Popularity", by_person=None, hits=300, **more):
    numbers = {
        n: {"value": v, "low": v - 0.01, "high": v + 0.01, "people": 900, "hits": hits, "by_person": (by_person or values)[n]}
        for n, v in values.items()
    }
    return headline(Findings("nDCG@10", baseline, entries, numbers, rows(*against_base), rows(*against_winner), **more))


def entries(**seconds):
    return [Entry(n, {"name": n}, fit_seconds=s, answer_seconds=0.0, baseline=n == "Popularity") for n, s in seconds.items()]


TWO = {"EASE": 0.30, "Popularity": 0.2}
AHEAD, BEHIND = row("EASE", 0.1, 0.02, "better"), row("Popularity", -0.1, 0.03, "worse")


def test_a_clear_winner():
    said = say(
        entries(EASE=2, KNN=2, Popularity=0.1), {"EASE": 0.30, "KNN": 0.25, "Popularity": 0.2},
        [AHEAD, row("KNN", 0.05, 0.02, "better")], [row("KNN", -0.05, 0.02, "worse"), BEHIND],
    )  # fmt: skip
    assert said == (
        "EASE has the best nDCG@10: 0.300 (0.290 to 0.310), 0.100 better than the baseline Popularity (0.080 to 0.120).",
        "Every other model is measurably behind it; the nearest, KNN, by 0.050 (0.030 to 0.070).",
        "Next: tune EASE on validation, and test it on a later fold.",
    )


def in_folds(**values):
    """Board.folds of models with a value in each of three months."""
    months = [("2024-01-01", "2024-01-31"), ("2024-02-01", "2024-02-29"), ("2024-03-01", "2024-03-31")]
    found = [(model, n, *months[n - 1], 300, v) for model, of_model in values.items() for n, v in enumerate(of_model, 1)]
    return pl.DataFrame(found, schema=FOLDS, orient="row")


def test_after_folds_nobody_is_told_to_try_a_later_one():
    def of(ease, trials):
        models = [replace(e, trials=trials) for e in entries(EASE=2, Popularity=0.1)]
        return say(models, TWO, [AHEAD], [BEHIND], folds=in_folds(EASE=ease, Popularity=(0.2, 0.2, 0.2)))

    first, last = of((0.3, 0.3, 0.3), 1)
    assert first.startswith("EASE has the best nDCG@10 over 3 folds: 0.300")
    assert last == "Next: tune EASE on validation."
    assert of((0.3, 0.3, 0.3), 20)[-1] == "Next: try EASE on a part of the people: it is first in all 3 folds."
    said = of((0.4, 0.1, 0.4), 20)
    assert said[1] == "EASE is first in 2 of 3 folds; Popularity in fold 2 (2024-02-01 to 2024-02-29)."
    assert said[-1] == "Next: find out why EASE isn't first in every fold, then try it on a part of the people."
    small = row("EASE", 0.1, 0.2, "no", 0.2)
    said = say(entries(EASE=2, Popularity=0.1), TWO, [small], [small], folds=in_folds(EASE=(0.3,) * 3, Popularity=(0.2,) * 3))
    assert said[-1] == "The test parts are too small to choose among them: take longer ones, or more folds, before deciding."


def test_a_tie_is_called_a_tie_and_the_cheaper_one_is_advised():
    said = say(
        entries(SASRec=600, EASE=2, Popularity=0.1), {"SASRec": 0.30, "EASE": 0.298, "Popularity": 0.2},
        [row("SASRec", 0.1, 0.02, "better"), row("EASE", 0.098, 0.02, "better")], [row("EASE", -0.002, 0.01, "no", 0.012), BEHIND],
    )  # fmt: skip
    assert said[1] == (
        "EASE can't be told from SASRec: a difference of 0.012 or more would probably have been seen; to see 0.010 would take about 1,300 "
        "people, and 900 were asked. Every other model is measurably behind."
    )
    assert said[2] == "Take EASE unless more data says otherwise: it costs 300 times less to fit and answer."


def test_what_is_within_the_smallest_difference_that_matters_is_about_equal():
    said = say(
        entries(SASRec=600, EASE=2, KNN=3, Popularity=0.1), {"SASRec": 0.30, "EASE": 0.298, "KNN": 0.29, "Popularity": 0.2},
        [row("SASRec", 0.1, 0.02, "better"), row("EASE", 0.098, 0.02, "better"), row("KNN", 0.09, 0.02, "better")],
        [row("EASE", -0.002, 0.01, "about"), row("KNN", -0.01, 0.02, "no", 0.03), BEHIND], matters=MATTERS,
    )  # fmt: skip
    assert said[1] == (
        "EASE is about equal to SASRec: within 0.020, the smallest difference that matters. KNN can't be told from SASRec: a difference of 0.030 or "
        "more would probably have been seen; to see 0.020 would take about 2,000 people, and 900 were asked. Every other model is measurably behind."
    )
    assert said[2].startswith("Take EASE unless")
    alone = say(
        entries(EASE=2, Popularity=0.1),
        TWO,
        [row("EASE", 0.001, 0.01, "about")],
        [row("Popularity", -0.001, 0.01, "about")],
        matters=MATTERS,
    )
    assert alone[0].endswith("about equal to the baseline Popularity: within 0.020, the smallest difference that matters.")


def test_no_model_is_said_to_beat_a_baseline_that_it_cannot_be_told_from():
    said = say(
        entries(EASE=0.2, Popularity=0.1), {"EASE": 0.204, "Popularity": 0.2},
        [row("EASE", 0.004, 0.01, "no", 0.015)], [row("Popularity", -0.004, 0.02, "no", 0.019)],
    )  # fmt: skip
    assert "better" not in said[0]
    assert "can't be told from the baseline Popularity" in said[0]
    assert said[1].startswith("A difference of 0.015 or more would probably have been seen; to see 0.010 would take about 2,000 people")
    assert said[2].startswith("Serve Popularity until a model beats it")


def test_the_baseline_is_behind_where_the_comparison_with_it_alone_says_so():
    said = say(entries(EASE=0.2, Popularity=0.1), TWO, [AHEAD], [row("Popularity", -0.1, 0.12, "no", 0.15)])
    assert "0.100 better than the baseline Popularity" in said[0]
    assert not any("can't be told" in s for s in said)


def test_where_the_baseline_leads_the_comparisons_with_it_are_told():
    """They are corrected for fewer than all pairs, and stand in the leaderboard."""
    said = say(
        entries(Popularity=0.1, EASE=1),
        {"Popularity": 0.3, "EASE": 0.2},
        [row("EASE", -0.1, 0.09, "worse")],
        [row("EASE", -0.1, 0.12, "no", 0.15)],
    )
    assert not any("can't be told" in s for s in said)


def test_a_small_test_part_asks_for_more_people():
    said = say(
        entries(EASE=0.2, Popularity=0.1), {"EASE": 0.204, "Popularity": 0.2},
        [row("EASE", 0.004, 0.1, "no", 0.2)], [row("Popularity", -0.004, 0.1, "no", 0.2)],
    )  # fmt: skip
    assert "too small" in said[-1]


def test_with_too_few_people_nothing_is_said_but_what_it_takes():
    pair = {"EASE": 0.5, "Popularity": 0.2}
    one = say(
        entries(EASE=2, Popularity=0.1), pair, [row("EASE", 0.3, 0, "too few", people=1)], [row("Popularity", -0.3, 0, "too few", people=1)]
    )
    assert one == (
        "Nothing can be said of which model is better: 1 person was asked, and a verdict takes 20, 10 of whom two models serve differently. So "
        "far, by nDCG@10: EASE 0.500, Popularity 0.200.",
        "Take a longer test part or several folds before deciding.",
    )
    alike = [row("Popularity", -0.3, 0, "too few", people=300, differ=4)]
    assert (
        "no model differs from the best one for more than 4 people, and a verdict takes 10"
        in say(entries(EASE=2, Popularity=0.1), pair, [], alike)[0]
    )


def test_models_with_the_same_values_have_no_winner():
    same = [row("Popularity", 0.0, 0, "same", differ=0)]
    models = [*entries(EASE=2, Popularity=0.1), Entry("SASRec", {}, "failed", "it broke")]
    said = say(models, {"EASE": 0.0, "Popularity": 0.0}, same, same)
    assert said == (
        "All 2 models have the same nDCG@10 on every query, 0.000: nothing can be said of which is better.",
        "SASRec did not come to an end; the reason is beside it. No list holds anything that was taken: look at what vitrina inspect says of the test "
        "part, or ask for longer lists.",
    )
    assert "Compare models that differ" in say(models, {"EASE": 0.4, "Popularity": 0.4}, same, same)[1]


def test_a_baseline_that_leads_is_a_baseline_that_leads():
    behind = [row("EASE", -0.1, 0.02, "worse")]
    said = say(entries(Popularity=0.1, EASE=1), {"Popularity": 0.3, "EASE": 0.2}, behind, behind)
    assert "no other model beats it" in said[0]
    assert said[-1].startswith("Serve Popularity, and let vitrina diagnose")
    alone = say(entries(Popularity=0.1), {"Popularity": 0.3}, [], [])
    assert alone[0] == "Popularity has the best nDCG@10: 0.300 (0.290 to 0.310)."


def test_what_speaks_against_a_lead_is_said():
    half, *rest = entries(EASE=2, Popularity=0.1)
    half = Entry("EASE", {}, answered=0.5, people_answered=0.812, fit_seconds=2, answer_seconds=0)
    said = say(
        [half, *rest], TWO, [row("EASE", 0.1, 0.02, "better", helped=0.41, harmed=0.22, worst=-0.153)], [BEHIND],
        by_person={"EASE": 0.19, "Popularity": 0.21}, asked=Asked(900, 4000, 0.48),
    )[-2]  # fmt: skip
    assert said == (
        "EASE answered 50% of the queries (81% of the people); a query without a list counts as a miss. Where each person counts once, however much they ask, "
        "Popularity has the best nDCG@10: 0.210, and EASE 0.190. One person asks 48% of the 4,000 queries. EASE is better than Popularity for 41% of "
        "the people and worse for 22%; the tenth who lose most lose 0.153 on average."
    )
    rare = say(entries(EASE=2, Popularity=0.1), TWO, [AHEAD], [BEHIND], hits=31)
    assert rare[1] == "With hits of 31 people the interval of EASE can't be trusted: it takes 50."
    quiet = say(entries(EASE=2, Popularity=0.1), TWO, [AHEAD], [BEHIND], asked=Asked(900, 4000, 0.01))
    assert len(quiet) == 2


def test_losses_and_failures_are_told():
    models = [*entries(EASE=1, Popularity=0.1), Entry("SASRec", {}, "out of memory", "killed")]
    losses = [Loss("history", "1 to 4", "Popularity", 0.03, 400), Loss("people", "known", "Popularity", 0.2, 2)]
    said = say(models, TWO, [AHEAD], [BEHIND], losses=losses)
    assert "In the slice history: 1 to 4 (400 queries) Popularity is ahead of it by 0.030." in said[-1]
    assert "SASRec did not come to an end" in said[-1]


def test_nothing_came_to_an_end():
    said = headline(Findings("nDCG@10", "", [Entry("A", {}, "failed", "It broke.")], {}, pl.DataFrame(), pl.DataFrame()))
    assert said == ("No model came to an end: A: It broke.",)
