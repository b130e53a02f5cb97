"""Experiments that run, drawn."""

from __future__ import annotations

from vitrina.base.printing import between, decimals, half_width
from vitrina.report.charts import Dot, interval
from vitrina.report.html import Column, Html, el, join, name, section, sentence, table
from vitrina.report.scales import spanning
from vitrina.report.words import count, fixed, listed, percent, plural, signed
from vitrina.service.console.asked import Asked, Page
from vitrina.service.console.frame import unsaid
from vitrina.service.console.trials import DAYS, Compared, Running, Seen
from vitrina.service.console.words import age, when
from vitrina.service.settings import DEFAULT

CLASSES = {"better": "better", "worse": "worse", "holds": "better", "broken": "worse"}
WORDS = {"pass": "as planned", "warn": "doubtful", "refuse": "broken", "too early": "too early"}
MARKS = {"pass": "better", "warn": "unsure", "refuse": "worse", "too early": "unsure"}


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    if not seen.running:
        own = next((key for key, one in asked.service.settings.scenarios.items() if one.tenant == asked.tenant.name), DEFAULT)
        hint = (
            el("p", "One is begun in the file of the service, beside its scenarios:"),
            el("pre", el("code", example(own))),
            el("p", "How many people and days it takes: vitrina experiment plan.", class_="sub"),
        )  # fmt: skip
        return Page("Experiments", ["No experiment runs."], [section("none", "How to begin one", *hint)])
    answer = [_first(one) for one in seen.running]
    return Page("Experiments", answer[:3], [_one(one) for one in seen.running], [f"computed {age(seen.at)} ago"])


def example(scenario: str) -> str:
    """What begins an experiment in a scenario (by the key that the file of the service has for it), as that file says it."""
    table = '[experiments.new-model]\nscenario = "{}"\narms = {{old = 0.5, new = 0.5}}      # the first one is the control\nserves.new = {{artifact = "models/new"}}'
    return table.format(scenario)


def _first(one: Running) -> str:
    """What is known by now, in a sentence."""
    if one.verdict == "refuse":
        return f"{one.name}: the arms aren’t as large as they were planned, so nothing it shows can be believed."
    decided = [row for row in one.compared if row.verdict in CLASSES]
    if not decided:
        early = not one.compared or all(row.verdict == "too early" for row in one.compared)
        people = plural(sum(one.units.values()), one.unit)
        return (
            f"{one.name}: too early to say anything, with {people} so far."
            if early
            else f"{one.name}: not decided yet, with {people} so far."
        )
    said = listed([f"{row.arm} is {row.verdict} in {row.metric}" for row in decided])
    return f"{one.name}: {said}."


def _one(one: Running) -> Html:
    key = f"experiment-{one.name}"
    facts = [
        f"in {one.scenario}",
        f"for {percent(one.share)} of the {one.unit}s",
        f"since {when(one.started)} UTC" if one.started else "not begun",
    ]
    return section(
        key, one.name, el("p", " · ".join(facts), class_="sub"), _arms(one), _ratio(one), _results(one),
        *_said(one), _checks(one),
    )  # fmt: skip


def _arms(one: Running) -> Html:
    columns = [Column("Arm", number=False), *map(Column, ("Planned", f"{one.unit}s".capitalize(), "Share of them", "Lists"))]
    total = max(sum(one.units.values()), 1)
    body = [
        [name(arm) if at else join((name(arm), el("span", " control", class_="remark"))), percent(share), count(one.units[arm]), percent(one.units[arm] / total), count(one.lists[arm])]
        for at, (arm, share) in enumerate(one.arms.items())
    ]  # fmt: skip
    return table(columns, body, caption="Who is in which arm")


def _ratio(one: Running) -> Html:
    return el("p", "Sizes of the arms: ", el("strong", WORDS[one.verdict], class_=MARKS[one.verdict]), ". ", one.ratio, class_="finding")


def _results(one: Running) -> Html:
    """Each metric and arm with its interval."""
    if not one.compared:
        return sentence(
            f"No difference is told yet. Of each {one.unit} counts what it does within {DAYS:g} day of its first list; {plural(one.complete, one.unit)} have done so."
        )
    heads = [
        Column("Metric", number=False, class_="first"), Column("Arm", number=False), *map(Column, ("Units of both", "Control", "Arm’s value", "Difference")),
        Column(unsaid("Interval"), number=False), Column("Verdict", number=False),
    ]  # fmt: skip
    note = f"within {DAYS:g} day of a {one.unit}’s first list. The intervals may be looked at every day: 95% for all looks, metrics and arms together"
    return join((table(heads, [_row(one, row) for row in one.compared], caption="Differences from control, " + note, class_="metrics"),))


def _row(one: Running, row: Compared) -> list[object]:
    class_ = CLASSES.get(row.verdict, "unsure")
    if row.difference is None:
        return [name(row.metric), name(row.arm), count(row.units), "–", "–", "–", "", el("span", row.verdict, class_=class_)]
    places = decimals([row.difference], [half_width(row.low, row.high)])
    ends = [v for other in one.compared if other.metric == row.metric for v in (other.low, other.high)]
    scale = spanning([*ends, 0.0], 0, 1)
    drawn = interval(Dot("", row.difference, row.low, row.high, class_, ""), (scale.low, scale.high), 0.0) if row.low is not None else ""
    told = f"{signed(row.difference, places)} {between(row.low, row.high, places)}".strip()
    values = (fixed(row.control_value, places), fixed(row.value, places))
    return [name(row.metric), name(row.arm), count(row.units), *values, told, drawn, el("span", row.verdict, class_=class_)]


def _said(one: Running) -> list[Html]:
    """What the numbers say in words; that it is too early is in the table already."""
    early = [row for row in one.compared if row.verdict == "too early"]
    told = [text for text in dict.fromkeys(one.sentences) if not (early and "too early" in text)]
    return [el("p", text, class_="sub") for text in told]


def _checks(one: Running) -> Html | None:
    if not one.checks:
        return None
    columns = [Column("Check", number=False), Column("Verdict", number=False), Column("What it means", number=False)]
    body = [[check, el("span", WORDS.get(verdict, verdict), class_=MARKS.get(verdict)), said] for check, verdict, said in one.checks]
    return el("details", el("summary", "The checks"), table(columns, body, caption="What must hold before a number is believed"))
