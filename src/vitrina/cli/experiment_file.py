"""The file of an experiment: a TOML with its arms and metrics, what it is planned on, who is assigned, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import build, names
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.toml import TomlFile
from vitrina.data.read.clock import GivenUnit
from vitrina.experiments import Experiment, Mean, Metric, Money, Past, Ratio, Share

if TYPE_CHECKING:
    from vitrina.cli.toml import Keys

METRICS: Mapping[str, type[Metric]] = {"Mean": Mean, "Ratio": Ratio, "Share": Share}
EXAMPLE = 'A whole one: [experiment] name = "offer", arms = {none = 0.5, ten = 0.5}; [metrics.spent] type = "Mean", column = "spent"; then [past] and [plan], [users], or [results].'


class PastSection(Section):
    """What the plan is made on: a log with a time, or a table of units with `per_day`."""

    path: str | list[str] = Field(description="A log of events, or a table with a row per unit: a path, a glob or a list of paths.")
    unit: str | None = Field(default=None, description="Column of who is assigned; each row of a table is one when left out.")
    time: str | None = Field(default=None, description="Column of the moment of an event.")
    per_day: float | list[float] | None = Field(
        default=None, description="Of a table without time: units that come per day for the first time, one number or one per day."
    )
    cluster: str | None = Field(default=None, description="Column of what is assigned as a whole (household, shop).")
    before: int = Field(default=28, ge=0, description="Days before the start whose numbers are the covariate.")
    days: int | None = Field(default=None, ge=1, description="The longest experiment to look at.")
    time_unit: GivenUnit | None = Field(default=None, description="Unit of times as numbers: s, ms, us, ns, excel.")
    any_year: bool = Field(default=False, description="Take times before 1990 and after today as they are.")


class PlanSection(Section):
    """What has to be seen, and how surely."""

    effect: float | None = Field(default=None, description="The difference from control, in the first metric.")
    relative: float | None = Field(default=None, description="The same as a share of control: 0.02 is 2%.")
    days: int | None = Field(default=None, ge=1, description="The length, where it is given.")
    power: float = Field(default=0.8, ge=0.5, lt=1, description="Chance with which the effect is seen.")
    confidence: float = Field(default=0.95, ge=0.5, lt=1, description="Of the intervals, all goals and arms together.")


class UsersSection(Section):
    """Who is assigned."""

    path: str | list[str] = Field(description="Table with those to be assigned: a path, a glob or a list of paths.")
    unit: str = Field(default="user_id", description="Column of their ids.")
    stratum: str | None = Field(
        default=None,
        description="Column within whose values the arms are made as equal as they can be; for lists that are known beforehand.",
    )


class ResultsSection(Section):
    """What came of it."""

    path: str | list[str] = Field(description="Table with the outcomes of ALL who were assigned: a path, a glob or a list of paths.")
    unit: str | None = Field(default=None, description="Column of who was assigned; each row is one when left out.")
    arm: str | None = Field(default=None, description="Column of the arm; assigned again by the hash of the unit when left out.")
    cluster: str | None = Field(default=None, description="Column of what was assigned as a whole, where the unit is a part of it.")
    slices: list[str] = Field(default_factory=list, description="Columns known before, by which effects are shown too.")
    time: str | None = Field(
        default=None, description="Column of the moment when a unit's numbers were complete: shows the experiment day by day."
    )
    planned: int | None = Field(default=None, ge=1, description="Units at which it was meant to end; needed with a time.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the intervals, all goals and arms together.")


class ReportSection(Section):
    """Where the page goes."""

    out: str = Field(default="vitrina-experiment", description="Folder for plan.html and analysis.html.")
    title: str | None = Field(default=None, description="Title of the page.")


class Settings(Section):
    """The whole file."""

    experiment: dict[str, Any] = Field(description="The arms: parameters of `vitrina.experiments.Experiment`.")
    metrics: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One table per metric, with a type: Mean, Share or Ratio; the first one decides."
    )
    past: PastSection | None = None
    plan: PlanSection = PlanSection()
    money: dict[str, Any] | None = Field(
        default=None, description="What units and treatments are worth: parameters of `vitrina.experiments.Money`."
    )
    users: UsersSection | None = None
    results: ResultsSection | None = None
    report: ReportSection = ReportSection()


@dataclass(frozen=True)
class ExperimentJob:
    """A checked file: everything is built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    experiment: Experiment
    metrics: Mapping[str, Metric]
    money: Money | None

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    def section(self, name: str) -> Any:
        """One of the tables that not every command needs.

        Raises:
            ParameterError: the file doesn't have it.
        """
        found = getattr(self.settings, name)
        if found is None:
            raise ParameterError(f"{self.file.path}: this command needs the table [{name}]. {EXAMPLE}")
        if name != "users" and not self.metrics:
            raise ParameterError(
                f'{self.file.path}: this command needs a metric, such as [metrics.spent] with type = "Mean" and column = "spent".'
            )
        return found

    def source(self, name: str) -> list[str]:
        """The paths of a section, from anywhere.

        Raises:
            DataError: there is no such file; those of other commands may come later.
        """
        given = self.section(name).path
        for one in [given] if isinstance(given, str) else given:
            if not any(c in one for c in "*?[") and not (self.file.folder / Path(one).expanduser()).exists():
                raise DataError(
                    f"{self.file.where((name, 'path'))}: there is no file {one}. Paths are relative to the file of the experiment."
                )
        return [str((self.file.folder / Path(one).expanduser()).resolve()) for one in ([given] if isinstance(given, str) else given)]

    def past(self) -> Past:
        """What the plan is made on."""
        given = self.section("past")
        with build.located(self.file, ("past",)):
            if (given.time is None) == (given.per_day is None):
                raise ParameterError(
                    "The table [past] needs either the time of events (time =), or the units that come per day (per_day =).",
                    parameter="time",
                )
            if given.time is None:
                rest = {"days": given.days} if given.days is not None and not isinstance(given.per_day, list) else {}
                return Past.of_units(
                    self.source("past"), self.metrics, per_day=given.per_day, unit=given.unit, cluster=given.cluster, **rest
                )
            if given.unit is None:
                raise ParameterError("The table [past] needs the column of who is assigned: unit =.", parameter="unit")
            return Past.of_events(
                self.source("past"), self.metrics, unit=given.unit, time=given.time, cluster=given.cluster, before=given.before, days=given.days, time_unit=given.time_unit, any_year=given.any_year
            )  # fmt: skip

    def facts(self, name: str) -> list[tuple[str, str]]:
        """What the page says of how it was made."""
        section = self.section(name)
        given = [(key, str(value)) for key, value in section.model_dump(exclude_defaults=True).items()]
        return [("file", self.file.path.name), *given, *((metric, repr(made)) for metric, made in self.metrics.items())]


def read_experiment_file(path: Path) -> ExperimentJob:
    """Read and check the file.

    Raises:
        UnknownNameError: a key, metric or parameter is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    file = TomlFile.read(path)
    settings = settings_of(file, Settings, EXAMPLE)
    experiment = build.construct(file, ("experiment",), Experiment, settings.experiment)
    metrics = {name: _metric(file, name, table) for name, table in settings.metrics.items()}
    money = None if settings.money is None else build.construct(file, ("money",), Money, settings.money)
    with build.located(file, ("money", "costs")):
        for arm in money.costs if money else ():
            if arm not in experiment.arms:
                raise UnknownNameError.of("arm with a cost", arm, experiment.arms)
    return ExperimentJob(file, settings, experiment, metrics, money)


def _metric(file: TomlFile, name: str, table: Mapping[str, Any]) -> Metric:
    keys: Keys = ("metrics", name)
    with build.located(file, (*keys, "type")):
        if "type" not in table:
            raise ParameterError(f"The metric {name!r} needs a type: {', '.join(METRICS)}.")
        cls = names.find("metric", str(table["type"]), METRICS)
    return build.construct(file, keys, cls, {key: value for key, value in table.items() if key != "type"})
