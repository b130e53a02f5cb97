"""Several logs as one, when each was made by another policy whose chances are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy.log import DecisionLog
from vitrina.policy.policies import chances_of
from vitrina.policy.units import ROUNDED, Units
from vitrina.types import Float64, Int32


def pooled(logs: Mapping[str, DecisionLog], policies: Mapping[str, Any] | None = None) -> DecisionLog:
    """One log whose chances are those of the mixture: sum over k of n_k / n times the chance by the policy of log k.

    Weights are then balanced, w = pi / sum_k (n_k / n) pi_k ([Agarwal, Basu, Schnabel and Joachims 2017](https://arxiv.org/abs/1703.07813)): a row that one of the policies would seldom have
    made has no huge weight where another would often have. For each row the chance of its arm must be known under EVERY policy. A log whose chances are the same for all units says that by
    itself; where they depend on the unit, the policy that made the log is needed.

    Args:
        logs: name -> log, with the same arms, rewards and features.
        policies: name -> the policy that made that log, for those whose chances depend on the unit. It must give the log's own chances.

    Returns:
        The rows of all, log after log. Units of the same id are one cluster, unless ids are numbers of rows.

    Raises:
        ParameterError: arms, rewards or features differ, or there are fewer than two logs.
        DataError: a chance isn't known, or a policy isn't the one that made its log.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"who": ["a", "b"], "arm": ["x", "y"], "r": [1.0, 0.0]})
    >>> often, seldom = (vt.policy.DecisionLog.of_frame(table, unit="who", action="arm", reward="r", propensity={"x": p, "y": 1 - p}) for p in (0.9, 0.1))
    >>> pooled({"often": often, "seldom": seldom}).propensity.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if len(logs) < 2:
        raise ParameterError(f"Two logs or more are pooled. Got {len(logs)}.", parameter="logs")
    parts, first = list(logs.values()), next(iter(logs.values()))
    for name, log in logs.items():
        for what, own, wanted in (
            ("arms", log.arms, first.arms), ("rewards", tuple(log.rewards), tuple(first.rewards)),
            ("features", tuple(log.units.features.columns), tuple(first.units.features.columns)),
        ):  # fmt: skip
            if own != wanted:
                raise ParameterError(
                    f"Logs that are pooled have the same {what}, in the same order. {name!r} has {own}, and another {wanted}.",
                    parameter="logs",
                )
    n = sum(map(len, parts))
    design = np.zeros((n, len(first.arms)))
    for name, log in logs.items():
        _add_chances(design, name, log, logs, (policies or {}).get(name), len(log) / n)
    clusters, ids, note = _clusters(logs)
    both = {column: np.concatenate([log.rewards[column] for log in parts]) for column in first.rewards}
    return DecisionLog(
        units=_units(parts), actions=np.concatenate([log.actions for log in parts]), rewards=both, clusters=clusters, cluster_ids=ids, design=design,
        control=first.control, costs=_of_all([log.costs for log in parts]), notes=(*dict.fromkeys(note for log in parts for note in log.notes), note),
        **({"times": _of_all([log.times for log in parts]), "time_unit": first.time_unit} if len({log.time_unit for log in parts}) == 1 else {}),
    )  # fmt: skip


def _add_chances(design: Float64, name: str, log: DecisionLog, logs: Mapping[str, DecisionLog], policy: Any, share: float) -> None:
    """Add what the policy of one log would have done on the rows of all."""
    if policy is None and (log.design is None or log.design.ndim == 2):
        known = "only the chance of the arm that it logged" if log.design is None else "chances that depend on the unit"
        raise DataError(
            f"To pool logs, the chances by which {name!r} was made must be known on the rows of the others too, and it has {known}. "
            f"Give the policy that made it, policies={{{name!r}: ...}}, or judge on each log alone."
        )
    at = 0
    for other in logs.values():
        rows = slice(at, at + len(other))
        own = log.design if policy is None else chances_of(policy, other)
        assert own is not None
        if policy is not None and other is log and (np.abs(own[np.arange(len(log)), log.actions] - log.propensity) > ROUNDED).any():
            raise DataError(
                f"The policy given for {name!r} isn't the one that made it: it gives other chances for the arms that were logged."
            )
        design[rows] += share * own
        at += len(other)


def _clusters(logs: Mapping[str, DecisionLog]) -> tuple[Int32, pl.Series, str]:
    """(n,) codes, ids, and how they were matched."""
    parts = list(logs.values())
    numbered = all(
        log.cluster_ids.dtype.is_integer() and np.array_equal(log.cluster_ids.to_numpy(), np.arange(1, len(log.cluster_ids) + 1))
        for log in parts
    )
    if numbered or len({log.cluster_ids.dtype for log in parts}) > 1:
        sizes = np.cumsum([0, *(len(log.cluster_ids) for log in parts)])
        codes = np.concatenate([log.clusters + start for log, start in zip(parts, sizes, strict=False)]).astype(np.int32)
        ids = pl.concat([pl.Series("cluster", [f"{name}: {one}" for one in log.cluster_ids.to_list()]) for name, log in logs.items()])
        why = "numbers of rows" if numbered else "of different kinds"
        return codes, ids, f"Pooled from {len(parts)} logs, whose ids are {why}: nobody is taken to be in two of them."
    every = pl.concat([log.cluster_ids.alias("cluster") for log in parts])
    place = (every.rank("dense") - 1).cast(pl.Int64).to_numpy()
    ids = every.unique().sort()
    starts = np.cumsum([0, *(len(log.cluster_ids) for log in parts)])
    codes = np.concatenate([place[start + log.clusters] for log, start in zip(parts, starts, strict=False)]).astype(np.int32)
    return codes, ids, f"Pooled from {len(parts)} logs: {len(every) - len(ids):,} clusters are in more than one of them, and count once."


def _units(parts: list[DecisionLog]) -> Units:
    ids = [log.units.ids for log in parts]
    if len({one.dtype for one in ids}) > 1:
        ids = [one.cast(pl.String) for one in ids]
    masks = [log.units.allowed for log in parts]
    allowed = None if all(m is None for m in masks) else np.concatenate([
        np.ones((len(log), len(log.arms)), bool) if m is None else m for log, m in zip(parts, masks, strict=True)
    ])  # fmt: skip
    features = (
        pl.concat([log.units.features for log in parts], how="vertical_relaxed")
        if parts[0].units.features.width
        else parts[0].units.features
    )
    return Units(pl.concat(ids), features, parts[0].arms, allowed)


def _of_all(columns: list[Any]) -> Any:
    """One column; None where a log has none."""
    return None if any(column is None for column in columns) else np.concatenate(columns)
