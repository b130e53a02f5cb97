"""The page of a plan: how long and how many, how what is seen grows with the days, what looking every day costs, and the money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vitrina.experiments import Plan
from vitrina.pages.frame import framed
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.scales import Linear
from vitrina.report.words import count, decimals, fixed, percent, plural, short_count

ROW = Mapping[str, Any]
ROOM = 0.2  # of the days, to the right of the last one: for the names of lines


def render_plan(plan: Plan, *, title: str | None = None, date: str = "", settings: Sequence[tuple[str, str]] = ()) -> str:
    """A plan as one self-contained page.

    Args:
        title: of the page; the name of the experiment by default.
        date: for the line below the title.
        settings: what the plan was asked, for "how it was made".

    The same plan gives the same text. All names of the data are escaped.
    """
    row = plan.row
    line = [
        plural(plan.days, "day"),
        plural(round(row["units"]), plan.experiment.unit),
        plural(len(plan.experiment.arms), "arm"),
        *([date] if date else []),
    ]
    parts = [
        ("seen", "What can be seen", _seen(plan)), ("power", "How sure", _power(plan)), ("arrivals", "Who comes", _arrivals(plan)), ("arms", "The arms", _arms(plan)),
        ("money", "What it costs", _money(plan)), ("lengths", "Every length", _lengths(plan)), ("making", "How it was made", _making(plan, settings)),
    ]  # fmt: skip
    return framed(title or f"{plan.experiment.name}: the plan", line, [*plan.topics["answer"][:2], *plan.topics["money"][:2]], parts)


def _finding(plan: Plan, *topics: str) -> list[Html]:
    """The sentences about something."""
    return [el("p", sentence, class_="finding") for topic in topics for sentence in plan.topics[topic]]


def _seen(plan: Plan) -> Html:
    """Section: the smallest difference that is seen, by days."""
    share = plan.row["detectable_relative"] is not None
    key = "_relative" if share else ""
    rows = plan.table.to_dicts()
    shown: Callable[[float], str] = (lambda v: percent(v)) if share else (lambda v: fixed(v, decimals([r["detectable"] for r in rows])))  # noqa: PLW0108
    one = Curve([(r["days"], r[f"detectable{key}"]) for r in rows], "lead", "looked at once, at the end", name="at the end")
    daily = [(r["days"], r[f"always_valid{key}"]) for r in rows if r[f"always_valid{key}"] is not None]
    lines = [one, *([Curve(daily, "base", "the always-valid interval, looked at every day", name="looked at daily")] if daily else [])]
    asked = abs(plan.relative) if plan.relative is not None and share else None
    top = max(y for line in lines for _, y in line.points)
    mark = (plan.days, plan.row[f"detectable{key}"])
    lines += [Curve([(rows[0]["days"], asked), (rows[-1]["days"], asked)], "other", "the effect that has to be seen")] if asked else []
    drawn = _by_days(rows, lines, (0.0, 1.08 * max(top, asked or 0.0)), shown, mark, f"Smallest difference in {plan.metric} that is seen, by days: " + "; ".join(
        f"{r['days']} days {shown(r[f'detectable{key}'])}" for r in rows) + ".")  # fmt: skip
    heading = f"After {plan.days} days a difference of {shown(plan.row[f'detectable{key}'])} is seen"
    unit = f"difference in {plan.metric}" + (", as a share of control" if share else "") + f", seen in {plan.power:.0%} of experiments"
    flat = "; the flat line is what has to be seen" if asked else ""
    plot = figure("seen-plot", heading, drawn, _numbers(plan, ("detectable", "always_valid")), note=f"{unit}{flat}; days across")
    return section("seen", "What can be seen", plot)


def _power(plan: Plan) -> Html | None:
    """Section: the chance to see the wanted effect, by days; None without one."""
    rows = plan.table.to_dicts()
    if plan.row["power"] is None:
        return None
    daily = [(r["days"], r["always_valid_power"]) for r in rows if r["always_valid_power"] is not None]
    lines = [Curve([(r["days"], r["power"]) for r in rows], "lead", "looked at once, at the end", name="at the end")]
    lines += [Curve(daily, "base", "the always-valid interval, looked at every day", name="looked at daily")] if daily else []
    lines.append(Curve([(rows[0]["days"], plan.power), (rows[-1]["days"], plan.power)], "faint"))
    mark = (plan.days, plan.row["power"])
    drawn = _by_days(
        rows,
        lines,
        (0.0, 1.08),
        percent,
        mark,
        "Chance to see the effect, by days: " + "; ".join(f"{r['days']} days {percent(r['power'])}" for r in rows) + ".",
    )
    heading = (
        f"{plan.days} days see it in {percent(plan.row['power'])} of experiments"
        if plan.reached
        else f"Even {plan.days} days see it only in {percent(plan.row['power'])} of experiments"
    )
    plot = figure(
        "power-plot",
        heading,
        drawn,
        _numbers(plan, ("power", "always_valid_power")),
        note=f"chance to see the effect; the thin line is {plan.power:.0%}; days across",
    )
    return section("power", "How sure", *_finding(plan, "looking", "care"), plot)


def _by_days(rows: Sequence[ROW], lines: Sequence[Curve], up: tuple[float, float], shown: Callable[[float], str], mark: tuple[float, float], description: str) -> Any:  # fmt: skip
    """Lines by days; the dot at `mark` is the planned length, whose number the title says."""
    first, last = rows[0]["days"], max(rows[-1]["days"], rows[0]["days"] + 1)
    across = Linear(first, last + ROOM * (last - first), 0, 1)
    ticks = [(r["days"], str(r["days"])) for r in rows] if len(rows) <= 8 else [(t, text) for t, text in across.tick_labels(7) if t <= last]
    levels = [(t, shown(t)) for t in Linear(*up, 0, 1).ticks(4) if t > 0]
    return curves(
        lines,
        across=across,
        up=up,
        across_ticks=ticks,
        up_ticks=levels,
        note=(*mark, ""),
        description=description,
        tall=260,
    )


def _arrivals(plan: Plan) -> Html | None:
    """Section: units by day."""
    came = (plan.past.units * plan.experiment.share).tolist()
    if len(came) < 3:
        return None
    days = plan.past.days.tolist()
    line = Curve(list(zip(days, came, strict=True)), "lead", "units that have come by then")
    across, up = Linear(days[0], days[-1], 0, 1), (0.0, 1.08 * came[-1])
    levels = [(t, short_count(t)) for t in Linear(*up, 0, 1).ticks(4) if t > 0]
    note = (plan.days, came[plan.days - 1], f"{plan.days} days: {count(came[plan.days - 1])}")
    drawn = curves([line], across=across, up=up, across_ticks=across.tick_labels(7), up_ticks=levels, note=note, description=f"Different units that have come by each day, {count(came[0])} on the first and {count(came[-1])} after {days[-1]} days.")  # fmt: skip
    half = came[max(plan.days // 2 - 1, 0)] / came[plan.days - 1]
    heading = f"Half of the time brings {percent(half)} of the units"
    plot = figure(
        "arrivals-plot", heading, drawn, _numbers(plan, ("units", "new_per_day")), note="different units in the experiment; days across"
    )
    return section("arrivals", "Who comes", *_finding(plan, "arrivals", "covariate"), plot)


def _arms(plan: Plan) -> Html:
    """Section: what each arm gets and lets be seen, and the other metrics."""
    money = plan.purse is not None
    places = decimals([v for v in plan.arms["detectable"] if v is not None])
    columns = [
        Column("Arm", number=False),
        *map(Column, ("Share", "Units", "Seen", "of control", *(("Cost per unit", "Cost") if money else ()))),
    ]
    body = []
    for r in plan.arms.iter_rows(named=True):
        cells = [name(r["arm"]), percent(r["share"]), count(r["units"]), fixed(r["detectable"], places), percent(r["detectable_relative"])]
        body.append([*cells, *((fixed(r["cost_per_unit"], 2), count(r["cost"])) if money else ())])
    shown = [
        table(
            columns,
            body,
            caption=f"Arms at {plan.days} days; seen is the smallest difference in {plan.metric} from control, in {plan.power:.0%} of experiments",
        )
    ]
    if plan.others.height:
        heads = [Column("Metric", number=False), Column("Role", number=False), *map(Column, ("Value", "Seen", "of control", "Margin"))]
        rows = [
            [
                name(r["metric"]),
                r["role"],
                fixed(r["value"], 3),
                fixed(r["detectable"], 3),
                percent(r["detectable_relative"]),
                percent(r["margin"]),
            ]
            for r in plan.others.iter_rows(named=True)
        ]
        shown.append(table(heads, rows, caption="The other metrics at this length"))
    return section("arms", "The arms", *_finding(plan, "shares", "others"), *shown)


def _money(plan: Plan) -> Html | None:
    """Section: what the experiment costs by days, expected and at worst; None without money."""
    if plan.purse is None:
        return None
    rows = plan.table.to_dicts()
    lines = [
        Curve([(r["days"], r["worst"]) for r in rows], "base", "at worst", name="at worst"),
        Curve([(r["days"], r["cost"]) for r in rows], "lead", "treatments", name="treatments"),
    ]
    up = (0.0, 1.08 * max(1e-9, *(r["worst"] for r in rows)))
    mark = (plan.days, plan.row["cost"])
    drawn = _by_days(
        rows,
        lines,
        up,
        short_count,
        mark,
        f"Cost by days; after {plan.days} days {count(plan.row['cost'])}, at worst {count(plan.row['worst'])}.",
    )
    heading = f"After {plan.days} days the treatments have cost {count(plan.row['cost'])}, at worst {count(plan.row['worst'])} are lost"
    plot = figure("money-plot", heading, drawn, _numbers(plan, ("cost", "worst")), note="money; days across")
    return section("money", "What it costs", *_finding(plan, "money"), plot)


HEADS = {
    "units": "Units", "new_per_day": "New a day", "detectable": "Seen at the end", "always_valid": "Seen, daily looks", "power": "Power", "always_valid_power": "Power, daily looks", "cost": "Cost",
    "worst": "At worst",
}  # fmt: skip


def _numbers(plan: Plan, keys: Sequence[str]) -> Html:
    """The table of a plot."""
    rows = plan.table.to_dicts()
    columns = [Column("Days"), *(Column(HEADS[key]) for key in keys)]
    return table(columns, [[str(r["days"]), *(_cell(r, key, rows) for key in keys)] for r in rows], caption="By length")


def _cell(row: ROW, key: str, rows: Sequence[ROW]) -> str:
    value = row[key]
    if key in ("power", "always_valid_power"):
        return percent(value)
    if key in ("units", "new_per_day", "cost", "worst"):
        return count(value)
    relative = row[f"{key}_relative"]
    absolute = fixed(value, decimals([r[key] for r in rows if r[key] is not None]))
    return absolute if relative is None else f"{percent(relative)} ({absolute})"


def _lengths(plan: Plan) -> Html:
    """Section: all numbers."""
    keys = [key for key in HEADS if key in plan.table.columns and plan.table[key].null_count() < plan.table.height]
    return section("lengths", "Every length", _numbers(plan, keys))


def _making(plan: Plan, settings: Sequence[tuple[str, str]]) -> Html:
    """Section: all sentences, and what was asked."""
    facts = [
        *settings,
        ("metric", plan.metric),
        ("confidence", f"{plan.confidence:g}, {plural(plan.comparisons, 'comparison')}"),
        ("power", f"{plan.power:g}"),
        ("arms", repr(plan.experiment)),
    ]
    made = el("dl", *(item for key, value in facts for item in (el("dt", key), el("dd", value))), class_="settings")
    return section("making", "How it was made", *_finding(plan, "made"), made)
