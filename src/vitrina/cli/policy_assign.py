"""`vitrina policy assign`: an arm for each unit of a file, within the budget, with the random share that keeps tomorrow's log useful."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.files import atomic_file
from vitrina.cli import build, console, outputs
from vitrina.report.words import about

if TYPE_CHECKING:
    from vitrina.cli.policy_file import PolicyJob
    from vitrina.policy import Units

TRIES = 50  # budgets that are tried until what was drawn costs no more than it may
FILES = (".csv", ".parquet")


def assigned(job: PolicyJob, folder: Path, units_at: Path, out: Path, round_: str, *, force: bool) -> dict[str, Any]:
    """Write unit, arm, propensity, gain and cost of each unit; say in numbers what that comes to.

    Raises:
        ParameterError: the file isn't .csv or .parquet, would destroy what is read, or the budget can't be kept.
        DataError: a column isn't there, or costs aren't known.
    """
    if out.suffix not in FILES:
        raise ParameterError(f"The arms go into a file that ends in {' or '.join(FILES)}. Got {out}.")
    outputs.check_file(out, {"source": job.sources()}, units_at, job.file.path, force=force)
    policy = _policy(folder, trust=job.file.trust)
    with console.working(f"Reading {units_at}"):
        units = _units(job, units_at, policy.examples().arms)
        cost = arm_costs(job, units_at, units)
    _note_unseen(policy, units)
    made = drawn(policy, units, cost, job, round_)
    with atomic_file(out) as path:
        made.write_parquet(path) if out.suffix == ".parquet" else made.write_csv(path)
    counts = made["arm"].value_counts(sort=True)
    return {
        "out": out, "units": len(made), "round": round_, "arms": dict(counts.iter_rows()), "reward": job.reward,
        "control": policy.examples().arms[arms_control(job, units)], "gain": float(made["gain"].sum()) if made["gain"].null_count() == 0 else None, "cost": None if cost is None else float(made["cost"].sum()),
        "budget": job.settings.budget.spend, "least_propensity": float(made["propensity"].min()),  # type: ignore[arg-type]
    }  # fmt: skip


def _note_unseen(policy: Any, units: Units) -> None:
    """A word on values that the policy never learned from."""
    chooser = getattr(policy, "policy", policy)
    encoder = getattr(chooser, "encoder", None) or getattr(getattr(chooser, "model", None), "encoder", None)
    for name, count in ({} if encoder is None else encoder.unseen(units)).items():
        console.note(
            f"{count:,} of {len(units):,} units have a value of '{name}' that the policy never saw: it decides on them by the other features."
        )


def in_words(said: dict[str, Any]) -> str:
    """What was written, for people."""
    arms = ", ".join(f"'{arm}' {n:,} ({n / max(said['units'], 1):.1%})" for arm, n in said["arms"].items())
    claimed = said["gain"]
    worth = "" if claimed is None else f" The model claims {about(claimed)} more {said['reward']} than '{said['control']}' for all."
    cost = (
        ""
        if said["cost"] is None
        else f" Cost: {said['cost']:,.2f}" + (f" of {said['budget']:,.2f}." if said["budget"] is not None else ".")
    )
    log = " Log unit, arm and propensity with what comes of it: that is tomorrow’s log." if said["least_propensity"] < 1 else (
        " No arm was drawn: every propensity is 1, and tomorrow’s log can’t judge another policy. Keep a random share with: [learn] explore = 0.05."
    )  # fmt: skip
    return f"{said['units']:,} units: {arms}.{worth}{cost}{log}\nArms: {said['out']}"


def drawn(policy: Any, units: Units, cost: NDArray[Any] | None, job: PolicyJob, round_: str) -> pl.DataFrame:
    """A row per unit: unit, arm, propensity, gain over the control (null where the policy predicts none), cost (null where nobody knows it)."""
    from vitrina.policy import Explored, assign

    budget = job.settings.budget
    chooser, share = (policy.policy, policy.share) if isinstance(policy, Explored) else (policy, 0.0)
    values = chooser.values(units)[0] if hasattr(chooser, "values") else None
    if budget.spend is None and budget.roi is None:
        gains = None if values is None else values - values[:, [arms_control(job, units)]]
        return _with_numbers(assign(policy, units, salt=round_), units, gains, cost)
    with build.located(job.file, ("budget",)):
        if values is None:
            raise ParameterError(
                f"A budget needs a policy that predicts what each arm brings, as those of Plugin, DRLearner and PolicyTree do. Got {chooser!r}."
            )
        if cost is None:
            raise DataError("A budget needs what each arm costs: [log] cost = {arm = cost} or {arm = column}.")
        return _within(values, np.broadcast_to(cost, values.shape), units, share, job, round_)


def _within(values: NDArray[Any], cost: NDArray[Any], units: Units, share: float, job: PolicyJob, round_: str) -> pl.DataFrame:
    """The best arms for the money that the random share leaves, tried with less of it until what was drawn is within the budget."""
    from vitrina.policy import AtRandom, assign, assign_with_budget
    from vitrina.policy.policies import chances_of, one_hot

    budget = job.settings.budget
    most = np.inf if budget.spend is None else budget.spend
    random = chances_of(AtRandom(), units)
    at_random = float((random * cost).sum())
    left = (most - share * at_random) / (1 - share)
    control = arms_control(job, units)
    gains, step = values - values[:, [control]], float(cost[cost > 0].min(initial=most))  # less money must change what somebody gets
    cheapest = float(np.where(units.allowed, cost, np.inf).min(axis=1).sum() if units.allowed is not None else cost.min(axis=1).sum())
    for _ in range(TRIES):
        if left < cheapest:
            break
        chosen = assign_with_budget(gains, cost, left, allowed=units.allowed, roi=budget.roi)
        chances = (1 - share) * one_hot(chosen.arms, len(units.arms)) + share * random
        made = _with_numbers(assign(chances, units, salt=round_), units, gains, cost)
        spent = float(made["cost"].sum())
        if spent <= most:
            return made
        left = chosen.spent - (spent - most) / (1 - share) - step
    raise ParameterError(
        f"The random share of {share:.0%} alone costs about {share * at_random:,.2f}, and the budget is {most:,.2f}. Make the share smaller or the budget larger."
    )


def _with_numbers(made: pl.DataFrame, units: Units, gains: NDArray[Any] | None, cost: NDArray[Any] | None) -> pl.DataFrame:
    """With what the model says that the arm gains over the control, and its cost."""
    codes = made["arm"].replace_strict(list(units.arms), range(len(units.arms)), return_dtype=pl.Int64).to_numpy()
    rows = np.arange(len(made))
    known = None if gains is None else gains[rows, codes]
    paid = None if cost is None else np.broadcast_to(cost, (len(made), len(units.arms)))[rows, codes]
    return made.with_columns(
        gain=pl.lit(None, pl.Float64) if known is None else pl.Series(known),
        cost=pl.lit(None, pl.Float64) if paid is None else pl.Series(paid),
    )


def arms_control(job: PolicyJob, units: Units) -> int:
    """The code of the control among the arms of the policy."""
    control = job.settings.log.control
    return 0 if control is None else units.arms.index(control)


def arm_costs(job: PolicyJob, units_at: Path, units: Units) -> NDArray[Any] | None:
    """(arms,) or (units, arms) what each arm costs: as the file says, or from columns of the units; None where only the cost of the arm that was given is known."""
    given = job.settings.log.cost
    if not isinstance(given, dict):
        return None
    with build.located(job.file, ("log", "cost")):
        missing = [arm for arm in units.arms if arm not in given]
        if missing:
            raise ParameterError(f"Every arm needs a cost. Without one: {', '.join(missing)}.")
        if all(isinstance(value, (int, float)) for value in given.values()):
            return np.array([given[arm] for arm in units.arms], np.float64)
        from vitrina.policy import Units

        read = Units.of_frame(units_at, features=[str(given[arm]) for arm in units.arms], arms=units.arms)
        return np.column_stack([read.features[str(given[arm])].cast(pl.Float64).to_numpy() for arm in units.arms])


def _policy(folder: Path, *, trust: bool) -> Any:
    from vitrina import artifacts

    policy: Any = artifacts.load(folder, trust=trust).recommender
    if not hasattr(policy, "probabilities"):
        raise ParameterError(f"{folder} holds no policy but {policy!r}. Give the folder that 'vitrina policy learn' wrote.")
    return policy


def _units(job: PolicyJob, units_at: Path, arms: tuple[str, ...]) -> Units:
    from vitrina.policy import Units

    log = job.settings.log
    return Units.of_frame(units_at, unit=log.unit, features=log.features, arms=arms, allowed=log.allowed)
