"""A diagnosis is right about data whose truth is planted."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.base.printing import as_text
from vitrina.diagnose.advice import advice
from vitrina.diagnose.design import PLAIN, design
from vitrina.diagnose.findings import (
    CONTENT,
    FADING,
    LENGTH,
    NEAR,
    ORDER,
    POPULARITY,
    REPEATS,
    TRENDS,
    Effect,
    Evidence,
    Finding,
    findings,
)
from vitrina.diagnose.run import Diagnosis, diagnose
from vitrina.testing import synthetic
from vitrina.testing.toy import BASE, HOUR
from vitrina.types import Events


def log(rows: list[tuple[int, int]]) -> vt.Dataset:
    """Events (user, item) in the order given, one an hour."""
    users, items = np.array(rows).T
    events = Events(items.astype(np.int32), BASE + HOUR * np.arange(len(rows), dtype=np.int64))
    names = (vt.Vocabulary.of(range(int(users.max()) + 1)), vt.Vocabulary.of(range(int(items.max()) + 1)))
    return vt.Dataset.of_codes(users, events, *names, time_unit="us", name="planted")


def chain(users: int = 400, items: int = 40, length: int = 8) -> vt.Dataset:
    """Item i is always followed by item i + 1, whoever it is: only the last event and its direction say anything."""
    rng = np.random.default_rng(0)
    start = rng.integers(0, items, users)
    return log([(u, int((start[u] + step) % items)) for step in range(length) for u in rng.permutation(users)])


def answers(found: Diagnosis) -> dict[str, str]:
    return {f.question: f.answer for f in found.findings}


@pytest.fixture(scope="module")
def chained() -> Diagnosis:
    return diagnose(chain().split(vt.split.LeaveOneOut(repeat=False)))


def test_order_is_seen_where_it_is_planted(chained: Diagnosis) -> None:
    found = answers(chained)
    assert found[ORDER] == "yes"
    assert found[FADING] == "yes"
    assert found[LENGTH] == "yes"
    assert "sequence model" in chained.advice


def test_order_is_not_seen_where_histories_are_sets() -> None:
    rng = np.random.default_rng(1)
    people = [(u, u % 5 + 5 * int(i)) for u in range(300) for i in rng.choice(12, 8, replace=False)]
    shuffled = [people[p] for p in rng.permutation(len(people))]
    found = answers(diagnose(log(shuffled).split(vt.split.LeaveOneOut(repeat=False))))
    assert found[ORDER] != "yes"
    assert found[FADING] != "yes"


def test_repeats_are_seen() -> None:
    rng = np.random.default_rng(2)
    favourites = rng.integers(0, 60, (200, 3))
    found = diagnose(log([(u, int(favourites[u, rng.integers(3)])) for _ in range(10) for u in rng.permutation(200)]))
    assert answers(found)[REPEATS] == "yes"
    assert "TopPersonal" in found.advice


def test_trends_are_seen_where_fashion_changes() -> None:
    rng = np.random.default_rng(3)
    rows = [(int(u), int(10 * (week // 3) + rng.integers(10))) for week in range(24) for u in rng.permutation(200)]
    assert answers(diagnose(log(rows).split(vt.split.GlobalTime(quantile=0.9))))[TRENDS] == "yes"


def test_questions_that_the_data_cannot_answer_are_not_asked() -> None:
    data = synthetic(users=100, items=30, text=False)
    data = replace(data, events=replace(data.events, times=None), time_unit=None)
    found = diagnose(data)
    assert CONTENT not in answers(found)
    assert "recent" not in " ".join(found.variants["variant"])
    assert {POPULARITY, ORDER, LENGTH} <= set(answers(found))


def test_the_test_part_is_never_asked() -> None:
    split = synthetic(users=100, items=30).split(vt.split.LeaveOneOut())
    blind = replace(split, truth=vt.Ragged.empty(len(split.truth)))
    assert diagnose(split).variants.drop("seconds").equals(diagnose(blind).variants.drop("seconds"))


def test_every_variant_is_held_against_one_that_is_fitted() -> None:
    variants = design(synthetic(users=50, items=20).split(vt.split.LeaveOneOut()))
    names = [v.name for v in variants]
    assert len(set(names)) == len(names)
    assert all(v.against in names for v in variants if v.name != PLAIN)


def test_an_effect_is_the_difference_of_its_variants(chained: Diagnosis) -> None:
    values = dict(chained.variants.select("variant", "value").iter_rows())
    for effect in chained.effects:
        assert effect.difference == pytest.approx(values[effect.variant] - values[effect.against], abs=1e-12)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_every_finding_and_nothing_from_outside(chained: Diagnosis) -> None:
    html = chained.html()
    page = _Page()
    page.feed(html)
    assert all(f.question in page.text and f.meaning in page.text for f in chained.findings)
    assert "src=" not in html
    assert "nan" not in page.text.lower().split()


def effect(variant: str, low: float, high: float, p: float) -> Effect:
    return Effect(variant, PLAIN, "length", 0.5 + (low + high) / 2, (low + high) / 2, low, high, p, 0.04)


def test_the_shortest_history_that_is_not_surely_worse_is_named() -> None:
    effects = (
        effect("the last event only", -0.15, -0.08, 1e-6),
        effect("last 5", -0.055, 0.004, 0.2),
        effect("last 10", -0.011, 0.006, 1.0),
    )
    (found, _) = findings(Evidence(effects, {PLAIN: 0.5}, "nDCG@10", 0.0, 16))
    assert found.answer == "unclear"
    assert "last 5 events" in found.meaning
    (found, _) = findings(Evidence(effects[:1], {PLAIN: 0.5}, "nDCG@10", 0.0, 16))
    assert found.answer == "no"


def test_interval_p_and_power_of_an_effect_say_the_same(chained: Diagnosis) -> None:
    seen = set()
    for found in (chained, diagnose(synthetic(users=150, items=40))):
        effects = [e for e in found.effects if np.isfinite(e.detectable)]
        for e in effects:
            assert e.sure == (e.low > 0 or e.high < 0)
            assert ("no measurable" in e.words) == (not e.sure)
            assert e.sure or abs(e.difference) < e.detectable
            seen.add(e.sure)
        errors_to_see = {round(e.detectable / (e.high - e.low), 6) for e in effects}  # (c + z(0.8)) / 2c, with one c for all
        assert len(errors_to_see) == 1
    assert seen == {True, False}


def test_a_query_that_says_nothing_is_no_zero() -> None:
    split = synthetic(users=150, items=40).split(vt.split.GlobalTime(days=20, repeat=True))
    found = diagnose(split, metric="repeat nDCG@10")
    table = {row["variant"]: row for row in found.variants.iter_rows(named=True)}
    part = split.train.holdout()
    lists = vt.Cooccurrence().fit(part.train).recommend(part.queries, 10, eligible=part.eligible)
    judged = vt.evaluate.evaluate(lists, part, ["repeat nDCG@10"], intervals=False)
    assert judged.per_query["repeat nDCG@10"].null_count()
    assert table[PLAIN]["value"] == pytest.approx(judged["repeat nDCG@10"])
    for e in found.effects:
        assert e.value == pytest.approx(table[e.variant]["value"])
        assert e.difference == pytest.approx(e.value - table[e.against]["value"])


def test_a_metric_that_says_nothing_of_anybody_is_refused() -> None:
    with pytest.raises(DataError, match="says nothing of any"):
        diagnose(chain().split(vt.split.LeaveOneOut(repeat=False)), metric="repeat nDCG@10")


def test_where_few_people_differ_nothing_is_claimed() -> None:
    one = replace(
        effect("last 5", np.nan, np.nan, np.nan), difference=0.01, verdict="too few people differ to tell: 3 of the 10 that it takes"
    )
    assert one.words == one.verdict
    assert not one.sure
    found = diagnose(synthetic(users=12, items=10))
    assert {f.answer for f in found.findings if f.effects} <= {"unclear", "yes"}  # whether people repeat is counted
    assert "nan" not in str(found)


def test_a_diagnosis_prints_its_findings(chained: Diagnosis) -> None:
    assert str(chained).count("\n") > 20
    assert "Diagnosis(" not in str(chained)


def test_the_advice_does_not_call_a_history_a_set_where_near_events_belong_together() -> None:
    assert "set" in advice(())
    assert "set" not in advice((Finding(NEAR, "yes", "", "", ()),))


def test_what_an_interval_with_zero_leaves_open_is_unclear_and_not_no() -> None:
    asked = {
        "popularity": "popularity^0.5 divided out",
        "order": "only j after i",
        "gap": "near",
        "fading": "fade",
        "content": "with descriptions",
    }
    open_ = [replace(effect(variant, -0.02, 0.03, 0.6), question=question) for question, variant in asked.items()]
    open_[0] = replace(open_[0], against="popularity^0 divided out")
    open_ += [
        replace(effect(v, -0.02, 0.03, 0.6), question="trends")
        for v in ("popularity, last 7 days", "co-occurrence in the later half of the log")
    ]
    open_ += [effect("last 5", -0.02, 0.03, 0.6)]
    values = {PLAIN: 0.5}
    found = {f.question: f for f in findings(Evidence(tuple(open_), values, "nDCG@10", 0.0, 16))}
    for question in (POPULARITY, TRENDS, ORDER, NEAR, LENGTH, FADING, CONTENT):
        assert found[question].answer == "unclear", question
        assert "can't" in found[question].meaning or "No trend can be told" in found[question].meaning
    said = advice(tuple(found.values()))
    assert "unclear" in said
    assert "counts as a set" not in said
    # old popularity is surely better, but whether the old half of the log informs is open
    mixed = [replace(open_[5], low=-0.05, high=-0.02, difference=-0.03, p=0.001), open_[6], effect("last 5", -0.02, 0.03, 0.6)]
    assert {f.question: f.answer for f in findings(Evidence(tuple(mixed), values, "nDCG@10", 0.0, 16))}[TRENDS] == "unclear"


def test_repeats_are_a_matter_of_how_many_there_are() -> None:
    own = replace(effect("the person's own favourites", -0.02, 0.03, 0.6), question="repeats")
    for share, answer in ((0.4, "yes"), (0.001, "no")):
        found = {f.question: f for f in findings(Evidence((own,), {PLAIN: 0.5}, "nDCG@10", share, 16))}
        assert found[REPEATS].answer == answer
    assert "holds against" not in found[REPEATS].meaning


def test_a_diagnosis_is_readable_in_a_narrow_terminal(chained: Diagnosis) -> None:
    for width in (40, 60, 120):
        text = as_text(chained, width)
        assert max(map(len, text.splitlines())) <= width
        for number in ("95%", f"{chained.queries:,}"):
            assert number in text
