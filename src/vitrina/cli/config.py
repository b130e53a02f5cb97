"""The config of a comparison: a TOML file, checked whole before any data are read, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VitrinaError
from vitrina.board.baselines import possible_names
from vitrina.board.budget import Budget
from vitrina.board.ruled import own_rules, under
from vitrina.cli import build, names
from vitrina.cli.log import DEMO, is_opened, read_log, refuse_columns
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.toml import Keys, TomlFile
from vitrina.data.features import FeatureKind
from vitrina.data.inspect.advice import recommended
from vitrina.data.read.clock import GivenUnit
from vitrina.data.read.numerals import Decimal
from vitrina.data.split import GlobalTime, Rule, Split, rolling
from vitrina.metrics import DEFAULT_METRICS, metric
from vitrina.metrics.info import require_per_query, require_values
from vitrina.rerank.rules.ruled import Rules

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset


class DataSection(Section):
    """What to read: the arguments of `vitrina.read_interactions`, or the folder of an ingested log, which has no other key but `name`."""

    source: str | list[str] = Field(
        description="CSV or other text, JSON lines, Excel or Parquet: a path, a glob or a list of paths; or the folder of an ingested log."
    )
    user: str = Field(default="user_id", description="Column of the user.")
    item: str = Field(default="item_id", description="Column of the item.")
    time: str | None = Field(default=None, description="Column of the time; without it the order of rows is the order.")
    value: str | None = Field(default=None, description="Column of a number: rating, quantity, money.")
    weight: str | None = Field(default=None, description="Column of how much an event counts; below 0 it is a dislike.")
    kind: str | None = Field(default=None, description="Column of the kind of event: view, buy.")
    basket: str | None = Field(default=None, description="Column of the basket or order.")
    time_unit: GivenUnit | None = Field(
        default=None, description="Unit of times as numbers: s, ms, us, ns, excel; step where only the order counts."
    )
    time_format: str | None = Field(default=None, description='Form of dates as text: "%d.%m.%Y %H:%M".')
    any_year: bool = Field(default=False, description="Take dates before 1990 and after today as they are.")
    decimal: Decimal | None = Field(default=None, description="Decimal sign of numbers as text.")
    order_by: str | None = Field(default=None, description="Column that orders events of one time.")
    encoding: str | None = Field(default=None, description="Encoding of text files that are not UTF-8.")
    separator: str | None = Field(default=None, description='What separates the fields: ";", "::", " " for blanks of any number.')
    header: bool | None = Field(default=None, description="Whether the first line of text names the columns.")
    columns: list[str] | None = Field(default=None, description="Names for the columns of a file without a header.")
    items: str | None = Field(default=None, description="Table of items, with the item column.")
    users: str | None = Field(default=None, description="Table of users, with the user column.")
    title: str | None = Field(default=None, description="Column to show to people: of the item table, or of the log without one.")
    item_kinds: dict[str, FeatureKind] | None = Field(
        default=None, description="Kinds of the item columns: category, categories, number, text."
    )
    user_kinds: dict[str, FeatureKind] | None = Field(default=None, description="Kinds of the user columns.")
    on_bad_row: Literal["error", "quarantine"] = Field(
        "error", description="Stop at a bad row, or put bad rows in a file beside the output."
    )
    name: str | None = Field(default=None, description="What the report calls the log.")


class JobSection(Section):
    """What is asked of the models and how it is judged."""

    k: int = Field(default=10, ge=1, description="Length of a list.")
    repeat: bool | None = Field(
        default=None, description="May people get again what they had; decided from the training part when left out."
    )
    metrics: list[str] | None = Field(default=None, description='Names such as "nDCG@10"; a good set when left out.')
    primary: str | None = Field(
        default=None, description="The metric that ranks the models, tunes them, and that verdicts speak of; nDCG when left out."
    )
    baselines: bool = Field(
        default=True, description="Put popularity, own favourites, co-occurrence and EASE on the board where they are not listed."
    )
    baseline: str | None = Field(
        default=None, description="The model that all are compared with; the strongest baseline on validation when left out."
    )
    fits: int = Field(default=1, ge=1, description="How often a model that has a seed is fitted, each time with another one.")
    matters: float | None = Field(
        default=None, gt=0, description="The smallest difference of the primary metric that matters; what is surely smaller is about equal."
    )
    limit: float | None = Field(
        default=None, gt=0, description="Seconds for one fit with its answers; a model that takes longer has failed."
    )
    slices: list[str] = Field(
        default_factory=list, description="Columns of the user table to slice by; all of its categories when left out."
    )

    @property
    def named_metrics(self) -> dict[str, list[str]]:
        """The names of metrics under each key that has some."""
        return {"metrics": self.metrics or [], "primary": [self.primary] if self.primary else []}


class TuneSection(Section):
    """The budget of the search where a model has lists or ranges: the same for each model."""

    trials: int | None = Field(default=None, ge=1, description="Configurations to try, for each model.")
    seconds: float | None = Field(default=None, gt=0, description="Seconds to spend, for each model.")
    seed: int = Field(default=0, ge=0, description="Seed of the search and of the intervals.")


class ReportSection(Section):
    """Where the results go."""

    out: str = Field(default="vitrina-report", description="Folder for report.html, per_query.parquet and board.json.")
    title: str | None = Field(default=None, description="Title of the report.")


class Settings(Section):
    """The whole file."""

    data: DataSection
    filters: dict[str, Any] = Field(default_factory=dict, description="Filters of vitrina.filters, in this order.")
    split: dict[str, Any] = Field(
        default_factory=dict, description="rule = the name of a split rule, and its parameters; folds = how many."
    )
    job: JobSection = JobSection()
    models: dict[str, dict[str, Any]] = Field(description="One table per model; the name of the table is its name on the board.")
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One table per rule, which every list keeps; the name of the table is its reason in lists."
    )
    tune: TuneSection = TuneSection()
    report: ReportSection = ReportSection()


@dataclass(frozen=True)
class Plan:
    """A checked config: everything is built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    rule: Rule | None  # None: the data decide
    n_folds: int
    models: Mapping[str, Any]
    rules: Rules | None = None

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    def model(self, name: str) -> Any:
        """One model by its name in the file."""
        if name not in self.models:
            raise UnknownNameError(f"{self.file.path}: {UnknownNameError.of('model', name, self.models)}")
        return self.models[name]

    def source(self) -> dict[str, Any]:
        """The arguments of `read_interactions`, with absolute paths: what an artifact keeps to read the log again."""
        given = self.settings.data.model_dump(exclude_defaults=True)
        for key in ("source", "items", "users"):
            if key in given:
                given[key] = _absolute(given[key], self.file.folder)
        return given

    def log(self) -> Dataset:
        """The log as it is."""
        return read_log(self.source(), bad_rows=self.out / "bad_rows.csv")

    def filtered(self, data: Dataset) -> Dataset:
        """The log after the filters of the file."""
        for name, argument in self.settings.filters.items():
            with build.located(self.file, ("filters", name)):
                data = build.filtered(data, name, argument)
        return data

    def check_rules(self, data: Dataset, *, only: str | None = None) -> None:
        """Refuse rules that don't fit the log, with their lines: those for all, and those of each model, or of one."""
        if self.rules is not None:
            with build.located(self.file, ("rules",)):
                self.rules.check(data)
        for name, model in self.models.items():
            again = "rerank" if "rerank" in self.settings.models[name] else "reranker"
            for own in own_rules(model) if only in (None, name) else ():
                with build.located(self.file, ("models", name, again, "rules")):
                    own.check(data)

    def check_metrics(self, train: Dataset) -> None:
        """Refuse metrics that need what the log doesn't have, with their line."""
        values = "values" in train.columns or None
        for key, given in self.settings.job.named_metrics.items():
            with build.located(self.file, ("job", key)):
                require_values([metric(name) for name in given], values)

    def under_rules(self, name: str, model: Any) -> Any:
        """A model with its lists under the rules of the file."""
        with build.located(self.file, ("models", name, "rerank")):
            return under(self.rules, model)

    def repeat(self, data: Dataset) -> bool:
        """Whether people may get again what they had: as the file says, or as the split decides."""
        given = self.settings.job.repeat
        return self.split(data).eligible.repeat if given is None else given

    def options(self) -> dict[str, Any]:
        """The arguments of `vitrina.compare` beside models, split and data."""
        job, tune = self.settings.job, self.settings.tune
        at_k = [name.replace("@10", f"@{job.k}") for name in DEFAULT_METRICS]
        return {
            "metrics": job.metrics or at_k, "primary": job.primary or f"nDCG@{job.k}", "k": job.k, "slices": job.slices or None,
            "baselines": job.baselines, "baseline": job.baseline, "matters": job.matters,
            "budget": Budget(trials=tune.trials, seconds=tune.seconds, limit=job.limit, fits=job.fits),
            "seed": tune.seed, "title": self.settings.report.title, "rules": self.rules,
        }  # fmt: skip

    def split(self, data: Dataset) -> Split:
        """The split on which all models are compared; the latest of its folds."""
        return data.split(self._rule_for(data))

    def folds(self, data: Dataset) -> list[Split]:
        """All folds, the oldest first; the one split where the file doesn't ask for more."""
        if self.n_folds == 1:
            return [self.split(data)]
        with build.located(self.file, ("split", "folds")):
            return rolling(data, self._rule_for(data), self.n_folds)

    def _rule_for(self, data: Dataset) -> Rule:
        return self.rule or recommended(data).rule.model_copy(update={"repeat": self.settings.job.repeat})


