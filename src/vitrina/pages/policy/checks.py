"""Whether the log can answer at all: each check with its verdict, the sentence and the statistic behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrina.pages.policy.view import View, p_value
from vitrina.policy.checks import worst
from vitrina.report.html import Column, Html, el, section, table
from vitrina.report.words import count, fixed, listed, percent

if TYPE_CHECKING:
    from vitrina.policy.checks import Check, Checks

CLASSES = {"pass": "better", "warn": "unsure", "refuse": "worse"}
MARKS = {"pass": "✓ passed", "warn": "! look", "refuse": "✕ refused"}
HEADINGS = {"effective size": "Effective decisions", "overlap": "Never tried", "mean weight": "Mean weight, z"}
SAID = {
    "pass": "Nothing speaks against the log: what is estimated from it can be believed as far as the intervals go.",
    "warn": "The log can be used, with the caution that the marked checks ask for.",
    "refuse": "The log can’t answer: no value is given.",
}


def checks(view: View) -> Html:
    """Section: every check of the log, what the log says of each policy, and what couldn't be looked at."""
    found = view.study.checks
    columns = [
        Column("Check", number=False),
        Column("Verdict", number=False, class_="mark"),
        Column("What it means", number=False, class_="explained"),
        Column("Statistic"),
        Column("p"),
    ]
    body = [
        [r.name, _mark(r.verdict), el("div", r.sentence, el("span", r.detail, class_="remark")), fixed(r.statistic, 3), p_value(r.p)]
        for r in found.rows if r.policy is None
    ]  # fmt: skip
    skipped = el("ul", *(el("li", f"Not looked at: {sentence}") for sentence in found.skipped), class_="notes") if found.skipped else None
    shown = table(columns, body, caption="Checks of the log, before any value")
    return section("checks", "Can the log answer?", el("p", _said(found), class_="finding"), shown, _of_policies(view), skipped)


def _of_policies(view: View) -> Html | None:
    """A row per policy: its verdict, and a sentence for each check that it doesn't pass."""
    found = view.study.checks
    names = dict.fromkeys(r.policy for r in found.rows if r.policy is not None)
    kinds = list(dict.fromkeys(r.name for r in found.rows if r.policy is not None))
    if not names:
        return None
    columns = [
        Column("Policy", number=False, class_="first"),
        Column("Verdict", number=False, class_="mark"),
        *(Column(HEADINGS.get(k, k.capitalize())) for k in kinds),
        Column("What it means", number=False, class_="explained"),
    ]
    body = []
    for policy in names:
        own = {r.name: r for r in found.rows if r.policy == policy}
        said = " ".join(r.sentence for r in own.values() if r.verdict != "pass") or "The log speaks of it."
        body.append(
            [
                view.cell(policy),
                _mark(worst(r.verdict for r in own.values())),
                *(_statistic(own[k]) if k in own else "–" for k in kinds),
                said,
            ]
        )
    return table(columns, body, caption="Whether the log speaks of each policy", class_="metrics")


def _statistic(check: Check) -> str:
    """The number behind a check of a policy, as its column has it."""
    if check.name == "overlap":
        return percent(check.statistic)
    return fixed(check.statistic, 2) if check.name == "mean weight" else count(check.statistic)


def _mark(verdict: str) -> Html:
    return el("span", MARKS[verdict], class_=CLASSES[verdict])


def _said(found: Checks) -> str:
    of = {p: worst(r.verdict for r in found.rows if r.policy == p) for p in dict.fromkeys(r.policy for r in found.rows) if p is not None}
    refused, little = ([p for p, verdict in of.items() if verdict == kind] for kind in ("refuse", "warn"))
    if found.verdict != "refuse" and refused:
        return f"The log can be used. It says too little of {listed(refused)}, and no value is given there."
    if found.verdict == "pass" and little:
        those = listed(little) if len(little) < len(of) else "any policy"
        return f"Nothing speaks against the log. It says little of {those}: read what is marked before any value."
    return SAID[found.verdict]
