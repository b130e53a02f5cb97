"""What a policy is, those that need no learning, and the one place where whatever stands for a policy becomes chances of arms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, Self, final, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.state import State
from vitrina.policy.reading import arm_texts
from vitrina.policy.units import Units
from vitrina.types import Float64, Int64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

SLACK = 1e-5  # of the sum of a row, and of each chance: what float32 leaves of a softmax over a thousand arms
OTHERWISE = "the first of their arms that is allowed"


@runtime_checkable
class Policy(Protocol):
    """Who gets which arm: chances, from what is known of units before the decision.

    `arms` names the columns of what `probabilities` gives; None means that they are those of the units.
    """

    @property
    def arms(self) -> tuple[str, ...] | None: ...

    def probabilities(self, units: Units) -> Float64:
        """(units, arms) chances: rows sum to 1, and an arm that a unit may not get has 0."""
        ...


class PlainPolicy(ABC):
    """The base of policies that are made of plain values alone, over the arms of whatever units they are asked about."""

    arms: None = None

    @abstractmethod
    def probabilities(self, units: Units) -> Float64: ...

    @abstractmethod
    def examples(self) -> Units:
        """Units that nobody is, to ask it about."""

    def state(self) -> State:
        return State({f.name: getattr(self, f.name) for f in fields(self)})  # pyright: ignore[reportArgumentType]  dataclasses, all of them

    @classmethod
    def of_state(cls, state: State) -> Self:
        return cls(**state.config)


@final
@dataclass(frozen=True)
class Always(PlainPolicy):
    """One arm for everybody. Who may not get it gets the first arm, in the order of the units' arms, that is allowed.

    >>> Always("mail")
    Always(arm='mail')
    """

    arm: str

    def __post_init__(self) -> None:
        if not isinstance(self.arm, str):
            raise ParameterError(
                f"The 'arm' of Always must be the name of an arm, as text: \"{self.arm}\". Got {self.arm!r}.",
                owner="Always",
                parameter="arm",
            )

    def probabilities(self, units: Units) -> Float64:
        return one_hot(within(np.full(len(units), arm_code(self.arm, units.arms)), units.allowed), len(units.arms))

    def examples(self) -> Units:
        return Units(pl.Series("unit", [1]), pl.DataFrame(), (self.arm,))


@final
@dataclass(frozen=True)
class AtRandom(PlainPolicy):
    """Each of the arms that a unit may get, with the same chance.

    >>> AtRandom()
    AtRandom()
    """

    def probabilities(self, units: Units) -> Float64:
        free = np.ones((len(units), len(units.arms))) if units.allowed is None else units.allowed.astype(np.float64)
        return free / free.sum(axis=1, keepdims=True)

    def examples(self) -> Units:
        return Units(pl.Series("unit", [1]), pl.DataFrame(), ("a", "b"))


@final
@dataclass(frozen=True)
class Columns(PlainPolicy):
    """A policy that was computed elsewhere and stands in columns of the units' features.

    Args:
        arm: the column with the name of the arm that each unit gets.
        chances: instead of it, a column of chances per arm; an arm that isn't named has chance 0.

    >>> Columns(chances={"none": "p_none", "mail": "p_mail"})
    Columns(arm=None, chances={'none': 'p_none', 'mail': 'p_mail'})
    """

    arm: str | None = None
    chances: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if (self.arm is None) == (self.chances is None):
            raise ParameterError(
                "Columns needs either arm=, a column of names of arms, or chances=, a column per arm. Got both or neither."
            )

    def probabilities(self, units: Units) -> Float64:
        if self.arm is not None:
            names = arm_texts(_feature(units, self.arm), self.arm).values  # numbers of a file are names of arms, never codes
            return one_hot(_codes_of(names, units.arms, f"the column {self.arm!r}"), len(units.arms))
        chances = np.zeros((len(units), len(units.arms)))
        for arm, name in (self.chances or {}).items():
            column = _feature(units, name)
            if not column.dtype.is_numeric() or column.null_count():
                raise DataError(f"The column {name!r} must hold chances, numbers without gaps. It holds {column.dtype}.")
            chances[:, arm_code(arm, units.arms)] = column.to_numpy()
        return chances

    def examples(self) -> Units:
        arms = ("a", "b") if self.chances is None else tuple(self.chances)
        columns = {self.arm: ["b"]} if self.chances is None else {name: [float(at == 0)] for at, name in enumerate(self.chances.values())}
        return Units(pl.Series("unit", [1]), pl.DataFrame(columns), arms)


def chances_of(policy: Any, about: DecisionLog | Units) -> Float64:
    """(n, arms) chances with which `policy` gives each unit each arm; columns in the order of the arms of the log or units.

    Args:
        policy: a `Policy`, whose arms are matched by name; an array (n, arms) of chances; or one arm per unit: (n,) names or codes.
        about: a log, of which only the units are shown to the policy, or units.

    Raises:
        ParameterError: a row doesn't sum to 1, has a chance below 0, or gives an arm that the unit may not get; there are not as many rows as units.
        UnknownNameError: an arm is none of the log's.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"client": ["a", "b", "c"], "rides": [1, 4, 9]})
    >>> units = vt.policy.Units.of_frame(table, unit="client", features=["rides"], arms=["0%", "10%"])
    >>> chances_of(["10%", "0%", "10%"], units).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    >>> chances_of(AtRandom(), units)[0].tolist()
    [0.5, 0.5]
    """
    units = about if isinstance(about, Units) else about.units
    arms = units.arms
    if isinstance(policy, Policy):
        return _checked(_aligned(policy, units), units, repr(policy))
    if isinstance(policy, str):
        raise ParameterError(f"A policy that gives everybody one arm is Always({policy!r}). Got the text {policy!r}.", value=policy)
    if callable(getattr(policy, "fit", None)):
        raise ParameterError(f"{type(policy).__name__} is not fitted: give fit_policy(log, {policy!r}).policy.", value=policy)
    if not hasattr(policy, "__len__"):
        raise ParameterError(f"A policy is a Policy, an array of chances (n, arms), or one arm per unit. Got {policy!r}.", value=policy)
    given = np.asarray(policy) if not isinstance(policy, pl.Series) else policy
    if isinstance(given, np.ndarray) and given.ndim == 2:
        if given.shape[1] != len(arms):
            raise ParameterError(f"An array of chances has a column per arm ({len(arms)}: {', '.join(arms)}). Got the shape {given.shape}.")
        return _checked(np.asarray(given, np.float64), units, "The array of chances")
    column = given if isinstance(given, pl.Series) else pl.Series(given.tolist() if given.dtype == object else given)
    if len(column) != len(units):
        raise ParameterError(f"A policy gives an arm to each unit ({len(units):,}). Got {len(column):,}.")
    return _checked(one_hot(_codes_of(column, arms, "the policy"), len(arms)), units, "The policy")


def one_hot(codes: NDArray[Any], arms: int) -> Float64:
    """(n, arms) chance 1 for the arm of each of the (n,) codes."""
    chances = np.zeros((len(codes), arms))
    chances[np.arange(len(codes)), codes] = 1.0
    return chances


def within(codes: NDArray[Any], allowed: NDArray[np.bool_] | None) -> Int64:
    """(n,) the arms; where one isn't allowed, the first that is."""
    codes = np.asarray(codes, np.int64)
    if allowed is None:
        return codes
    return np.where(allowed[np.arange(len(codes)), codes], codes, allowed.argmax(axis=1))


