"""What came of an experiment: each metric's difference from control with its interval, after what must hold was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from scipy.special import ndtri, stdtrit

from vitrina.base.errors import ParameterError
from vitrina.base.power import POWER
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.experiments import sentences
from vitrina.experiments.checks import design_notes, incomparable, trial_checks
from vitrina.experiments.effects import NAN, effect_of
from vitrina.experiments.holm import holm
from vitrina.experiments.metrics import Mean, Metric
from vitrina.experiments.slices import by_slice, sentences_of
from vitrina.experiments.trial import Trial, read_trial, shares_of
from vitrina.policy.checks import Checks

SCHEMA = {
    "metric": pl.String, "role": pl.String, "arm": pl.String, "control": pl.String, "units_control": pl.Int64, "units": pl.Int64,
    "control_value": pl.Float64, "value": pl.Float64, "difference": pl.Float64, "error": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "relative": pl.Float64, "relative_low": pl.Float64, "relative_high": pl.Float64, "p": pl.Float64, "p_adjusted": pl.Float64,
    "detectable": pl.Float64, "margin": pl.Float64, "verdict": pl.String, "sentence": pl.String,
}  # fmt: skip


@final
@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """Differences from control, and what was checked before.

    Args:
        table: metric, role (goal, guard, or beside: shown with a goal and deciding nothing), arm, control, units_control, units, control_value, value
            (adjusted by the covariate where there is one), difference, error, low and high of this difference alone, the same relative to control
            (null where a value isn't above 0), p, p_adjusted (Holm over all goals and arms, null for others), detectable (what would have been seen in four runs of
            five), margin of a guard, verdict and sentence.
        checks: of the assignment and the metrics.
        confidence: of each interval, and of all verdicts on goals together.
        slices: the same per slice and group, p_adjusted over all of them; None where none was asked.
        heterogeneity: whether the effect differs between the groups of each slice: slice, metric, arm, groups, q (Cochran's), p, p_adjusted and sentence.
        forced: whether numbers are shown though the checks refuse them.
    """

    table: pl.DataFrame
    checks: Checks
    confidence: float
    slices: pl.DataFrame | None = None
    heterogeneity: pl.DataFrame | None = None
    forced: bool = False

    @property
    def refused(self) -> bool:
        """Whether there are no numbers, because of the checks."""
        return self.checks.verdict == "refuse" and not self.forced

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a manager needs: refusals and warnings first, then one for each metric and arm."""
        told = [c.sentence for c in self.checks.rows if c.verdict != "pass"]
        if self.refused:
            return tuple(told)
        return (
            *told,
            *self.table["sentence"],
            *(() if self.heterogeneity is None else sentences_of(self.heterogeneity, 1 - self.confidence)),
        )

    def __repr__(self) -> str:
        metrics, arms = self.table["metric"].n_unique(), self.table["arm"].n_unique()
        return f"Analysis({metrics} metric{'s' * (metrics > 1)}, {arms} arm{'s' * (arms > 1)} against {self.table['control'][0]!r}, checks: {self.checks.verdict})"

    def __rich__(self) -> Any:
        return sentences.printed(self.table, self.sentences, self.refused)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)


