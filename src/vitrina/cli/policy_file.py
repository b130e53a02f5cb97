"""The file of a policy job: a TOML with the log, the policies, how they are judged, what is learned and what it may cost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import build, parts
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.toml import Keys, TomlFile
from vitrina.data.read.clock import GivenUnit

if TYPE_CHECKING:
    from vitrina.policy import DecisionLog

EXAMPLE = (
    'A whole one: [log] path = "log.csv", unit = "client", action = "discount", reward = "orders", propensity = {none = 0.5, ten = 0.5}; '
    "then [policies.NAME], [evaluate], [learn] and [budget] as needed."
)
LOG_ONLY = ("path", "winsorise")  # keys of [log] that are no arguments of `DecisionLog.of_frame`
TO_ALL = "{} to all"  # what one arm for everybody is called


class LogSection(Section):
    """What was decided, and what came of it: the arguments of `vitrina.policy.DecisionLog.of_frame`."""

    path: str | list[str] = Field(description="The log: CSV or Parquet, a row per decision; a path, a glob or a list of paths.")
    action: str = Field(description="Column of the arm that was given.")
    reward: str | list[str] | None = Field(
        default=None,
        description="Column of what came of it, or several; the first is what policies are judged by. Left out where [late] has them.",
    )
    unit: str | None = Field(default=None, description="Column of who was decided on: client, order; each row is one when left out.")
    propensity: str | dict[str, float] | dict[str, str] | None = Field(
        default=None,
        description="The chance of the arm that was given: a column, {arm = chance}, or {arm = column}; without it a log is refused.",
    )
    cluster: str | None = Field(default=None, description="Column of who belongs together (household, driver); the unit when left out.")
    time: str | None = Field(default=None, description="Column of the time of the decision.")
    time_unit: GivenUnit | None = Field(default=None, description="Unit of times as numbers: s, ms, us, ns, excel, step.")
    any_year: bool = Field(default=False, description="Take times before 1990 and after today as they are.")
    cost: str | dict[str, float] | dict[str, str] | None = Field(
        default=None, description="What the arms cost: a column of what the given one cost, {arm = cost}, or {arm = column}."
    )
    features: list[str] | None = Field(default=None, description="Columns known before the decision, which policies may look at.")
    arms: list[str | int] | None = Field(
        default=None, description="The arms in order, the control first; needed where they are ordered (0%, 5%, 10%)."
    )
    control: str | int | None = Field(default=None, description="The arm that does nothing, where it isn't the first.")
    allowed: dict[str, str] | None = Field(default=None, description="{arm = column} of true or false: who may get it.")
    winsorise: float | None = Field(
        default=None, gt=0.5, lt=1, description="Quantile at which rewards are cut, for heavy tails; both numbers are shown."
    )


class LateSection(Section):
    """What came later, in a file of its own: the arguments of `vitrina.policy.link_outcomes`."""

    path: str | list[str] = Field(description="Orders, rides, whatever came: CSV or Parquet, a row per event.")
    time: str = Field(description="Column of the time of the event.")
    days: float = Field(
        gt=0, description="Days from a decision on in which an event counts for it; decisions that are younger are left out."
    )
    unit: str | None = Field(default=None, description="Column of ids of the log's units.")
    cluster: str | None = Field(default=None, description="Instead of it, column of ids of the log's clusters.")
    value: str | None = Field(default=None, description="Column of numbers, for sums.")
    rewards: dict[str, Literal["any", "count", "sum"]] | None = Field(
        default=None, description='{name = "any" | "count" | "sum"}: the rewards that are made, the first to be judged by.'
    )
    until: str | None = Field(default=None, description="Until when events are known; that of the last one when left out.")


class EvaluateSection(Section):
    """How policies are judged."""

    estimators: list[Any] | None = Field(
        default=None, description='Names such as "DR", or tables: {type = "SwitchDR", threshold = 10}; IPS, SNIPS and DR when left out.'
    )
    always: bool = Field(default=True, description="Judge each arm given to everybody, too.")
    baseline: str | None = Field(
        default=None, description="The policy that all are compared with; the control for everybody when left out."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the intervals.")
    seed: int = Field(default=0, ge=0, description="Of folds and of draws.")


class OutcomeSection(Section):
    """The model of what each arm would bring, which the doubly robust estimators lean on and the direct method believes."""

    model: Any = Field(default=None, description='A model by name or table: "Ridge", "Boosting"; by the size of the log when left out.')
    together: bool | None = Field(default=None, description="One model for all arms, or one for each; by their number when left out.")
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None, description="What the reward does from each arm to the next one in their order."
    )
    folds: int = Field(default=5, ge=2, description="Parts; each is predicted by a model of the others.")
    biased: str | None = Field(
        default=None, description="A log of chosen, not randomised, decisions, with the same columns: it may train this model, never judge."
    )


class LearnSection(Section):
    """What `vitrina policy learn` fits."""

    learner: Any = Field(default="PolicyTree", description='A learner by name, or a table: {type = "PolicyTree", depth = 2}.')
    reward: str | None = Field(default=None, description="Which reward to learn from; the first when left out.")
    folds: int = Field(default=5, ge=2, description="Parts; each is decided by a policy that never saw it.")
    explore: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the units that get an arm at random, so that tomorrow's log can be judged."
    )
    name: str = Field(default="learned", description="What the policy is called on the page.")


class BudgetSection(Section):
    """What the arms may cost together."""

    spend: float | None = Field(default=None, gt=0, description="The most that all arms together may cost.")
    roi: float | None = Field(default=None, ge=0, description="The least that each unit of money must bring back, over all.")


class ReportSection(Section):
    """Where the page goes."""

    out: str = Field(default="vitrina-policy", description="Folder for the pages and the learned policy.")
    title: str | None = Field(default=None, description="Title of the page.")


class Settings(Section):
    """The whole file."""

    log: LogSection
    late: LateSection | None = Field(default=None, description="What came later, where it stands in another file.")
    policies: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One table per policy; the name of the table is its name on the page."
    )
    evaluate: EvaluateSection = EvaluateSection()
    outcome: OutcomeSection = OutcomeSection()
    learn: LearnSection = LearnSection()
    budget: BudgetSection = BudgetSection()
    report: ReportSection = ReportSection()


@dataclass(frozen=True)
class PolicyJob:
    """A checked file: everything is built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    given: Mapping[str, Any]  # the policies of the file, by name
    estimators: tuple[Any, ...] | None
    model: Any
    learner: Any
    taught: Mapping[str, str]  # saved policies, by name, and the fingerprint of the decisions that taught each

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    @property
    def title(self) -> str:
        return self.settings.report.title or self.file.path.stem

    @property
    def reward(self) -> str:
        """What the policy was learned from, as far as the file says it."""
        given, later = self.settings.log.reward, self.settings.late
        first = given if isinstance(given, str) else given[0] if given else next(iter((later and later.rewards) or {"reward": ""}))
        return self.settings.learn.reward or first

    def sources(self) -> list[str]:
        """All that the job reads, absolute."""
        given = [self.settings.log.path, self.settings.outcome.biased, self.settings.late.path if self.settings.late else None]
        return [absolute(path, self.file.folder) for one in given if one is not None for path in ([one] if isinstance(one, str) else one)]

    def outcome(self) -> Any:
        """The outcome model with how it treats arms."""
        from vitrina.policy import Outcome

        with build.located(self.file, ("outcome",)):
            return Outcome(model=self.model, together=self.settings.outcome.together, monotone=self.settings.outcome.monotone)

    def facts(self) -> dict[str, str]:
        """What the page says of how it was made."""
        given, outcome = self.settings.log, self.settings.outcome
        chances = (
            given.propensity
            if isinstance(given.propensity, str)
            else ", ".join(f"{arm} {chance}" for arm, chance in (given.propensity or {}).items())
        )
        biased = f"; {outcome.biased} teaches it and judges nothing" if outcome.biased else ""
        return {
            "File": self.file.path.name, "Log": str(given.path), "Chances": chances or "unknown", "Outcome model": f"{self.outcome()!r}, {outcome.folds} folds{biased}",
            "Learner": repr(self.learner), "Random share": f"{self.settings.learn.explore:g}", "Seed": str(self.settings.evaluate.seed),
        }  # fmt: skip

    def log(self) -> DecisionLog:
        """The log as it is in the file, heavy tails and all."""
        return self._read(self.settings.log.path, ("log", "path"))

    def biased(self) -> DecisionLog | None:
        """The log of chosen decisions that may train the outcome model; None where the file names none."""
        path = self.settings.outcome.biased
        return None if path is None else self._read(path, ("outcome", "biased"))

    def policies(self, log: DecisionLog) -> dict[str, Any]:
        """The policies to be judged, by name: those of the file, and each arm for everybody."""
        from vitrina.policy import Always
        from vitrina.policy.policies import chances_of

        always = {TO_ALL.format(arm): Always(arm) for arm in log.arms} if self.settings.evaluate.always else {}
        for name, policy in self.given.items():
            with build.located(self.file, ("policies", name)):
                chances_of(policy, log.rows(slice(0, 1)))  # an arm that isn't there is said before anything runs
        return dict(self.given) | {name: policy for name, policy in always.items() if name not in self.given}

    def baseline(self, log: DecisionLog, policies: Collection[str]) -> str:
        """The policy that all are compared with."""
        if not policies:
            raise ParameterError(
                f"{self.file.path}: there is no policy to judge. Add a table [policies.NAME], or leave out: always = false"
            )
        given = self.settings.evaluate.baseline
        if given is not None and given not in policies:
            with build.located(self.file, ("evaluate", "baseline")):
                raise UnknownNameError.of("policy", given, policies)
        control = TO_ALL.format(log.arms[log.control])
        return given or (control if control in policies else next(iter(policies)))

    def _read(self, path: str | list[str], keys: Keys) -> DecisionLog:
        from vitrina.policy import DecisionLog

        given = self.settings.log.model_dump(exclude={*LOG_ONLY, "reward"}, exclude_none=True)
        with build.located(self.file, keys if keys[0] != "log" else ("log",)):
            log = DecisionLog.of_frame(absolute(path, self.file.folder), reward=self.settings.log.reward, **given)
        return log if self.settings.late is None else self._linked(log, self.settings.late)

    def _linked(self, log: DecisionLog, later: LateSection) -> DecisionLog:
        """The log with what came later; what was counted and left out is among its notes."""
        from vitrina.policy import link_outcomes

        with build.located(self.file, ("late",)):
            linked = link_outcomes(log, absolute(later.path, self.file.folder), **later.model_dump(exclude={"path"}, exclude_none=True))
        return replace(linked.log, notes=(*linked.log.notes, *linked.sentences))