def read_config(path: Path, *, trust: bool = False) -> Plan:
    """Read and check a config.

    Args:
        path: the TOML file.
        trust: allow `type = "package.module:Class"`, which imports and runs that code.
    Raises:
        UnknownNameError: a key, model, metric, rule or part is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    file = TomlFile.read(path, trust=trust)
    settings = settings_of(file, Settings, "See a whole example with: vitrina init DATA")
    _check_files(file, settings.data)
    for name, argument in settings.filters.items():
        with build.located(file, ("filters", name)):
            build.check_filter(name, argument)
    _check_metrics(file, settings.job)
    rule = _rule(file, settings)
    plan = Plan(
        file,
        settings,
        rule,
        _folds(file, settings, rule),
        dict(_models(file, settings)),
        build.rules(file, settings.rules, settings.data.item),
    )
    _check_baseline(plan)
    return plan


def _check_files(file: TomlFile, data: DataSection) -> None:
    """What is missing is said before the models are fitted; a glob is left to the reader."""
    for key in ("source", "items", "users"):
        for path in _as_list(_absolute(getattr(data, key) or [], file.path.parent)):
            if not path.startswith(DEMO) and not any(c in path for c in "*?[") and not Path(path).exists():
                raise DataError(f"{file.where(('data', key))}: there is no file {path}. Paths are relative to the config.")
    source = _absolute(data.source, file.path.parent)
    if is_opened(source):
        named = [key for key in data.model_dump(exclude_defaults=True) if key not in ("source", "name")]
        with build.located(file, ("data", named[0] if named else "source")):
            refuse_columns(str(data.source), named, "keys")


def _absolute(paths: str | list[str], folder: Path) -> Any:
    if isinstance(paths, list):
        return [_absolute(p, folder) for p in paths]
    return paths if paths.startswith(DEMO) else str((folder / Path(paths).expanduser()).resolve())


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _check_metrics(file: TomlFile, job: JobSection) -> None:
    for key, given in job.named_metrics.items():
        for name in given:
            with build.located(file, ("job", key)):
                known = metric(name)
                if key == "primary":
                    require_per_query(known)


def _check_baseline(plan: Plan) -> None:
    """A model of the file, or one that may be put on the board beside them."""
    job = plan.settings.job
    known = {*plan.models, *(possible_names() if job.baselines else ())}
    if job.baseline is not None and job.baseline not in known:
        with build.located(plan.file, ("job", "baseline")):
            raise UnknownNameError.of("model or baseline", job.baseline, known)


def _rule(file: TomlFile, settings: Settings) -> Rule | None:
    given = {key: value for key, value in settings.split.items() if key not in ("rule", "folds")}
    if "rule" not in settings.split and not given:
        return None
    with build.located(file, ("split", "rule")):
        if "rule" not in settings.split:
            raise ParameterError(f"The table [split] needs a 'rule': one of {', '.join(names.rules())}.")
        cls = names.find("split rule", str(settings.split["rule"]), names.rules())
    known = ("rule", "folds", *names.parameters(cls))
    for name in given:
        if name not in known:
            with build.located(file, ("split", name)):
                raise UnknownNameError.of(f"key of [split] with {cls.__name__}", name, known)
    repeat = {"repeat": settings.job.repeat} if settings.job.repeat is not None else {}
    return build.construct(file, ("split",), cls, repeat | given)


def _folds(file: TomlFile, settings: Settings, rule: Rule | None) -> int:
    """How many folds, of a rule that has some."""
    folds = settings.split.get("folds", 1)
    with build.located(file, ("split", "folds")):
        if isinstance(folds, bool) or not isinstance(folds, int) or folds < 1:
            raise ParameterError(f"split.folds must be a whole number of at least 1. Got {folds!r}.")
        if folds > 1 and not isinstance(rule, GlobalTime | None):
            raise ParameterError(
                f"{type(rule).__name__} has no folds: they are parts of time, one after another, and it cuts at no moment. "
                f'Take rule = "GlobalTime" with days = 30 or so, or leave folds = {folds} out.'
            )
    return folds


def _models(file: TomlFile, settings: Settings) -> Iterator[tuple[str, Any]]:
    for name, table in settings.models.items():
        keys: Keys = ("models", name)
        with build.located(file, (*keys, "type")):
            cls = _model_class(file, str(table.get("type", name)), explicit="type" in table)
        again = {"rerank", "candidates"} if "rerank" in table and "candidates" not in names.parameters(cls) else {"rerank"}
        model = build.tunable(file, keys, cls, {key: value for key, value in table.items() if key not in {"type", *again}})
        with_reranker = {key: value for key, value in table.items() if key in again}
        yield name, build.reranked(file, keys, model, with_reranker) if with_reranker else model
    if not settings.models:
        raise ParameterError(f"{file.where(('models',))}: there is no model. Add one, for example [models.EASE].")


def _model_class(file: TomlFile, name: str, *, explicit: bool) -> type:
    if ":" in name:
        own = build.own_class(file, name)
        if not hasattr(own, "fit"):
            raise ParameterError(f"The class {name!r} has no method fit(data, ...), so it is not a model. See vitrina.protocols.Model.")
        return own
    try:
        return names.find("model", name, names.models())
    except VitrinaError as error:
        raise error if explicit else UnknownNameError(f"{error} Or give this table a 'type'.") from None