def analyse(
    table: Any,
    metrics: Mapping[str, Metric],
    *,
    arm: str,
    unit: str | None = None,
    control: Any = None,
    shares: Any = None,
    cluster: str | None = None,
    slices: Sequence[str] = (),
    confidence: float = 0.95,
    force: bool = False,
) -> Analysis:
    """Analyse an experiment: is it sound, which arm differs from control in what, by how much, and what could not have been seen.

    The unit that was assigned is what is independent. With several rows per unit, `unit` names it and its rows are added up first; where whole clusters were assigned
    (households, shops) and the unit is finer, `cluster` names them and errors are those of ratios over clusters. Statistics are tea-tasting's: Welch's t, the
    delta method, CUPED, Holm over all goals and arms.

    Args:
        table: a Polars, pandas or Arrow table, or a path, with ALL units that were assigned: who did nothing has zeros.
        metrics: name -> `Mean`, `Share` or `Ratio`; with a `margin` it is a guard.
        arm: column of the arm; rows without one weren't in the experiment.
        unit: column of what was assigned; None: each row is a unit.
        control: the arm that the others are compared with; None: the first of `shares`, else the first by name.
        shares: {arm: share} that was planned, or the `Experiment`.
        cluster: column of what was assigned as a whole, where units are parts of it.
        slices: columns by which effects are shown too; known of each unit before it was assigned.
        confidence: of each interval, and of all verdicts on goals together.
        force: show numbers that the checks refuse.

    Raises:
        DataError: a column or a row can't be used.
        UnknownNameError: an arm that the design doesn't have.
        MissingExtraError: tea-tasting isn't installed.

    Cost: a pass over the table per column, a few products per metric; nothing per arm.

    >>> import numpy as np, polars as pl
    >>> rng = np.random.default_rng(0)
    >>> table = pl.DataFrame({"user": np.arange(4000), "group": np.arange(4000) % 2}).with_columns(revenue=pl.Series(rng.exponential(10, 4000)) + pl.col("group"))
    >>> found = analyse(table, {"revenue": Mean(column="revenue")}, arm="group", unit="user", shares={0: 0.5, 1: 0.5})
    >>> found
    Analysis(1 metric, 1 arm against '0', checks: pass)
    >>> found.table.select("difference", "low", "high", "verdict").row(0)[3]
    'better'
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of analyse is between 0 and 1. Got {confidence}.", parameter="confidence", value=confidence)
    if not isinstance(metrics, Mapping) or not metrics or not all(isinstance(m, Metric) for m in metrics.values()):
        raise ParameterError(
            f'The \'metrics\' of analyse are {{name: metric}}, such as {{"revenue": Mean(column="revenue")}}. Got {metrics!r}.',
            parameter="metrics",
        )
    if isinstance(slices, str):
        raise ParameterError(
            f"The 'slices' of analyse are a list of columns: [{slices!r}]. Got {slices!r}.", parameter="slices", value=slices
        )
    planned = shares_of(shares)
    trial = read_trial(table, metrics, arm=arm, unit=unit, control=control, shares=planned, cluster=cluster, slices=slices)
    samples = {name: trial.sample(name) for name in metrics}
    rows = with_verdicts(list(_rows(trial, samples, confidence)), metrics, confidence)
    groups, heterogeneity, more = by_slice(trial, confidence) if slices else (None, None, [])
    checks = Checks((*design_notes(shares), *trial_checks(trial, planned, samples), *more))
    refused = checks.verdict == "refuse" and not force
    if not force:
        rows = [row | _untold(row) if row["of"] in incomparable(checks.rows) else row for row in rows]
    found = pl.DataFrame([_shown(row, refused) for row in rows], schema=SCHEMA).with_columns(pl.selectors.float().fill_nan(None))
    return Analysis(found, checks, confidence, *((None, None) if refused else (groups, heterogeneity)), force)


def _rows(trial: Trial, samples: Mapping[str, Any], confidence: float) -> Iterator[dict[str, Any]]:
    """Each metric and arm beside control; a winsorised metric has a second row."""
    for name, metric in trial.metrics.items():
        sample = samples[name]
        yield from _compared(name, "guard" if metric.guards else "goal", trial, sample, confidence)
        if isinstance(metric, Mean) and metric.winsorised is not None and len(sample.arms):
            cap = float(np.quantile(sample.columns["numerator"], metric.winsorised))
            if cap <= sample.columns["numerator"].min():
                raise ParameterError(
                    f"The 'winsorised' of {name!r} must leave something: at the quantile {metric.winsorised:g} all units would have {cap:g}. Take a higher one, or leave it out.",
                    parameter="winsorised", value=metric.winsorised,
                )  # fmt: skip
            label = f"{name}, at most {cap:,.6g} (quantile {metric.winsorised:g})"
            yield from _compared(label, "beside", trial, trial.sample(name, cap=cap), confidence, metric=name)


def _compared(label: str, role: str, trial: Trial, sample: Any, confidence: float, metric: str | None = None) -> Iterator[dict[str, Any]]:
    names, moments = sample.moments(len(trial.arms))
    units = np.bincount(sample.arms, minlength=len(trial.arms)).tolist()
    for k, arm in enumerate(trial.arms):
        if k == trial.control:
            continue
        found = effect_of(names, moments[trial.control], moments[k], confidence)
        yield {
            "metric": label, "of": metric or label, "role": role, "arm": arm, "control": trial.arms[trial.control],
            "units_control": units[trial.control], "units": units[k], "independent": moments.counts[[trial.control, k]], **found.named(),
        }  # fmt: skip


def with_verdicts(rows: list[dict[str, Any]], metrics: Mapping[str, Metric], confidence: float) -> list[dict[str, Any]]:
    """The rows with p_adjusted, verdict, what could have been seen, and a sentence."""
    goals = [row for row in rows if row["role"] == "goal" and not np.isnan(row["p"])]
    adjusted = dict(zip(map(id, goals), holm([row["p"] for row in goals]), strict=True))
    done = []
    for row in rows:
        metric = metrics[row["of"]]
        p = adjusted.get(id(row), NAN)
        freedom = max(float(row["independent"].sum()) - 2, 1.0)
        alpha = (1 - confidence) / (max(len(goals), 1) if row["role"] == "goal" else 1)
        detectable = float(stdtrit(freedom, 1 - alpha / 2) + ndtri(POWER)) * row["error"]
        told = row | {"p_adjusted": p, "detectable": detectable, "margin": metric.margin}
        told["verdict"] = guard_verdict(told, metric) if row["role"] == "guard" else goal_verdict(told, metric, 1 - confidence)
        done.append(told | {"sentence": sentences.of_row(told, metric, len(goals), confidence)})
    return done


def goal_verdict(row: Mapping[str, Any], metric: Metric, alpha: float) -> str:
    """better, worse, no measurable difference, or not known where there is no interval."""
    p = row["p_adjusted"] if row["role"] == "goal" else row["p"]
    if np.isnan(p):
        return "not known" if np.isnan(row["difference"]) or row["error"] != 0 or row["difference"] else "no measurable difference"
    if p > alpha:
        return "no measurable difference"
    return "better" if (row["difference"] < 0) == metric.lower_is_better else "worse"


def guard_verdict(row: Mapping[str, Any], metric: Metric) -> str:
    """holds where the whole interval is within the margin, broken where it is wholly beyond, else not proved."""
    assert metric.margin is not None
    low, high = row["relative_low"], row["relative_high"]
    if metric.lower_is_better:
        low, high = -high, -low
    if np.isnan(low):
        same = row["difference"] == 0 and row["error"] == 0
        return "holds" if same else "not proved"
    return "holds" if low > -metric.margin else "broken" if high < -metric.margin else "not proved"


def _untold(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of a metric that who has depends on the arm: the numbers of those who have it, and no verdict."""
    verdict = "not proved" if row["role"] == "guard" else "not known"
    return {
        "p_adjusted": NAN,
        "verdict": verdict,
        "sentence": f"{row['metric']}: {verdict} of {row['arm']!r}, as who has a number depends on the arm.",
    }


def _shown(row: dict[str, Any], refused: bool) -> dict[str, Any]:
    """The row as it is in the table; without its numbers where they are refused."""
    if not refused:
        return {name: row[name] for name in SCHEMA}
    kept = ("metric", "role", "arm", "control", "units_control", "units", "margin")
    return {name: row[name] if name in kept else None for name in SCHEMA} | {"verdict": "refused"}
