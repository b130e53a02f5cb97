"""What models are worth by one metric, as every number of a benchmark's quality takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.evaluate.bootstrap import Buckets, Jackknife
from vitrina.evaluate.fits import FitSpread, spread_of_fits
from vitrina.evaluate.people import persons_of
from vitrina.types import Float64, Int64


@dataclass(frozen=True, eq=False)
class ModelValues:
    """The values of one metric per query, of several models on the same queries.

    Args:
        metric: its name.
        values: of each model (queries,), the mean over its fits; NaN where a query says nothing. Only queries where all models say
            something are counted.
        users: (queries,) codes of who asks; a negative one is a visitor of its own.
        lower_is_better: what the best model is.
        folds: (queries,) number of the fold in time that asks, from 1; None where there is one fold.
        spreads: how far the fits of a model are apart; a model that isn't there has no seed, or was fitted once.

    Raises:
        ParameterError: there are fewer than two models with values, or columns have different lengths.

    >>> import numpy as np
    >>> values = ModelValues("nDCG@10", {"EASE": np.array([1.0, 0.0, 0.5]), "Popularity": np.array([0.0, 0.0, 0.5])}, np.arange(3))
    >>> values.order, values.people
    (['EASE', 'Popularity'], 3)
    """

    metric: str
    values: Mapping[str, Float64]
    users: NDArray[Any]
    lower_is_better: bool = False
    folds: NDArray[Any] | None = None
    spreads: Mapping[str, FitSpread] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: np.asarray(column, np.float64) for name, column in self.values.items()}
        for name, column in columns.items():
            if column.shape != (len(self.users),):
                raise ParameterError(
                    f"The quality of {self.metric} needs one value per query: {len(self.users):,} of each model. {name} has the shape {column.shape}."
                )
        if self.folds is not None and len(self.folds) != len(self.users):
            raise ParameterError(f"There is one fold per query. Got {len(self.folds):,} folds and {len(self.users):,} queries.")
        said = {name: column for name, column in columns.items() if not np.isnan(column).all()}
        if len(said) < 2:
            raise ParameterError(
                f"The quality of a comparison is that of an order: it takes two models or more with values of {self.metric}. "
                f"Got {', '.join(said) or 'none'}. Add a model, or baselines=True."
            )
        object.__setattr__(self, "values", said)

    @classmethod
    def of_fits(cls, metric: str, fits: Mapping[str, Float64], users: NDArray[Any], **about: Any) -> Self:
        """Of the values (fits, queries) of each model, one row per seed; one row where the model has no seed or was fitted once."""
        known = {name: np.atleast_2d(np.asarray(rows, np.float64)) for name, rows in fits.items()}
        spreads = {name: spread_of_fits(rows, users) for name, rows in known.items() if len(rows) > 1}
        return cls(metric, {name: rows.mean(axis=0) for name, rows in known.items()}, users, spreads=spreads, **about)

    @property
    def models(self) -> list[str]:
        """In the order in which they were given."""
        return list(self.values)

    @cached_property
    def said(self) -> NDArray[np.bool_]:
        """(queries,) whether all models say something."""
        return np.asarray(~np.isnan(np.stack(list(self.values.values()))).any(axis=0))

    @cached_property
    def columns(self) -> Float64:
        """(models, queries) of the queries where all say something; what is more is better."""
        sign = -1.0 if self.lower_is_better else 1.0
        return sign * np.stack([column[self.said] for column in self.values.values()])

    @cached_property
    def persons(self) -> Int64:
        """(queries,) of those, numbered without a gap."""
        return persons_of(np.asarray(self.users)[self.said])

    @property
    def people(self) -> int:
        """Who ask them."""
        return int(self.persons.max(initial=-1)) + 1

    @cached_property
    def means(self) -> Float64:
        """(models,) over queries; more is better."""
        return self.columns.mean(axis=1)

    @property
    def order(self) -> list[str]:
        """The models, the best first; of equal ones the first that was given."""
        return [self.models[at] for at in np.argsort(-self.means, kind="stable")]

    @cached_property
    def jackknife(self) -> Jackknife:
        """By how much the means move when people are left out."""
        return Buckets.of(list(self.columns), self.persons).jackknife()

    @cached_property
    def fold_means(self) -> dict[int, Float64]:
        """(models,) in each fold; more is better. Empty for one fold."""
        if self.folds is None:
            return {}
        fold = np.asarray(self.folds)[self.said]
        return {int(number): self.columns[:, fold == number].mean(axis=1) for number in np.unique(fold)} if len(np.unique(fold)) > 1 else {}

    def people_of(self, fold: int) -> int:
        """Who ask in a fold."""
        assert self.folds is not None
        return len(np.unique(self.persons[np.asarray(self.folds)[self.said] == fold]))

    @cached_property
    def seeded(self) -> list[FitSpread]:
        """Spreads of the models that were fitted several times."""
        return [spread for name in self.models if (spread := self.spreads.get(name)) is not None and spread.fits > 1]

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the pooled spread of seeds; 0 where no model was fitted twice."""
        return sum(spread.fits - 1 for spread in self.seeded)

    def pooled(self, *, own: bool) -> float:
        """The variance of one fit over seeds, pooled over the models that have one: the seeds' own part of it, or all."""
        if not self.freedom:
            return 0.0
        total = sum((spread.fits - 1) * (spread.variance - spread.of_people * own) for spread in self.seeded)
        return max(total / self.freedom, 0.0)

    def shares(self) -> Float64:
        """(models,) of the pooled variance that the mean over a model's fits has: 1 / fits, 0 where it was fitted once."""
        fits = [self.spreads[name].fits if name in self.spreads else 1 for name in self.models]
        return np.array([1 / n if n > 1 else 0.0 for n in fits])
