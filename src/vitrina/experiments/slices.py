"""Effects by segment, held against the first question: does the effect differ between segments at all?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.special import chdtrc

from vitrina.evaluate.slices import groups_of, labelled
from vitrina.experiments.checks import independent
from vitrina.experiments.effects import effect_of
from vitrina.experiments.holm import holm
from vitrina.experiments.sentences import percent
from vitrina.experiments.trial import Trial
from vitrina.policy.checks import ALARM, Check

GROUPS = {
    "slice": pl.String, "group": pl.String, "metric": pl.String, "arm": pl.String, "control": pl.String, "units_control": pl.Int64, "units": pl.Int64,
    "control_value": pl.Float64, "value": pl.Float64, "difference": pl.Float64, "error": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "relative": pl.Float64, "relative_low": pl.Float64, "relative_high": pl.Float64, "p": pl.Float64, "p_adjusted": pl.Float64,
}  # fmt: skip
HETEROGENEITY = {
    "slice": pl.String, "metric": pl.String, "arm": pl.String, "groups": pl.Int64, "q": pl.Float64, "p": pl.Float64, "p_adjusted": pl.Float64,
    "sentence": pl.String,
}  # fmt: skip


def by_slice(trial: Trial, confidence: float) -> tuple[pl.DataFrame, pl.DataFrame, list[Check]]:
    """The effects in each group, whether they differ between groups, and whether the slices were known before the assignment.

    Effects differ where Cochran's Q = sum_g (d_g - d)^2 / error_g^2, with d their mean weighted by 1 / error_g^2, is more than chance makes of it: chi-square with one
    less than the groups. Its p is adjusted by Holm over slices, metrics and arms, and those of the groups over all groups of the table. A cluster that is in
    several groups makes Q too small, never too large.
    """
    labels = {name: labelled(trial.slices[name]) for name in trial.slices.columns}
    labels = {name: series for name, series in labels.items() if series.n_unique() > 1}
    rows = list(_groups(trial, labels, confidence))
    _adjust(rows)
    found = pl.DataFrame(rows, schema=GROUPS).with_columns(pl.selectors.float().fill_nan(None))
    differing = [_heterogeneity(key, part) for key, part in found.group_by("slice", "metric", "arm", maintain_order=True)]
    _adjust(differing)
    told = [row | {"sentence": _sentence(row, found, 1 - confidence)} for row in differing]
    return (
        found,
        pl.DataFrame(told, schema=HETEROGENEITY).with_columns(pl.selectors.float().fill_nan(None)),
        list(_known_before(trial, labels)),
    )


def _groups(trial: Trial, labels: Mapping[str, pl.Series], confidence: float) -> Iterator[dict[str, Any]]:
    arms, control = len(trial.arms), trial.control
    for name, _, group, index in groups_of(labels, len(trial)):
        where = np.zeros(len(trial), bool)
        where[index] = True
        for metric in trial.metrics:
            sample = trial.sample(metric, where)
            names, moments = sample.moments(arms)
            units = np.bincount(sample.arms, minlength=arms).tolist()
            for k in (k for k in range(arms) if k != control):
                found = effect_of(names, moments[control], moments[k], confidence)
                yield {
                    "slice": name, "group": group, "metric": metric, "arm": trial.arms[k], "control": trial.arms[control], "units_control": units[control],
                    "units": units[k], **found.named(),
                }  # fmt: skip


def _heterogeneity(key: tuple[Any, ...], part: pl.DataFrame) -> dict[str, Any]:
    known = part.filter(pl.col("error") > 0)
    d, weight = known["difference"].to_numpy(), 1 / known["error"].to_numpy() ** 2
    q = float((weight * (d - (weight * d).sum() / weight.sum()) ** 2).sum()) if len(d) > 1 else float("nan")
    p = float(chdtrc(len(d) - 1, q)) if len(d) > 1 else float("nan")
    return dict(zip(("slice", "metric", "arm"), key, strict=True)) | {"groups": len(d), "q": q, "p": p}


def _adjust(rows: list[dict[str, Any]]) -> None:
    known = [row for row in rows if not np.isnan(row["p"])]
    for row, p in zip(known, holm([row["p"] for row in known]), strict=True):
        row["p_adjusted"] = p


def _sentence(row: Mapping[str, Any], found: pl.DataFrame, alpha: float) -> str:
    head = f"{row['metric']} of {row['arm']!r} by {row['slice']}"
    p = row.get("p_adjusted")
    if p is None:
        return f"{head}: too few groups have an interval to say whether the effect differs between them."
    if p > alpha:
        return f"{head}: no sign that the effect differs between groups (p {p:.2f}), so the groups' own numbers are the overall effect and chance."
    part = found.filter(slice=row["slice"], metric=row["metric"], arm=row["arm"]).drop_nulls("error").sort("difference")
    ends = [f"{part[key][at]}" for key, at in (("group", 0), ("group", -1))]
    shown = [percent(part["relative"][at]) if part["relative"].null_count() == 0 else f"{part['difference'][at]:+.4g}" for at in (0, -1)]
    return f"{head}: the effect differs between groups (p {p:.2g}): from {shown[0]} in {ends[0]!r} to {shown[1]} in {ends[1]!r}. Try it again on new units before acting on one group."


def sentences_of(heterogeneity: pl.DataFrame, alpha: float) -> list[str]:
    """What the slices say: one sentence for all of a slice without a sign, and one for each that has one."""
    told = []
    for (name,), part in heterogeneity.group_by("slice", maintain_order=True):
        none = part.filter(pl.col("p_adjusted") > alpha)
        if none.height > 1:
            told.append(
                f"By {name}: no sign that the effect on {_listed(none)} differs between groups (p {none['p_adjusted'].min():.2f} or more), so the groups' own numbers are "
                "the overall effect and chance."
            )
        rest = part if none.height < 2 else part.filter((pl.col("p_adjusted") <= alpha) | pl.col("p_adjusted").is_null())
        told += rest["sentence"].to_list()
    return told


def _listed(rows: pl.DataFrame) -> str:
    names = rows["metric"].unique(maintain_order=True).to_list()
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _known_before(trial: Trial, labels: Mapping[str, pl.Series]) -> Iterator[Check]:
    """A slice that depends on the arm came of the treatment."""
    arms = len(trial.arms)
    had = np.bincount(trial.codes, minlength=arms)
    for name, series in labels.items():
        groups = series.to_physical().to_numpy().astype(np.int64)
        table = np.bincount(groups * arms + trial.codes, minlength=(groups.max() + 1) * arms).reshape(-1, arms)
        statistic, p = independent(table, had)
        if p < ALARM:
            text = f"How units divide by {name!r} depends on the arm, which chance alone doesn't do: was it known before the assignment? Then effects by it mean nothing."
            yield Check(f"slice: {name}", "warn", text, statistic, p)
