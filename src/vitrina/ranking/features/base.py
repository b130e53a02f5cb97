"""What every group of features is: a config that learns from the log of the sources, and gives columns for pairs of query and item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.state import Arrays, State
from vitrina.data.dataset import Dataset
from vitrina.forms.history import known_only
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Events, Float32, Float64, Queries, Ragged

Columns = Mapping[str, NDArray[Any]]
BLOCK = 1 << 16  # pairs that are computed at a time


class FeatureGroup(Config, ABC):
    """A group of features. A subclass says what it takes of the log, and gives its columns; one that takes nothing has `compute` alone.

    A feature sees of a query only its history, which ends before the moment of asking, and of the items only the log that the sources were
    fitted on: nothing that happened later can reach it.

    Args:
        default: what stands where a feature is missing; None leaves it missing, which a tree may ask for. What is missing is counted either way.

    >>> import numpy as np, vitrina as vt
    >>> class Length(vt.ranking.FeatureGroup):
    ...     def compute(self, pairs, learned):
    ...         return {"events of the person": pairs.queries.lengths[pairs.rows]}
    """

    default: float | None = None

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        """What is needed of the log, by name (letters, digits, `-`, `_`), such as (items,) counters; an artifact keeps it. By default nothing."""
        return {}

    @abstractmethod
    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        """(pairs,) numbers by the name of the feature; NaN where one is missing. The names are the same for all pairs.

        Args:
            pairs: queries with their candidates. Histories have the events that count, of items that the log knew.
            learned: what `of_log` gave.
        """


@final
@dataclass(frozen=True, eq=False, repr=False)
class FeatureSet:
    """Fitted groups of features.

    Args:
        features: the configs.
        learned: what each took of the log.
        n_items: how many items that log had.
        names: of all columns, in order.
        widths: how many of them each group gives.
    """

    features: tuple[FeatureGroup, ...]
    learned: tuple[Arrays, ...]
    n_items: int
    names: tuple[str, ...]
    widths: tuple[int, ...]

    def __repr__(self) -> str:
        return f"FeatureSet({len(self.names)} features of {', '.join(type(group).__name__ for group in self.features)})"

    @classmethod
    def fit(cls, features: Sequence[FeatureGroup], data: Dataset, sources: Sources) -> FeatureSet:
        """Fit every group on the log that the sources were fitted on.

        Raises:
            ParameterError: two features have one name, or what should be a group is none.
            DataError: a group needs what the log doesn't have.
        """
        wrong = next((group for group in features if not isinstance(group, FeatureGroup)), None)
        if wrong is not None or not features:
            raise ParameterError(
                f"Features are one or more objects of vt.ranking, such as SourceScores(). Got {wrong!r}.", parameter="features"
            )
        data = data.counted()
        learned = tuple(dict(group.of_log(data, sources)) for group in features)
        empty = _nobody(data, sources.names)
        names: dict[str, str] = {}
        widths: list[int] = []
        for group, arrays in zip(features, learned, strict=True):
            for name in group.compute(replace(empty, known=dict.fromkeys(names, np.empty(0, np.float32))), arrays):
                if name in names:
                    raise ParameterError(f"Two features are called {name!r}, of {names[name]} and {type(group).__name__}. Leave one out.")
                names[name] = type(group).__name__
            widths.append(len(names) - sum(widths))
        return cls(tuple(features), learned, data.n_items, tuple(names), tuple(widths))

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each column: the name of its class."""
        return tuple(type(group).__name__ for group, width in zip(self.features, self.widths, strict=True) for _ in range(width))

    def compute(self, pairs: Pairs) -> Float32:
        """(pairs, names) the features, NaN where one is missing. See `filled`.

        Raises:
            ParameterError: a group gives other columns than at its fit.

        Cost: 4 bytes x features a pair, and what the groups cost.
        """
        out = np.empty((len(pairs), len(self.names)), np.float32)
        for part, block in pairs.blocks(BLOCK):
            self._put(block, out[slice(*pairs.items.indptr[[part.start, part.stop]])])
        return out

    def _put(self, pairs: Pairs, out: Float32) -> None:
        """Compute the features of a block."""
        pairs = replace(pairs, queries=known_only(pairs.queries.counted(), self.n_items))
        at, known = 0, dict(pairs.known)
        for group, arrays, width in zip(self.features, self.learned, self.widths, strict=True):
            columns = group.compute(replace(pairs, known=dict(known)), arrays)
            names = self.names[at : at + width]
            if tuple(columns) != names or any(np.shape(column) != (len(pairs),) for column in columns.values()):
                raise ParameterError(
                    f"{type(group).__name__} must give the columns it gave at its fit, a number per pair ({len(pairs):,}): {', '.join(names)}. "
                    f"Got {', '.join(f'{name} {np.shape(column)}' for name, column in columns.items())}."
                )
            for name, column in columns.items():
                out[:, at] = column
                known[name] = out[:, at]
                at += 1

    def filled(self, values: Float32) -> Float32:
        """The same with the declared defaults where a feature is missing; a feature without one stays missing."""
        defaults = np.array([np.nan if group.default is None else group.default for group in self.features], np.float32)
        return np.where(np.isnan(values), np.repeat(defaults, self.widths), values)

    def state(self) -> State:
        arrays = {f"{number}-{name}": array for number, own in enumerate(self.learned, 1) for name, array in own.items()}
        settings = {"features": self.features, "n_items": self.n_items, "names": self.names, "widths": self.widths}
        return State(settings, arrays)

    @classmethod
    def of_state(cls, state: State) -> FeatureSet:
        features = tuple(state.config["features"])
        learned: list[dict[str, Any]] = [{} for _ in features]
        for name, array in state.arrays.items():
            number, _, own = name.partition("-")
            learned[int(number) - 1][own] = array
        names, widths = state.config["names"], state.config["widths"]
        return cls(features, tuple(learned), int(state.config["n_items"]), tuple(names), tuple(map(int, widths)))


def _nobody(data: Dataset, sources: tuple[str, ...]) -> Pairs:
    """No pairs of no queries, of which the columns say their names."""
    nothing, none = np.empty(0, np.int64), np.empty((0, len(sources)), np.float32)
    columns = {name: column[:0] for name, column in data.events.columns().items()}
    queries = Queries(Events(**columns), nothing, nothing, data.items, nothing.astype(np.int32), now=nothing, kind_names=data.kind_names)
    return Pairs(queries, Ragged.empty(0), sources, none, none, none.astype(bool))


def ratio(number: NDArray[Any], of: NDArray[Any], nothing: float = np.nan) -> Float64:
    """number / of, and `nothing` where `of` is not above 0."""
    return np.divide(number, of, out=np.full(np.shape(of), float(nothing)), where=of > 0)
