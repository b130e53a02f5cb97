"""The log of decisions: who got which treatment, with which chance, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.data.dataset import TimeUnit
from vitrina.data.impressions import Impressions
from vitrina.data.read.clock import GivenUnit
from vitrina.policy.check import check_log
from vitrina.policy.checks import Checks
from vitrina.policy.overlap import overlap
from vitrina.policy.policies import chances_of
from vitrina.policy.reading import listed
from vitrina.policy.shown import lists, places
from vitrina.policy.table import of_logged, parsed
from vitrina.policy.units import ROUNDED, Units, rows_of
from vitrina.types import Float64, Int32, Int64

NO_CHANCES = (
    "The chances with which the arms of this log were drawn aren't known (propensity=), so whoever got an arm may differ from the others in all that matters, "
    "and no value of a policy can be told from it. Log the chance with each decision, or draw arms at random for a share of the units and give their chances; "
    "until then the log may teach an outcome model (biased= of cross_fit), and nothing more."
)

DOMAINS = {"actions": "codes of the arms", "clusters": "codes of 'cluster_ids'", "propensities": "above 0 and at most 1"}


@final
@dataclass(frozen=True, eq=False, repr=False)
class DecisionLog:
    """Decisions, a row each: a unit, the arm that it got, the chance of that, and rewards. `of_frame` reads a table.

    Args:
        units: who was decided on, what was known before, and the arms; a log of whole lists has no arms, as nobody can count them.
        actions: (rows,) code of the arm.
        rewards: name -> (rows,) what came of it.
        clusters: (rows,) code of whom rows belong to (a household; else the unit), 0 to `len(cluster_ids)` - 1: they are doubted, folded and resampled together.
        cluster_ids: (clusters,) what each is called.
        propensities: (rows,) chance of the logged arm, above 0 and at most 1; None where nobody knows it. `propensity` is the same, and refuses where there is none.
        design: (arms,) or (rows, arms) chances of all arms, where they are known.
        times: (rows,) microseconds since 1970, or steps.
        time_unit: "us", or "step" where only the order of `times` means something.
        costs: (rows,) what the logged arm cost.
        arm_costs: (arms,) or (rows, arms) what each arm costs.
        control: code of the arm that others are compared with.
        notes: what was done to the log since it was read, in sentences.

    Raises:
        ParameterError: shapes don't agree, codes stand for nothing, chances are outside their domain or don't sum to 1, an arm was given to whom it isn't allowed.

    Cost: looked at once when it is made; 40 bytes per row with one reward and ids that are numbers, and what `design`, `arm_costs` and features take where they are given per row.

    >>> import polars as pl
    >>> table = pl.DataFrame({"client": [7, 8, 9], "discount": [0, 10, 0], "spent": [5.0, 9.5, 0.0]})
    >>> log = DecisionLog.of_frame(table, unit="client", action="discount", reward="spent", propensity={0: 0.5, 10: 0.5})
    >>> log, log.propensity.tolist()
    (DecisionLog(3 decisions on 3 units; arms '0' (control), '10'; rewards spent), [0.5, 0.5, 0.5])
    """

    units: Units
    actions: Int32  # (rows,)
    rewards: Mapping[str, Float64]  # (rows,) each
    clusters: Int32  # (rows,)
    cluster_ids: pl.Series  # (clusters,)
    propensities: Float64 | None = None  # (rows,)
    design: Float64 | None = None  # (arms,) or (rows, arms)
    times: Int64 | None = None  # (rows,)
    time_unit: TimeUnit | None = None
    costs: Float64 | None = None  # (rows,)
    arm_costs: Float64 | None = None  # (arms,) or (rows, arms)
    control: int = 0
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        n, arms, named = len(self.units), len(self.units.arms), {f"reward {name}": column for name, column in self.rewards.items()}
        columns = {name: getattr(self, name) for name in ("actions", "clusters", "propensities", "times", "costs")} | named
        for name, column in columns.items():
            if column is not None and column.shape != (n,):
                raise ParameterError(f"The {name!r} of a DecisionLog must have a value per row ({n:,}). Got the shape {column.shape}.")
        for name in ("design", "arm_costs"):
            table = getattr(self, name)
            if table is not None and table.shape not in ((arms,), (n, arms)):
                raise ParameterError(f"The {name!r} of a DecisionLog must be of the shape {(arms,)} or {(n, arms)}. Got {table.shape}.")
        sound = {
            "actions": (self.actions >= 0) & ((self.actions < arms) | (arms == 0)),
            "clusters": (self.clusters >= 0) & (self.clusters < len(self.cluster_ids)),
            "propensities": None if self.propensities is None else (self.propensities > 0) & (self.propensities <= 1),
            "costs": None if self.costs is None else np.isfinite(self.costs),
        } | {name: np.isfinite(column) for name, column in named.items()}
        for name, good in sound.items():
            if good is not None and not good.all():
                at = int(np.flatnonzero(~good)[0])
                must = DOMAINS.get(name, "finite numbers")
                raise ParameterError(f"The {name!r} of a DecisionLog must be {must}. Got {columns[name][at]} in row {at}.")
        _require_design(self)
        if self.arm_costs is not None and not np.isfinite(self.arm_costs).all():
            raise ParameterError("The 'arm_costs' of a DecisionLog must be finite numbers.")
        if arms and not 0 <= self.control < arms:
            raise ParameterError(f"The 'control' of a DecisionLog must be the code of an arm, 0 to {arms - 1}. Got {self.control}.")

    @classmethod
    def of_frame(
        cls,
        table: Any,
        *,
        action: str,
        reward: str | Sequence[str] | None,
        unit: str | None = None,
        propensity: str | Mapping[Any, float | str] | None = None,
        cluster: str | None = None,
        time: str | None = None,
        cost: str | Mapping[Any, float | str] | None = None,
        features: Sequence[str] | None = None,
        arms: Sequence[Any] | None = None,
        control: Any = None,
        allowed: Mapping[Any, str] | None = None,
        time_unit: GivenUnit | None = None,
        any_year: bool = False,
    ) -> DecisionLog:
        """Read a table, or a file, of decisions; ids, times and numbers are read as `vt.read_interactions` reads them.

        Args:
            table: a Polars, pandas or Arrow table, a path, or a list of these.
            action: column of the arm that was given: text, numbers, or true and false.
            reward: column, or columns, of what came of it; None where it comes later (see `link_outcomes`).
            unit: column of ids; None: each row is a unit of its own.
            propensity: column of the chance of the logged arm; or arm -> chance, or arm -> column of chances, for every arm. None: not known, which `check` refuses and `evaluate` too.
            cluster: column of ids of whom rows belong to, where that isn't the unit: the household, the driver, whatever was drawn as one.
            time: column of when it was decided.
            cost: column of what the logged arm cost; or arm -> cost, or arm -> column of costs, for every arm.
            features: columns that were known before and that policies may look at; None: none. In a CSV a column whose every row is a number holds numbers.
            arms: the arms in order, which ordered treatments need. By default that of the `propensity`, or of the `cost`, given per arm; else those found, sorted.
            control: the arm that others are compared with; by default the first.
            allowed: arm -> column of true or false: who may get it, known before any arm was drawn. Everybody may get the arms that are not named.
            time_unit: of times that are numbers, as in `vt.read_interactions`.
            any_year: take times before 1990 and after today too.

        Raises:
            DataError: a column or a row can't be used; names the column, the first rows and what to do. No row is left out by itself.
            ParameterError: what is given per arm doesn't cover the arms, or chances don't sum to 1.

        Cost: a pass over the table.
        """
        return cls(**parsed(
            table, action=action, reward=reward, unit=unit, propensity=propensity, cluster=cluster, time=time, cost=cost, features=features,
            arms=arms, control=control, allowed=allowed, time_unit=time_unit, any_year=any_year,
        ))  # fmt: skip

    @classmethod
    def of_impressions(cls, shown: Impressions, *, whole: bool = False, features: pl.DataFrame | None = None) -> DecisionLog:
        """What was shown, as decisions: a row per place, whose arm is the item; or per request, with the chance of its whole list.

        People are the clusters, requests the units. The rewards are `outcome`, and `value` (outcome times value) where there are values.

        Args:
            shown: with the chance of each place, given what stands above it.
            whole: a row per request. Its chance is the product of those of its places and its rewards are sums; nobody can count the lists that there are, so `arms` is
                empty, actions are codes of equal lists, and a policy is the chance (requests,) with which it would have shown what was shown.
            features: a row per decision of what was known before. Of places `position` is always one.

        Raises:
            ParameterError: there is not a row of features per decision.
            DataError: the chance of a whole list is too small for a number.

        >>> import polars as pl, vitrina as vt
        >>> table = pl.DataFrame({"request_id": ["a", "a", "b"], "user_id": ["ann", "ann", "bob"], "item_id": ["tea", "jam", "tea"], "propensity": [0.5, 0.25, 0.5],
        ...     "outcome": [1, 1, 0]})
        >>> shown = vt.Impressions.of_frame(table)
        >>> DecisionLog.of_impressions(shown)
        DecisionLog(3 decisions on 2 clusters; arms 'tea' (control), 'jam'; rewards outcome)
        >>> log = DecisionLog.of_impressions(shown, whole=True)
        >>> log, log.propensity.round(3).tolist(), log.reward().tolist()
        (DecisionLog(2 decisions on 2 units; whole lists; rewards outcome), [0.125, 0.5], [2.0, 0.0])
        """
        return cls(**(lists if whole else places)(shown, features))

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        names = [f"{arm!r}{' (control)' * (code == self.control)}" for code, arm in enumerate(self.arms)]
        arms = "whole lists" if not names else f"arms {', '.join(names)}" if len(names) <= 8 else f"{len(names)} arms"
        clusters = len(self.cluster_ids)
        known = "" if self.propensities is not None else "; chances not known"
        return (
            f"DecisionLog({len(self):,} decisions on {clusters:,} {'units' if clusters == len(self) else 'clusters'}; {arms}; "
            f"rewards {', '.join(self.rewards) or 'not yet'}{known})"
        )

    @property
    def arms(self) -> tuple[str, ...]:
        return self.units.arms

    @property
    def propensity(self) -> Float64:
        """(rows,) chance of the logged arm.

        Raises:
            DataError: nobody knows it.
        """
        if self.propensities is None:
            raise DataError(NO_CHANCES)
        return self.propensities

    def reward(self, name: str | None = None) -> Float64:
        """(rows,) the reward of this name, which may be left out where there is one.

        Raises:
            DataError: the log has no reward yet.
            UnknownNameError: there is no such reward.
            ParameterError: there are several, and none is named.
        """
        if not self.rewards:
            raise DataError(
                "This log has no reward yet. Name a column with reward= when it is read, or take what came later from a table of events: link_outcomes."
            )
        if name is None and len(self.rewards) != 1:
            raise ParameterError(f"This log has several rewards, {listed(self.rewards)}: name one with reward=.", parameter="reward")
        name = next(iter(self.rewards)) if name is None else name
        if name not in self.rewards:
            raise UnknownNameError.of("reward", name, self.rewards)
        return self.rewards[name]

    def check(self, policies: Mapping[str, Any] | None = None) -> Checks:
        """Whether the log may be believed, and whether it speaks of these policies: to be looked at before any number.

        Args:
            policies: name -> what `evaluate` takes as a policy; of a log of whole lists, the chance (rows,) with which it would have shown what was shown.

        Returns:
            A verdict per check (pass, warn, refuse), which prints as a table. `evaluate` tells no value of a policy that is refused here.

        Cost: a pass over log and features, and one per policy.

        >>> import numpy as np, polars as pl
        >>> arms = np.random.default_rng(1).choice(["none", "mail"], 1000, p=[0.5, 0.5])
        >>> log = DecisionLog.of_frame(pl.DataFrame({"arm": arms, "spent": 1.0}), action="arm", reward="spent", propensity={"none": 0.7, "mail": 0.3})
        >>> log.check().verdict
        'refuse'
        >>> log.check().refusals()[0][:55]
        "The arm 'mail' was given 493 times where its chance say"
        """
        if not isinstance(policies, Mapping | None):
            raise ParameterError(f"The 'policies' are given by name: {{'all': Always('mail')}}. Got {policies!r}.", parameter="policies")
        checks = check_log(self)
        for name, policy in (policies or {}).items():
            chances = chances_of(policy, self) if self.arms else np.asarray(policy, np.float64)
            checks = checks.plus(overlap(self, name, chances))
        return checks

    def rows(self, where: NDArray[Any] | slice) -> DecisionLog:
        """Some of the decisions: a mask, places or a slice. Clusters are counted anew."""
        where = rows_of(where, len(self))

        def part(column: NDArray[Any] | None, *, per_row: bool = True) -> Any:
            return column if column is None or not per_row else column[where]

        clusters = self.clusters[where]
        present = np.bincount(clusters, minlength=len(self.cluster_ids)) > 0
        codes = (np.cumsum(present) - 1).astype(np.int32)
        return replace(
            self, units=self.units.rows(where), actions=self.actions[where], rewards={name: r[where] for name, r in self.rewards.items()},
            clusters=codes[clusters], cluster_ids=self.cluster_ids.filter(pl.Series(present)), propensities=part(self.propensities),
            design=part(self.design, per_row=self.design is not None and self.design.ndim == 2), times=part(self.times), costs=part(self.costs),
            arm_costs=part(self.arm_costs, per_row=self.arm_costs is not None and self.arm_costs.ndim == 2),
        )  # fmt: skip

    def with_reward(self, name: str, values: Any) -> DecisionLog:
        """The log with one more reward, or another one of this name.

        Raises:
            ParameterError: there is not a finite number per row.

        >>> import polars as pl
        >>> log = DecisionLog.of_frame(pl.DataFrame({"a": ["x", "y"], "spent": [5.0, 0.0]}), action="a", reward="spent", cost={"x": 1, "y": 0})
        >>> log.with_reward("profit", log.reward("spent") - log.costs).reward("profit").tolist()
        [4.0, 0.0]
        """
        return replace(self, rewards={**self.rewards, name: np.asarray(values, np.float64)})

    def winsorised(self, quantile: float, reward: str | None = None) -> DecisionLog:
        """The log with one more reward, that with its tail drawn in: `spent` gives `spent (winsorised at 0.99)`, and both can be judged.

        What is above the quantile of all rows, whatever their arm, is set to it; where some are below 0, what is below the quantile 1 - `quantile` likewise. The means of arms
        are then those of the drawn-in reward: less noisy, and lower where few spend much. The note says how many rows and how much of the sum it took.

        Args:
            quantile: above 0.5 and below 1, such as 0.99.
            reward: its name, which may be left out where there is one.

        Raises:
            ParameterError: the quantile is outside, or there most rewards would be cut to nothing: it must be above the share of those that are 0.

        >>> import numpy as np, polars as pl
        >>> log = DecisionLog.of_frame(pl.DataFrame({"a": ["x"] * 100, "spent": np.arange(100.0)}), action="a", reward="spent")
        >>> log.winsorised(0.95).notes[0]
        'Winsorised at the quantile 0.95: 5 of 100 rewards spent are above 94 and were set to it, 0.3% of the sum.'
        """
        name = next(iter(self.rewards)) if reward is None and len(self.rewards) == 1 else reward
        values = self.reward(name)
        if not 0.5 < quantile < 1:
            raise ParameterError(f"The 'quantile' must be above 0.5 and below 1, such as 0.99. Got {quantile!r}.", parameter="quantile")
        high = float(np.quantile(values, quantile, method="inverted_cdf"))
        low = float(np.quantile(values, 1 - quantile, method="inverted_cdf")) if values.min(initial=0) < 0 else -np.inf
        if high <= 0 < values.max(initial=0):
            zero = float(np.mean(values <= 0))
            raise ParameterError(
                f"The quantile {quantile:g} of {name!r} is {high:g}: {zero:.2%} of the rows have no more, and all that was had would be cut to it. "
                f"Take a quantile above {zero:.4f}.", parameter="quantile", value=quantile,
            )  # fmt: skip
        drawn = np.clip(values, low, high)
        cut = np.abs(values - drawn).sum() / max(np.abs(values).sum(), np.finfo(float).tiny)
        ends = f"above {high:g} and were set to it" if np.isinf(low) else f"above {high:g} or below {low:g} and were set to that"
        note = f"Winsorised at the quantile {quantile:g}: {int((values != drawn).sum()):,} of {len(self):,} rewards {name} are {ends}, {cut:.1%} of the sum."
        log = self.with_reward(f"{name} (winsorised at {quantile:g})", drawn)
        return replace(log, notes=(*self.notes, note))


def _require_design(log: DecisionLog) -> None:
    """Chances of arms that sum to 1, are 0 where an arm isn't allowed, and are those of the logged arms."""
    allowed, rows = log.units.allowed, np.arange(len(log))
    if allowed is not None:
        _refuse_rows(~allowed[rows, log.actions], log, "gave an arm to whom it isn't allowed")
    if log.design is None:
        return
    if not ((log.design >= 0) & (log.design <= 1)).all():
        raise ParameterError("The 'design' of a DecisionLog must hold chances from 0 to 1.", parameter="design")
    if (np.abs(log.design.sum(axis=-1) - 1) > ROUNDED).any():
        raise ParameterError(f"The chances of all arms must sum to 1. Got {log.design.sum(axis=-1).flat[0]:g}.", parameter="design")
    if allowed is not None:
        _refuse_rows(np.logical_and(~allowed, log.design > 0).max(axis=1), log, "has a chance for an arm that isn't allowed")
    logged = of_logged(log.design, log.actions)
    _refuse_rows(logged <= 0, log, "had the chance 0 of the arm that it got")
    if log.propensities is None:
        object.__setattr__(log, "propensities", logged)
    else:
        _refuse_rows(np.abs(log.propensities - logged) > ROUNDED, log, "has another propensity than the design gives the logged arm")


def _refuse_rows(wrong: Any, log: DecisionLog, what: str) -> None:
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        more = int(wrong.sum()) - 1
        raise ParameterError(
            f"A DecisionLog {what}: unit {log.units.ids[at]!r} got {log.arms[int(log.actions[at])]!r}{f', and {more:,} more rows are so' * (more > 0)}. "
            "Give the chances that held for each unit, arm -> column of chances, with 0 where an arm isn't allowed, and leave out whom nothing was drawn for."
        )
