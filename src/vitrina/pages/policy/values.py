"""What each policy is worth, and how that differs from the baseline: paired, with intervals, by every estimator and reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vitrina.pages.policy.view import Row, View, known, p_value, said_difference, told
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import about, between, count, fixed, listed, percent, plural


def values(view: View) -> Html:
    """Section: one plot of values, one of paired differences, and the numbers of all estimators and rewards."""
    shown = [p for p in view.policies if known(view.main(p)["value"]) is not None]
    if not shown:
        refused = sentence("No policy has a value: the checks above say why, and what to do.")
        return section("values", "What each policy is worth", refused, _every(view))
    pair = el("div", _worth(view, shown), _differences(view, shown), class_="pair")
    note = (
        f"Bars are {view.confidence} intervals when other units might have come, each with all its decisions. Differences are paired: both policies are judged "
        "on the same units, and where they would do the same nothing differs. Grey: can’t be told from no difference."
    )
    return section(
        "values",
        "What each policy is worth",
        el("p", _finding(view, shown), class_="finding"),
        pair,
        el("p", note, class_="sub"),
        *(el("p", warning, class_="sub") for warning in view.study.told.warnings),
        _every(view),
    )


def _finding(view: View, shown: Sequence[str]) -> str:
    base = view.study.baseline
    others = [view.main(p) for p in shown if p != base]
    better = [r["policy"] for r in others if told(r) == "better"]
    worse = sum(told(r) == "worse" for r in others)
    unsure = len(others) - len(better) - worse
    if unsure == len(others) > 0:
        return f"No policy can be told from {base}, in {view.study.reward} per decision."
    parts = [
        f"{listed(better) if len(better) < 4 else plural(len(better), 'policy', 'policies')} {'is' if len(better) == 1 else 'are'} better than {base}"
        if better
        else f"No policy is measurably better than {base}"
    ]
    parts += [f"{worse} {'is' if worse == 1 else 'are'} worse"] if worse else []
    parts += [f"{unsure} can’t be told from {base}"] if unsure else []
    return f"{listed(parts)}, in {view.study.reward} per decision."


def _worth(view: View, shown: Sequence[str]) -> Html:
    rows = [view.main(p) for p in shown]
    places = view.per_unit
    base = known(view.main(view.study.baseline)["value"]) if view.study.baseline in shown else None
    drawn = dots([view.dot(r, places) for r in rows], description=_spoken(view, rows, places), marker=base)
    columns = [Column("Policy", number=False), *map(Column, (view.study.reward, "Interval", "Effective decisions"))]
    body = [[view.cell(r["policy"]), fixed(r["value"], places), between(r["low"], r["high"], places), count(known(r["ess"]))] for r in rows]
    title = f"{shown[0]} has the highest {view.study.reward} by {view.study.estimator}"
    note = f"{view.study.reward} per decision; the upright line is {view.study.baseline}"
    return figure("worth-plot", title, drawn, table(columns, body, caption=f"Values by {view.study.estimator}"), note=note, span="half")


def _spoken(view: View, rows: Sequence[Row], places: int) -> str:
    each = (f"{r['policy']} {fixed(r['value'], places)} {between(r['low'], r['high'], places)}".strip() for r in rows)
    return f"{view.study.reward} per decision with {view.confidence} intervals: {'; '.join(each)}."


def _differences(view: View, shown: Sequence[str]) -> Html:
    rows = [view.main(p) for p in shown if p != view.study.baseline]
    if not rows:
        return sentence("There is one policy, and nothing to compare it with.")
    places = view.places_of_differences(rows)
    marks = [
        Dot(
            r["policy"],
            known(r["difference"]),
            known(r["difference_low"]),
            known(r["difference_high"]),
            told(r),
            f"{r['policy']}: {said_difference(r, places)}",
        )
        for r in rows
    ]
    each = "; ".join(f"{r['policy']} {said_difference(r, places)}" for r in rows)
    drawn = dots(marks, description=f"Paired differences from {view.study.baseline}: {each}.", marker=0.0)
    columns = [Column("Policy", number=False), Column("Difference"), Column("Verdict", number=False)]
    body = [[view.cell(r["policy"]), said_difference(r, places), el("span", r["verdict"] or "", class_=told(r))] for r in rows]
    data = table(columns, body, caption=f"Differences from {view.study.baseline}")
    title = f"Against {view.study.baseline}, paired"
    return figure(
        "differences-plot",
        title,
        drawn,
        data,
        note=f"difference in {view.study.reward} per decision, {view.confidence} intervals",
        span="half",
    )


def _every(view: View) -> Html:
    """Every reward by the estimator that the page speaks of, and all estimators folded below."""
    rewards = list(dict.fromkeys(reward for _, _, reward in view.rows))
    tables = [_table(view, reward, [view.study.estimator]) for reward in rewards]
    every = [_table(view, reward, list(view.study.estimators)) for reward in rewards]
    folded = (
        el("details", el("summary", f"The same by {listed(list(view.study.estimators))}"), *every)
        if len(view.study.estimators) > 1
        else None
    )
    return el("div", el("h3", "Every reward"), *tables, folded)


def _table(view: View, reward: str, estimators: Sequence[str]) -> Html:
    rows = [view.rows[p, e, reward] for p in view.policies for e in estimators if (p, e, reward) in view.rows]
    places, apart = view.places(rows), view.places_of_differences(rows)
    by = [Column("Estimator", number=False)] if len(estimators) > 1 else []
    columns = [
        Column("Policy", number=False, class_="first"), *by, Column(reward), Column("Interval"), Column(f"Against {view.study.baseline}"),
        Column("p, corrected"), Column("Effective decisions", hint="as many decisions by lot would say as much"),
    ]  # fmt: skip
    body = []
    for r in rows:
        against = (
            el("span", said_difference(r, apart), class_=told(r)) if r["policy"] != view.study.baseline and r["refused"] is None else "–"
        )
        value = [fixed(known(r["value"]), places), between(r["low"], r["high"], places) or "–"]
        body.append(
            [
                view.cell(r["policy"]),
                *([r["estimator"]] if by else []),
                *value,
                against,
                p_value(known(r["p_adjusted"])),
                count(known(r["ess"])),
            ]
        )
    return table(columns, body, caption=f"{reward} per decision" + ("" if by else f", by {estimators[0]}"), class_="metrics")


def claims(view: View) -> Html | None:
    """Section: what the outcome model says of each policy, beside what the draw proves. None without a model."""
    claimed = view.study.claims
    if not claimed:
        return None
    shown = [p for p in view.policies if p in claimed and known(view.main(p)["value"]) is not None]
    if not shown:
        return None
    rows = {p: view.main(p) for p in shown}
    far = [p for p in shown if not rows[p]["low"] <= claimed[p] <= rows[p]["high"]]
    places = view.per_unit
    marks = [
        replace(
            view.dot(rows[p], places),
            mark=claimed[p],
            detail=f"{p}: claimed {fixed(claimed[p], places)}, proved {fixed(rows[p]['value'], places)}",
        )
        for p in shown
    ]
    widest = max(shown, key=lambda p: abs(claimed[p] - rows[p]["value"]))
    gap = claimed[widest] - rows[widest]["value"]
    finding = f"{_beside(widest, claimed[widest], rows[widest], places)} {_outside(len(far))}"
    columns = [Column("Policy", number=False), *map(Column, ("Claimed", "Proved", "Interval", "Too much by"))]
    body = [
        [
            view.cell(p),
            fixed(claimed[p], places),
            fixed(r["value"], places),
            between(r["low"], r["high"], places),
            percent_of(claimed[p] - r["value"], r["value"]),
        ]
        for p, r in rows.items()
    ]
    described = f"Values by {view.study.estimator} with intervals, and what the model alone claims: " + "; ".join(
        f"{p} proved {fixed(r['value'], places)}, claimed {fixed(claimed[p], places)}" for p, r in rows.items()
    )
    title = f"The model claims up to {about(abs(gap))} {'more' if gap > 0 else 'less'} than the draw proves"
    plot = figure(
        "claims-plot",
        title,
        dots(marks, description=described + "."),
        table(columns, body, caption="Claimed and proved"),
        note=f"{view.study.reward} per decision: the dot with its interval is proved, the upright mark is claimed",
    )
    return section("claims", "What the model claims, what the draw proves", el("p", finding, class_="finding"), plot)


def _beside(policy: str, claimed: float, row: Mapping[str, Any], places: int) -> str:
    proved = f"{fixed(row['value'], places)} {between(row['low'], row['high'], places)}"
    return f"For {policy} the model claims {fixed(claimed, places)}; the draw proves {proved}."


def _outside(far: int) -> str:
    if not far:
        return "No claim lies outside its interval."
    return f"For {plural(far, 'policy', 'policies')} the claim lies outside the interval."


def percent_of(gap: float, whole: float) -> str:
    """A gap as a share of what it is a gap of."""
    return "–" if not whole else ("+" if gap > 0 else "−") + percent(abs(gap / whole))
