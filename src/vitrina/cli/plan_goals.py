"""`vitrina plan goals`: which goals to set, how likely they are met, and what bonuses they bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.cli import build, console, outputs
from vitrina.cli.plan_demand import LEAST, ORIGINS, chosen, distinct_names, forecast, read, write_json, write_table
from vitrina.cli.plan_file import last_prices

if TYPE_CHECKING:
    from vitrina.cli.plan_file import PlanJob
    from vitrina.plan import Bonus, BonusChange, BonusCurve, Demand, Forecast, GoalResponse, Goals, JudgedGoals

PAGE, TABLE, NUMBERS = "goals.html", "goals.csv", "goals.json"
USUAL = 0.5


@dataclass(frozen=True)
class Found:
    """What the command found, and where it stands."""

    demand: Demand
    ahead: Forecast
    goals: Goals
    folder: Path
    curve: BonusCurve | None = None
    judged: JudgedGoals | None = None
    response: GoalResponse | None = None
    change: BonusChange | None = None


def run(job: PlanJob, out: Path | None, *, force: bool) -> Found:
    """The goals, the table of them and the page.

    Raises:
        DataError: the log or the pilot can't be used.
        ParameterError: a value of the file doesn't fit the log.
    """
    from vitrina.base.files import write_text

    folder = out or job.out
    outputs.check_folder(folder, (PAGE, TABLE, NUMBERS), {"source": job.sources()}, force=force)
    demand = read(job)
    period = _period(job, demand)
    bonus = _bonus(job)
    _, forecaster = chosen(job)
    ahead = forecast(job, demand, forecaster, job.settings.demand.days)
    with build.located(job.file, ("goals",)):
        goals = _set(job, ahead, bonus, period)
    response, change = _pilot(job, bonus)
    found = Found(
        demand, ahead, goals, folder, _curve(ahead, bonus, period), _judged(job, demand, forecaster, period), response, change
    )  # fmt: skip
    write_text(folder / PAGE, _page(job, found))
    write_table(folder / TABLE, goals.table)
    write_json(folder / NUMBERS, as_json(found))
    return found


def _period(job: PlanJob, demand: Demand) -> dict[str, Any]:
    """How series become those who have goals.

    Raises:
        ParameterError: goals of places, and there are none; goals in money, and a price isn't known.
    """
    given = job.settings.goals
    with build.located(job.file, ("goals",)):
        if given.by == "place" and demand.place is None:
            raise ParameterError(
                'Goals are set per place, and the sales have none. Name their column: [sales] place = "shop"; or set goals per series: by = "series".',
                parameter="by",
            )
        prices = last_prices(demand) if given.money else np.ones(len(demand))
        if np.isnan(prices).any():
            raise ParameterError(
                f"Goals in money need a price of every series, and {int(np.isnan(prices).sum()):,} of {len(demand):,} have none. Name the column of prices "
                "in [sales], or a table [prices]; or set goals in units: money = false.", parameter="money",
            )  # fmt: skip
    by = pl.Series(distinct_names(demand))
    if demand.place is not None and demand.places is not None and given.by != "series":
        by = demand.places.ids.gather(demand.place)
    return {"by": by, "price": prices, "common": given.common, "confidence": job.settings.report.confidence}


def _bonus(job: PlanJob) -> Bonus | None:
    from vitrina.plan import Bonus

    given = job.settings.goals.bonus
    return None if given is None else build.construct(job.file, ("goals", "bonus"), Bonus, given)


def _set(job: PlanJob, ahead: Forecast, bonus: Bonus | None, period: Mapping[str, Any]) -> Goals:
    from vitrina.plan import ambition_for, goals

    given = job.settings.goals
    if given.budget is None:
        return goals(ahead, given.ambition or USUAL, bonus=bonus, **period)
    if given.ambition is not None or bonus is None:
        said = "the ambition follows from it: leave out one of the two" if bonus is not None else "it needs a bonus: bonus = {fixed = 100}"
        raise ParameterError(f"A budget is what bonuses may cost, and {said}.", parameter="budget")
    return ambition_for(ahead, bonus, given.budget, **period)


def _curve(ahead: Forecast, bonus: Bonus | None, period: Mapping[str, Any]) -> BonusCurve | None:
    from vitrina.plan import cost_by_ambition

    return None if bonus is None else cost_by_ambition(ahead, bonus, **period)


def _judged(job: PlanJob, demand: Demand, forecaster: Any, period: Mapping[str, Any]) -> JudgedGoals | None:
    """Goals of the past, where it is long enough."""
    from vitrina.plan import judge_goals

    given = job.settings.demand
    fit = (demand.days - LEAST - given.days) // given.days + 1
    if fit < 1:
        return None
    with console.working("Judging goals on the past"):
        starts = [demand.days - given.days * (n + 1) for n in range(min(given.origins or ORIGINS, fit))]
        past = [
            forecaster.fit(demand.between(0, start)).forecast(given.days, paths=given.paths, seed=given.seed) for start in reversed(starts)
        ]
        return judge_goals(demand, past, by=period["by"], price=period["price"], confidence=period["confidence"])


def _pilot(job: PlanJob, bonus: Bonus | None) -> tuple[GoalResponse | None, BonusChange | None]:
    """What a pilot brought: of levels of ambition, or of a new forecast beside an old one."""
    from vitrina.plan import explain_bonuses, response_to_goals

    given = job.settings.pilot
    if given is None:
        return None, None
    (path,) = job.paths("pilot", given.path)
    confidence = job.settings.report.confidence
    with console.working("Reading the pilot"), build.located(job.file, ("pilot",)):
        if (given.old is None) != (given.new is None):
            raise ParameterError("A pilot of two forecasts has the goals by both, for everybody: old = and new =.", parameter="new")
        if given.old is not None and given.new is not None:
            if bonus is None:
                raise ParameterError("What a pilot of two forecasts cost is told from the bonus: [goals] bonus = {fixed = 100}.")
            columns = {"arm": given.arm, "outcome": given.outcome, "old": given.old, "new": given.new, "unit": given.unit}
            return None, explain_bonuses(path, **columns, bonus=bonus, margin=given.margin, confidence=confidence)
        rest = given.model_dump(exclude={"path", "old", "new"}, exclude_none=True)
        return response_to_goals(path, bonus=bonus if given.paid is None else None, confidence=confidence, **rest), None


def _page(job: PlanJob, found: Found) -> str:
    from vitrina.pages.plan import GoalsStudy, goals_page
    from vitrina.pages.policy.answer import today

    return goals_page(GoalsStudy(
        found.goals, found.ahead.start, found.ahead.days * found.ahead.step, found.curve, found.judged, found.response, found.change, job.title("goals"),
        job.facts(chosen(job)[1]), today(),
    ))  # fmt: skip


def as_json(found: Found) -> dict[str, Any]:
    """The goals, what they cost, and where the page is."""
    return {
        "kind": outputs.PLAN, "from": found.ahead.start, "days": found.ahead.days * found.ahead.step, "goals": found.goals.table,
        "cost": list(found.goals.cost) if found.goals.paid else None, "curve": None if found.curve is None else found.curve.table,
        "judged": None if found.judged is None else found.judged.table, "pilot": None if found.response is None else found.response.table,
        "change": None if found.change is None else found.change.table, "sentences": list(found.goals.sentences), "page": found.folder / PAGE,
        "table": found.folder / TABLE,
    }  # fmt: skip


def show(found: Found) -> None:
    """The goals and what they bring, and what a pilot says."""
    out = console.out()
    for part in (found.goals, found.curve, found.judged, found.response, found.change):
        if part is not None:
            out.print(part)
            out.print()
    console.note(f"Report: {found.folder / PAGE}\nGoals: {found.folder / TABLE}")
