"""From a table to the fields of a DecisionLog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.sources import find_sources
from vitrina.policy.reading import (
    Arms,
    Columns,
    Ids,
    Wanted,
    arm_name,
    chances,
    coded,
    costs,
    listed,
    logged_chances,
    read_columns,
    rewards,
)
from vitrina.policy.units import ROUNDED, units_of, units_wanted
from vitrina.types import Float64, Int32

PerArm = Mapping[Any, float | str]


def parsed(
    table: Any, *, action: str, reward: str | Sequence[str] | None, unit: str | None, propensity: str | PerArm | None, cluster: str | None, time: str | None,
    cost: str | PerArm | None, features: Sequence[str] | None, arms: Sequence[Any] | None, control: Any, allowed: Mapping[Any, str] | None,
    time_unit: GivenUnit | None, any_year: bool,
) -> dict[str, Any]:  # fmt: skip
    """The fields of the log; the arguments are those of `DecisionLog.of_frame`."""
    names: list[Any] = [] if reward is None else list(reward) if isinstance(reward, list | tuple) else [reward]
    _refuse_kinds(names, arms, {"propensity": propensity, "cost": cost})
    _refuse_leaks(action, names, propensity, features)
    chosen, ids, clusters, clock = Arms(_arms_given(arms, propensity, cost)), Ids(), Ids(), Clock(time_unit, any_year)
    wanted = units_wanted(unit, ids, features, allowed) | {"action": Wanted("action", action, chosen)}
    wanted |= {f"reward {name}": Wanted("reward", name, rewards()) for name in names}
    if isinstance(propensity, str):
        wanted["propensity"] = Wanted("propensity", propensity, logged_chances())
    if isinstance(cost, str):
        wanted["cost"] = Wanted("cost", cost, costs())
    if cluster is not None:
        wanted["cluster"] = Wanted("cluster", cluster, clusters)
    if time is not None:
        wanted["time"] = Wanted("time", time, lambda column, name, source: clock.read(column, name))
    for what, given, reader in (("propensity", propensity, chances), ("cost", cost, costs)):
        if isinstance(given, Mapping):
            wanted |= {
                f"{what} {arm_name(arm)}": Wanted(what, column, reader()) for arm, column in given.items() if isinstance(column, str)
            }
    columns = read_columns(find_sources(table, "the table of decisions"), wanted)
    order, actions = _in_order(chosen, columns.values["action"])
    units = units_of(columns, ids, order)
    codes, cluster_ids = _clusters(columns, clusters, units.ids)
    arm_costs = _per_arm(columns, "cost", cost, order) if isinstance(cost, Mapping) else None
    design = _design(columns, action, propensity, order, actions) if isinstance(propensity, Mapping) else None
    paid = columns.values["cost"].to_numpy() if isinstance(cost, str) else None if arm_costs is None else of_logged(arm_costs, actions)
    return {
        "units": units, "actions": actions, "rewards": {name: columns.values[f"reward {name}"].to_numpy() for name in names}, "clusters": codes, "cluster_ids": cluster_ids,
        "propensities": columns.values["propensity"].to_numpy() if isinstance(propensity, str) else None, "design": design,
        "times": columns.values["time"].to_numpy() if time is not None else None, "time_unit": None if time is None else "us" if clock.real else "step",
        "costs": paid, "arm_costs": arm_costs, "control": _control(control, order),
    }  # fmt: skip


def _refuse_kinds(names: Sequence[Any], arms: Any, per_arm: Mapping[str, Any]) -> None:
    """What stands for columns and arms is of the kind that it must be."""
    if not all(isinstance(name, str) for name in names):
        raise ParameterError(f"The 'reward' of a DecisionLog must name a column, or be a list of names. Got {names!r}.", parameter="reward")
    if isinstance(arms, str) or not isinstance(arms, Iterable | None):
        raise ParameterError(f"The 'arms' are a list in order, such as ['none', 'mail']. Got {arms!r}.", parameter="arms")
    for what, given in per_arm.items():
        if not isinstance(given, str | Mapping | None):
            raise ParameterError(
                f"The {what!r} must name a column, or be given per arm: {{'none': 0.5, 'mail': 0.5}}, with numbers or names of columns. Got {given!r}.",
                parameter=what, value=given,
            )  # fmt: skip


def _refuse_leaks(action: str, names: Sequence[str], propensity: Any, features: Sequence[str] | None) -> None:
    if len(set(names)) != len(names):
        raise ParameterError(f"The 'reward' of a DecisionLog must name each column once. Got {listed(names)}.", parameter="reward")
    if action in names:
        raise ParameterError(f"Action and reward must be two columns. Both are {action!r}.", parameter="reward")
    logged = {action: "the action", **dict.fromkeys(names, "a reward")} | (
        {propensity: "the propensity"} if isinstance(propensity, str) else {}
    )
    for name in features or () if not isinstance(features, str) else ():
        if name in logged:
            raise ParameterError(
                f"The 'features' are what was known before the decision, and {name!r} is {logged[name]}. Leave it out.",
                parameter="features",
            )


def _arms_given(arms: Sequence[Any] | None, *per_arm: Any) -> tuple[str, ...] | None:
    """The arms in order: as named, else as the first of what is given per arm has them; None where they are to be found.

    Raises:
        ParameterError: what is given per arm has other arms than `arms`, or one of them twice.
    """
    given = [
        tuple(arm_name(arm) for arm in table) for table in (arms, *per_arm) if isinstance(table, Iterable) and not isinstance(table, str)
    ]
    if not given:
        return None
    for names in given:
        if len(set(names)) != len(names) or not names:
            raise ParameterError(f"The 'arms' must have names of their own, and there must be one. Got {listed(names)}.", parameter="arms")
        if set(names) != set(given[0]):
            raise ParameterError(
                f"Propensities and costs that are given per arm must cover all arms, {listed(given[0])}. Got {listed(names)}. "
                "An arm that costs nothing has the cost 0."
            )
    return given[0]


def _in_order(chosen: Arms, codes: pl.Series) -> tuple[tuple[str, ...], Int32]:
    """The arms, and the code of each row in their order."""
    found = codes.to_numpy().astype(np.int32, copy=False)
    if chosen.known is not None:
        return chosen.known, found
    order = chosen.order()
    place = {arm: code for code, arm in enumerate(order)}
    return order, np.array([place[arm] for arm in chosen.found], np.int32)[found]


def _clusters(columns: Columns, reader: Ids, unit_ids: pl.Series) -> tuple[Int32, pl.Series]:
    if "cluster" in columns.values:
        return coded(reader.typed(columns.values["cluster"]).rename("cluster"))
    if "unit" in columns.values:
        return coded(unit_ids)
    return np.arange(len(unit_ids), dtype=np.int32), unit_ids


def _per_arm(columns: Columns, what: str, given: PerArm, order: Sequence[str]) -> Float64:
    """(arms,) numbers, or (rows, arms) where a column is named.

    Raises:
        ParameterError: a number is none, or isn't finite.
    """
    named = {arm_name(arm): value for arm, value in given.items()}
    for arm, value in named.items():
        if not isinstance(value, str) and (
            isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value)
        ):
            raise ParameterError(
                f"The {what!r} of the arm {arm!r} must be a finite number, or the name of a column. Got {value!r}.", parameter=what
            )
    if not any(isinstance(value, str) for value in named.values()):
        return np.array([float(named[arm]) for arm in order])
    table = np.empty((len(columns.rows), len(order)))
    for code, arm in enumerate(order):
        table[:, code] = columns.values[f"{what} {arm}"].to_numpy() if isinstance(named[arm], str) else named[arm]
    return table


def of_logged(per_arm: Float64, actions: Int32) -> Float64:
    """(rows,) of what is given per arm that of the logged one."""
    return per_arm[actions] if per_arm.ndim == 1 else per_arm[np.arange(len(actions)), actions]


def _design(columns: Columns, action: str, given: PerArm, order: Sequence[str], actions: Int32) -> Float64:
    """Chances of all arms that sum to 1, and are above 0 for the logged one."""
    design = _per_arm(columns, "propensity", given, order)
    if design.ndim == 1:
        if ((design < 0) | (design > 1)).any() or abs(design.sum() - 1) > ROUNDED:
            shown = ", ".join(f"{arm} {chance:g}" for arm, chance in zip(order, design, strict=True))
            raise ParameterError(
                f"The chances of all arms must be from 0 to 1 and sum to 1. Got {shown}, which sum to {design.sum():g}.",
                parameter="propensity",
            )
    else:
        total = design.sum(axis=1)
        off = np.flatnonzero(np.abs(total - 1) > ROUNDED)
        if len(off):
            names = [value if isinstance(value, str) else f"{value:g}" for value in given.values()]
            _refuse(
                columns,
                off,
                f"the chances of all arms ({listed(names)}) must sum to 1, but sum to {total[off[0]]:g}",
                "Give the chance of every arm.",
            )
    never = np.flatnonzero(of_logged(design, actions) <= 0)
    if len(never):
        arm = order[int(actions[never[0]])]
        what = f"the column {action!r} holds the arm {arm!r}, whose chance was 0,"
        _refuse(columns, never, what, "What was drawn had a chance: mend the chances, or leave out decisions that were not drawn.")
    return design


def _refuse(columns: Columns, rows: Any, what: str, remedy: str) -> NoReturn:
    raise DataError(f"{columns.label}: {what} in {columns.places(rows)}. {remedy}")


def _control(control: Any, order: Sequence[str]) -> int:
    name = order[0] if control is None else arm_name(control)
    if name not in order:
        raise UnknownNameError.of("arm", name, order)
    return order.index(name)
