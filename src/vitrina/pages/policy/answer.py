"""The answer in three sentences: what to do, how much that brings and how sure it is, what to do next."""

from __future__ import annotations

from datetime import UTC, datetime

from vitrina.base.printing import finite
from vitrina.pages.policy.view import View, known, said_difference, told
from vitrina.report.words import about, between, count, fixed, percent, plural

TO_ALL = " to all"  # how the name of a policy ends that gives one arm to everybody
SHARE = 0.05  # to draw at random, where the log refuses


def dateline(view: View) -> list[str]:
    """Short facts below the title."""
    log = view.study.log
    clusters = "" if len(log.cluster_ids) == len(log) else f" on {count(len(log.cluster_ids))} clusters"
    parts = [f"{count(len(log))} decisions{clusters}", plural(len(log.arms), "arm"), f"judged by {view.study.reward}", view.study.date]
    return [part for part in parts if part]


def answer(view: View) -> list[str]:
    """Three sentences, or two where the log refuses."""
    if view.study.found.advised is None:
        return _refused(view)
    return [_what(view), _how_much(view), _next(view)]


def _refused(view: View) -> list[str]:
    refusals = [r.sentence for r in view.study.checks.rows if r.verdict == "refuse"]
    first = refusals[0] if refusals else "No policy has a value."
    if view.study.checks.verdict != "refuse":
        return ["This log says too little of the policies to judge them.", first, "The checks below say of each policy what is missing."]
    then = (
        f"Draw the arms at random for a share of the decisions ({percent(SHARE)} will do to begin with), write down the chance of each arm with the decision, "
        "and ask again when there are some thousands of them."
    )
    return ["This log can’t say which policy is better.", first, then]


def _what(view: View) -> str:
    study = view.study
    advised = study.found.advised or ""
    others = [p for p in view.policies if p not in (advised, study.baseline) and known(view.main(p)["value"]) is not None]
    if advised == study.baseline:
        keep = f"Stay with {advised}"
        return f"{keep}: nothing that was judged is measurably better." if others else f"{keep}: there is nothing else to compare."
    runner = study.found.runner
    if runner is None or runner.policy != advised:
        give = f"Give {advised}" if advised.endswith(TO_ALL) else f"Take “{advised}”, which gives everybody the same"
        return f"{give}{': no policy that chooses is measurably better' if runner else ''}."
    return f"Decide by “{advised}”: it brings measurably more than {study.found.rival}."


def _how_much(view: View) -> str:
    study = view.study
    row = view.main(study.found.advised or "")
    value = f"{fixed(row['value'], view.per_unit)} {study.reward} per decision {between(row['low'], row['high'], view.per_unit)}"
    over = "" if study.found.advised == study.baseline else f", {said_difference(row)} against {study.baseline}"
    first = f"It brings {value}{over}."
    runner = study.found.runner
    if runner is None:
        return first
    difference = runner.difference
    told_apart = {"unsure": "which can’t be told from zero", "better": "measurably more", "worse": "measurably less"}[told(difference)]
    if study.found.advised == runner.policy:
        beside = (
            ""
            if runner.against == study.baseline
            else f" Against {runner.against}, the best single arm, it is {said_difference(difference)}, {told_apart}."
        )
        return first + beside
    return f"{first} “{runner.policy}” brings {said_difference(difference)} against {runner.against}, {told_apart}."


def _next(view: View) -> str:
    study = view.study
    if study.found.advised == study.baseline or told(view.main(study.found.advised or "")) != "better":
        if not finite(study.found.seen):
            return "Draw arms at random for a larger share of the decisions: this log says too little of the other policies."
        return f"Collect more decisions by lot: as many again would show a difference of about {about(study.found.seen)} {study.reward} per decision from {study.baseline}, in four cases of five."
    size = f"about {about(study.found.needed)} units in each arm" if study.found.needed is not None else "two arms"
    return f"Confirm it in an A/B test against {study.baseline}, with {size}, and keep a few percent of the decisions at random, so that tomorrow’s log can be judged as this one was."


def today() -> str:
    """The date of the page, as it is written."""
    now = datetime.now(UTC).date()
    return f"{now.day} {now:%B %Y}"
