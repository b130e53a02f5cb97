"""Those to be decided on: what a policy sees, and nothing of what was done or came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.data.read.sources import find_sources
from vitrina.policy.reading import Columns, Ids, Wanted, arm_name, feature, flags, listed, read_columns
from vitrina.types import Bool

ROUNDED = 0.0015  # how far chances of a unit may be from 1 together: three decimals of a third are 0.333


@final
@dataclass(frozen=True, eq=False, repr=False)
class Units:
    """Customers, trips, requests: a row per decision to be made, with what is known before it.

    Args:
        ids: (units,) what each is called; one may be there more than once.
        features: a row per unit, no column where nothing is known. Numbers, flags and categories; null is unknown.
        arms: the treatments that there are.
        allowed: (units, arms) who may get which; None: everybody everything.

    Raises:
        ParameterError: the shapes don't agree, an arm is there twice, or somebody may get nothing.

    >>> import polars as pl
    >>> table = pl.DataFrame({"client": [7, 8], "rides": [3, 0], "adult": [True, False]})
    >>> units = Units.of_frame(table, unit="client", features=["rides"], arms=["none", "beer"], allowed={"beer": "adult"})
    >>> units, units.allowed.tolist()
    (Units(2 units, 2 arms, features: rides, 50.0% may not get every arm), [[True, True], [True, False]])
    """

    ids: pl.Series
    features: pl.DataFrame
    arms: tuple[str, ...]
    allowed: Bool | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        if self.features.width and self.features.height != n:
            raise ParameterError(f"The 'features' of Units must have a row per unit ({n:,}). Got {self.features.height:,}.")
        if len(set(self.arms)) != len(self.arms):
            raise ParameterError(f"The 'arms' of Units must have names of their own. Got {listed(self.arms)}.", parameter="arms")
        if self.allowed is None:
            return
        if self.allowed.shape != (n, len(self.arms)) or self.allowed.dtype != bool:
            raise ParameterError(
                f"The 'allowed' of Units must be true or false per unit and arm {(n, len(self.arms))}. Got {self.allowed.dtype} of {self.allowed.shape}."
            )
        none = np.flatnonzero(~self.allowed.any(axis=1))
        if len(none):
            raise ParameterError(
                f"The 'allowed' of Units must leave everybody an arm, such as the one that does nothing. Unit {self.ids[int(none[0])]!r} has none"
                f"{f', and {len(none) - 1:,} more' * (len(none) > 1)}."
            )

    @classmethod
    def of_frame(
        cls,
        table: Any,
        *,
        arms: Iterable[Any],
        unit: str | None = None,
        features: Sequence[str] | None = None,
        allowed: Mapping[Any, str] | None = None,
    ) -> Units:
        """Read a table, or a file, of those to be decided on.

        Args:
            table: a Polars, pandas or Arrow table, a path, or a list of these.
            arms: the treatments, in order.
            unit: column of ids; None: the number of the row is one.
            features: columns that policies may look at; None: none. In a CSV a column whose every row is a number holds numbers.
            allowed: arm -> column of true or false; everybody may get the arms that are not named.

        Raises:
            DataError: a column or a row can't be used; names it.
        """
        if isinstance(arms, str) or not isinstance(arms, Iterable):
            raise ParameterError(f"The 'arms' are a list in order, such as ['none', 'mail']. Got {arms!r}.", parameter="arms")
        arms = tuple(arm_name(arm) for arm in arms)
        sources = find_sources(table, "the table of units")
        ids = Ids()
        wanted = units_wanted(unit, ids, features, allowed)
        return units_of(read_columns(sources, wanted), ids, arms)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        mask = "" if self.allowed is None else f", {np.mean(~self.allowed.all(axis=1)):.1%} may not get every arm"
        return f"Units({len(self):,} units, {len(self.arms)} arms, features: {', '.join(self.features.columns) or 'none'}{mask})"

    def rows(self, where: NDArray[Any] | slice | int) -> Units:
        """Some of them: a mask, places or a slice."""
        where = rows_of(where, len(self))
        index = np.arange(len(self))[where]
        features = self.features[index] if self.features.width else self.features
        return Units(self.ids.gather(index), features, self.arms, None if self.allowed is None else self.allowed[where])


def rows_of(where: Any, rows: int) -> slice | NDArray[Any]:
    """A choice of rows that can be used.

    Raises:
        ParameterError: a mask of another length.
    """
    where = where if isinstance(where, slice) else np.atleast_1d(np.asarray(where))
    if isinstance(where, np.ndarray) and where.dtype == bool and where.shape != (rows,):
        raise ParameterError(f"A mask of rows must have a flag per row ({rows:,}). Got the shape {where.shape}.", parameter="where")
    return where.astype(np.int64) if isinstance(where, np.ndarray) and not len(where) else where


def units_wanted(unit: str | None, ids: Ids, features: Sequence[str] | None, allowed: Mapping[Any, str] | None) -> dict[str, Wanted]:
    """The columns that say who they are."""
    if isinstance(features, str):
        raise ParameterError(f"The 'features' are a list of columns: [{features!r}]. Got {features!r}.", parameter="features")
    if not isinstance(allowed, Mapping | None):
        raise ParameterError(
            f"The 'allowed' are given per arm, {{'mail': 'may_get_mail'}}, columns of true or false. Got {allowed!r}.", parameter="allowed"
        )
    wanted = {"unit": Wanted("unit", unit, ids)} if unit is not None else {}
    wanted |= {f"feature {name}": Wanted("features", name, feature) for name in features or ()}
    return wanted | {f"allowed {arm_name(arm)}": Wanted("allowed", column, flags("allowed")) for arm, column in (allowed or {}).items()}


def units_of(columns: Columns, ids: Ids, arms: tuple[str, ...]) -> Units:
    """Units of what was read."""
    n = len(columns.rows)
    names = ids.typed(columns.values["unit"]).rename("unit") if "unit" in columns.values else pl.Series("unit", np.arange(1, n + 1))
    features = pl.DataFrame([s.alias(key.removeprefix("feature ")) for key, s in columns.values.items() if key.startswith("feature ")])
    masked = {key.removeprefix("allowed "): s for key, s in columns.values.items() if key.startswith("allowed ")}
    allowed = None
    if masked:
        allowed = np.ones((n, len(arms)), bool)
        for arm, flag in masked.items():
            if arm not in arms:
                raise UnknownNameError.of("arm", arm, arms)
            allowed[:, arms.index(arm)] = flag.to_numpy()
    return Units(names, features, arms, allowed)