def read_policy_file(path: Path, *, trust: bool = False) -> PolicyJob:
    """Read and check a file of a policy job.

    Args:
        path: the TOML file.
        trust: allow `type = "package.module:Class"`, which imports and runs that code.
    Raises:
        UnknownNameError: a key, estimator, policy, learner or model is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    file = TomlFile.read(path, trust=trust, remedy=EXAMPLE)
    settings = settings_of(file, Settings, EXAMPLE)
    _check_files(file, settings)
    estimators = settings.evaluate.estimators
    taught: dict[str, str] = {}
    return PolicyJob(
        file,
        settings,
        dict(_policies(file, settings, taught)),
        None if estimators is None else tuple(parts.made(file, ("evaluate", "estimators"), e, parts.ESTIMATOR) for e in estimators),
        parts.made(file, ("outcome", "model"), settings.outcome.model, parts.MODEL),
        parts.made(file, ("learn", "learner"), settings.learn.learner, parts.LEARNER),
        taught,
    )


def absolute(paths: str | list[str], folder: Path) -> Any:
    """Paths of the file as they are from anywhere."""
    if isinstance(paths, list):
        return [absolute(path, folder) for path in paths]
    return str((folder / Path(paths).expanduser()).resolve())


def _check_files(file: TomlFile, settings: Settings) -> None:
    """What is missing is said before anything is read; a glob is left to the reader."""
    if settings.log.reward is None and settings.late is None:
        raise ParameterError(
            f"{file.where(('log',))}: there is no reward. Name its column with reward = in [log], or the file of what came later with [late]."
        )
    later = settings.late.path if settings.late else []
    for keys, given in (
        (("log", "path"), settings.log.path),
        (("outcome", "biased"), settings.outcome.biased or []),
        (("late", "path"), later),
    ):
        for path in [given] if isinstance(given, str) else given:
            if not any(c in path for c in "*?[") and not Path(absolute(path, file.path.parent)).exists():
                raise DataError(f"{file.where(keys)}: there is no file {path}. Paths are relative to the file of the job.")


def _policies(file: TomlFile, settings: Settings, taught: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Each table [policies.NAME] as a policy; a parameter `policy` is the name of one that stands above. What taught a saved one is noted in `taught`."""
    made: dict[str, Any] = {}
    for name, table in settings.policies.items():
        keys: Keys = ("policies", name)
        given = dict(table)
        if isinstance(given.get("policy"), str):
            with build.located(file, (*keys, "policy")):
                if given["policy"] not in made:
                    raise UnknownNameError.of("policy above this one", given["policy"], made)
            given["policy"] = made[given["policy"]]
        if set(given) == {"folder"}:
            made[name], taught[name] = _saved(file, keys, given["folder"])
        else:
            made[name] = parts.made(file, keys, given, parts.POLICY)
        yield name, made[name]


def _saved(file: TomlFile, keys: Keys, folder: Any) -> tuple[Any, str]:
    """A policy that `vitrina policy learn` has written, and the fingerprint of what taught it; empty where somebody else saved it."""
    from vitrina import artifacts

    with build.located(file, (*keys, "folder")):
        found = artifacts.load(absolute(str(folder), file.path.parent), trust=file.trust)
    source = found.manifest.get("source")
    return found.recommender, str(source.get("decisions", "")) if isinstance(source, dict) else ""