def arm_code(arm: str, arms: tuple[str, ...]) -> int:
    """The place of an arm among `arms`.

    Raises:
        UnknownNameError: it is none of them.
    """
    if arm not in arms:
        raise UnknownNameError.of("arm", arm, arms)
    return arms.index(arm)


def _aligned(policy: Policy, units: Units) -> Float64:
    """Its chances with the columns of the units' arms."""
    chances = np.asarray(policy.probabilities(units), np.float64)
    own = units.arms if policy.arms is None else policy.arms
    if chances.shape != (len(units), len(own)):
        raise ParameterError(f"{policy!r} must give chances of the shape {(len(units), len(own))}, a column per arm. Got {chances.shape}.")
    if own == units.arms:
        return chances
    out = np.zeros((len(units), len(units.arms)))
    for at, arm in enumerate(own):
        if arm in units.arms:
            out[:, units.arms.index(arm)] = chances[:, at]
        elif (chances[:, at] > 0).any():
            raise UnknownNameError.of("arm", arm, units.arms)
    return out


def _checked(chances: Float64, units: Units, whose: str) -> Float64:
    """The chances, which are ones."""
    if len(chances) != len(units):
        raise ParameterError(f"{whose} must have a row per unit ({len(units):,}). Got {len(chances):,}.")
    sums = chances.sum(axis=1)
    wrong = ~(np.abs(sums - 1) <= SLACK) | (chances < -SLACK).any(axis=1)
    if wrong.any():
        at = int(wrong.argmax())
        raise ParameterError(
            f"{whose} must give each unit chances from 0 on that sum to 1. Got {_row(chances[at], units)} in row {at} "
            f"({int(wrong.sum()):,} such rows). Divide each row by its sum, or give the chance that is left to the control."
        )
    if units.allowed is not None:
        banned = (chances > SLACK) & ~units.allowed
        if banned.any():
            at, arm = (int(i[0]) for i in np.nonzero(banned))
            raise ParameterError(
                f"{whose} gives the arm {units.arms[arm]!r} to row {at}, which may not get it ({int(banned.any(axis=1).sum()):,} such rows). "
                f"Give those rows {OTHERWISE}, or leave them out with units.rows(...)."
            )
    return chances


def _row(chances: Float64, units: Units) -> str:
    return ", ".join(f"{arm} {chance:.6g}" for arm, chance in list(zip(units.arms, chances, strict=True))[:8])


def _codes_of(column: pl.Series, arms: tuple[str, ...], what: str) -> Int64:
    """(n,) codes of arms that are given by name, or as codes."""
    if column.null_count():
        raise DataError(f"A unit must get an arm, and {what} has none in row {int(column.is_null().arg_max() or 0)}. Fill in the control.")
    if column.dtype.is_integer():
        codes = column.to_numpy().astype(np.int64)
        if len(codes) and not (codes.min() >= 0 and codes.max() < len(arms)):
            raise ParameterError(
                f"Codes of arms go from 0 to {len(arms) - 1} ({', '.join(arms)}). Got {codes.min()} to {codes.max()} in {what}."
            )
        return codes
    if column.dtype.is_float():
        raise ParameterError(f"One arm per unit is a name or a whole number. Got {column.dtype} in {what}; chances have a column per arm.")
    names = column.cast(pl.String)
    unknown = set(names.unique().to_list()) - set(arms)
    if unknown:
        raise UnknownNameError.of("arm", min(unknown), arms)
    return names.replace_strict(list(arms), list(range(len(arms))), return_dtype=pl.Int64).to_numpy()


def _feature(units: Units, name: str) -> pl.Series:
    if name not in units.features.columns:
        raise UnknownNameError.of("column among the features of the units", name, units.features.columns)
    return units.features[name]
