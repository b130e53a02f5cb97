"""What the commands on experiments do: arms of a table, and the analysis of what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import build
from vitrina.data.read.sources import find_sources
from vitrina.experiments import analyse, sequential

if TYPE_CHECKING:
    from vitrina.cli.experiment_file import ExperimentJob
    from vitrina.experiments import Analysis, Sequential

FILES = (".csv", ".parquet")
ARM = "vitrina arm"  # of the column that is made where the table has none


def arms_of(job: ExperimentJob) -> pl.DataFrame:
    """The units of [users] in their order, each once: id, arm, propensity, outside.

    Raises:
        DataError: there is no such column, or a row has no id.
    """
    given = job.section("users")
    with build.located(job.file, ("users",)):
        table = _columns(job, "users", [given.unit, *([given.stratum] if given.stratum else [])]).unique(maintain_order=True)
        strata = None if given.stratum is None else table[given.stratum]
        try:
            made = job.experiment.assign(table[given.unit], strata=strata)
        except ParameterError as error:
            raise DataError(f"The column {given.unit!r}: {error}") from None
    return made.rename({job.experiment.unit: given.unit})


def in_words(job: ExperimentJob, table: pl.DataFrame) -> dict[str, Any]:
    """How many are in each arm, and outside of the experiment."""
    arms = {arm: int((table["arm"] == arm).sum()) for arm in job.experiment.arms}
    outside = dict(table["outside"].drop_nulls().value_counts(sort=True).iter_rows())
    listed = ", ".join(f"{arm} {count:,}" for arm, count in arms.items())
    left = f" Outside: {', '.join(f'{why} {count:,}' for why, count in outside.items())}." if outside else ""
    said = f"{table.height:,} {job.experiment.unit}s: {listed}.{left} Log the arm and its propensity with what comes of it."
    return {"experiment": job.experiment.name, "units": table.height, "arms": arms, "outside": outside, "sentence": said}


def analysed(job: ExperimentJob, *, anyway: bool) -> tuple[Analysis, Sequential | None]:
    """What came of it, and the same day by day where there is a time.

    Raises:
        DataError: a column or a row can't be used.
        ParameterError: arms can't be found again.
    """
    given = job.section("results")
    with build.located(job.file, ("results",)):
        if given.time is not None and given.planned is None:
            raise ParameterError(
                "With a time the always-valid interval needs the units at which the experiment was meant to end: planned =.",
                parameter="time",
            )
        table, arm = (job.source("results"), given.arm) if given.arm is not None else (_with_arms(job), ARM)
        asked = {
            "arm": arm,
            "unit": given.unit,
            "shares": job.experiment,
            "cluster": given.cluster,
            "confidence": given.confidence,
            "force": anyway,
        }
        found = analyse(table, job.metrics, slices=given.slices, **asked)
        return found, None if given.time is None else sequential(table, job.metrics, time=given.time, planned=given.planned, **asked)


def _with_arms(job: ExperimentJob) -> pl.DataFrame:
    """The table of results with the arm that the hash gives each unit, or each cluster where these are assigned."""
    given = job.section("results")
    by = given.cluster or given.unit
    if by is None:
        raise ParameterError(
            "Arms are found again by the id of who was assigned: name its column with unit =, or the column of the arm with arm =.",
            parameter="unit",
        )
    if job.settings.users is not None and job.settings.users.stratum is not None:
        raise ParameterError(
            "Arms within strata depend on the whole list and can't be found again by the id: name the column of the arm with arm =.",
            parameter="arm",
        )
    table = _columns(job, "results", None)
    if by not in table.columns:
        raise UnknownNameError.of("column", by, table.columns)
    return table.with_columns(job.experiment.assign(table[by])["arm"].alias(ARM))


def _columns(job: ExperimentJob, section: str, names: list[str] | None) -> pl.DataFrame:
    """The columns of all files of a section; all columns for None."""
    parts = []
    for source in find_sources(job.source(section)):
        for name in names or ():
            if name not in source.columns:
                raise UnknownNameError.of(f"column of {source.label}", name, source.columns)
        parts += [chunk.frame for chunk in source.chunks(list(dict.fromkeys(names or source.columns)))]
    return pl.concat(parts, how="vertical_relaxed")
