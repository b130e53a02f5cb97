"""One label out of several people's: by majority, or by how reliable each has shown to be.

Dawid and Skene ([1979](https://doi.org/10.2307/2346806)): rater r says l of an item whose true grade is z with the chance e_r[z, l], raters err independently of one another, and grade z has the chance q_z. The EM algorithm goes between the
chances of each item's grades, p_i[z] ~ q_z prod_r e_r[z, l_ir], and the shares that these give: q_z = mean_i p_i[z], e_r[z, l] = sum over what r labelled l of p_i[z], over its sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import DataError, MissingExtraError, UnknownNameError
from vitrina.judge.gold import Gold
from vitrina.judge.scale import Scale
from vitrina.types import Float64, Int64

LEAST = 1e-10  # of a chance, whose logarithm is taken


@final
@dataclass(frozen=True, eq=False, repr=False)
class Consensus:
    """A label per item.

    Args:
        table: query, item, label, chance (that the label is right, as the method believes), ratings.
        chances: (items, grades) of each grade; rows as those of `table`.
        errors: rater -> (grades, grades) the chance of each label (column) given the true grade (row); empty where a method has none.
        priors: (grades,) shares of the grades.
        scale: of the labels.
        rounds: of the algorithm until it changed no more.
    """

    table: pl.DataFrame
    chances: Float64
    errors: dict[str, Float64]
    priors: Float64
    scale: Scale
    rounds: int = 0

    def labelled(self, labels: pl.DataFrame | Gold) -> Consensus:
        """What the raters' errors, as they were found, make of labels of other items.

        Raises:
            DataError: a rater is unknown, or the method knows no errors.
        """
        gold = labels if isinstance(labels, Gold) else Gold.of(labels, self.scale)
        unknown = [r for r in gold.raters if r not in self.errors]
        if unknown:
            raise DataError(
                f"Nothing is known of how {unknown[0]!r} errs. Known: {', '.join(map(repr, self.errors)) or 'nobody, as this method finds no errors'}."
            )
        rated = Rated.of(gold)
        errors = np.stack([self.errors[r] for r in rated.raters])
        return _consensus(rated, rated.chances(self.priors, errors), self.errors, self.priors, gold.scale, 0)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Consensus({len(self)} items, {len(self.errors)} raters)"


class Aggregator(Protocol):
    """Makes one label of several."""

    def fit(self, labels: pl.DataFrame | Gold, scale: Scale, gold: pl.DataFrame | None = None) -> Consensus: ...


@final
@dataclass(frozen=True, eq=False)
class Rated:
    """Labels as codes.

    Args:
        items: query, item of each item.
        at, by, code: (labels,) the item, the rater, and what was said.
        raters: names.
        grades: of the scale.
    """

    items: pl.DataFrame
    at: Int64
    by: Int64
    code: Int64
    raters: list[str]
    grades: int

    @classmethod
    def of(cls, gold: Gold) -> Rated:
        items = gold.table.select("query", "item").unique(maintain_order=True)
        table = gold.table.join(items.with_row_index("at"), on=["query", "item"], how="left", maintain_order="left")
        raters = gold.raters
        by = table["rater"].replace_strict(raters, list(range(len(raters))), return_dtype=pl.Int64)
        return cls(items, table["at"].to_numpy().astype(np.int64), by.to_numpy(), table["code"].to_numpy(), raters, len(gold.scale))

    def shares(self) -> Float64:
        """(items, grades) of the labels of each item."""
        counts = np.zeros((len(self.items), self.grades))
        np.add.at(counts, (self.at, self.code), 1.0)
        return counts / counts.sum(axis=1, keepdims=True)

    def chances(self, priors: Float64, errors: Float64, without: tuple[int, ...] = ()) -> Float64:
        """(items, grades) by Bayes' rule; the labels of the raters `without` are not looked at."""
        used = ~np.isin(self.by, without)
        logs = np.tile(np.log(np.maximum(priors, LEAST)), (len(self.items), 1))
        np.add.at(logs, self.at[used], np.log(np.maximum(errors, LEAST))[self.by[used], :, self.code[used]])
        scaled = np.exp(logs - logs.max(axis=1, keepdims=True))
        return scaled / scaled.sum(axis=1, keepdims=True)

    def errors(self, chances: Float64, smoothing: float) -> Float64:
        """(raters, grades, grades) of labels given the true grade."""
        counts = np.zeros((len(self.raters), self.grades, self.grades))
        np.add.at(counts, (self.by, self.code), chances[self.at])  # raters, labels, true grades
        counts = counts.transpose(0, 2, 1) + smoothing / 2 * (np.eye(self.grades) + 1 / self.grades)  # who labels is thought to try
        counts = np.maximum(counts, LEAST)
        return counts / counts.sum(axis=2, keepdims=True)


@final
class Majority(Config):
    """The label that most gave; of several the one nearest to the mean of all, then the lower.

    >>> labels = pl.DataFrame({"query": "q", "item": "a", "rater": ["r1", "r2", "r3"], "label": [0, 2, 1]})
    >>> Majority().fit(labels, Scale(grades=("no", "partly", "yes"))).table["label"].item()
    1
    """

    def fit(self, labels: pl.DataFrame | Gold, scale: Scale, gold: pl.DataFrame | None = None) -> Consensus:
        """Count. With `gold`, known labels (query, item, label) take the place of what was counted."""
        rated = Rated.of(labels if isinstance(labels, Gold) else Gold.of(labels, scale))
        shares = rated.shares()
        mean = shares @ np.arange(rated.grades)
        best = shares - 1e-6 * np.abs(np.arange(rated.grades) - mean[:, None])
        chances = _known(shares, rated, scale, gold)
        return _consensus(rated, chances, {}, chances.mean(axis=0), scale, 0, best if gold is None else chances)


@final
class DawidSkene(Config):
    """By a matrix of errors for each rater.

    Args:
        rounds: of the EM algorithm at most.
        tolerance: it ends when no chance moves by more.
        smoothing: labels that are added to each row of a rater's errors, half of them right: 0 is the plain form, in which a grade that a rater met twice has errors of 0, a half or 1.
    """

    rounds: int = Field(default=500, ge=1)
    tolerance: float = Field(default=1e-5, gt=0)
    smoothing: float = Field(default=1.0, ge=0)

    def fit(self, labels: pl.DataFrame | Gold, scale: Scale, gold: pl.DataFrame | None = None) -> Consensus:
        """Learn the errors. Known labels, `gold` (query, item, label), keep their place in every round."""
        rated = Rated.of(labels if isinstance(labels, Gold) else Gold.of(labels, scale))
        chances = _known(rated.shares(), rated, scale, gold)
        done, moved = 0, np.inf
        while done < self.rounds and moved > self.tolerance:
            priors, errors = chances.mean(axis=0), rated.errors(chances, self.smoothing)
            before, chances, done = chances, _known(rated.chances(priors, errors), rated, scale, gold), done + 1
            moved = float(np.abs(chances - before).max())
        named = dict(zip(rated.raters, rated.errors(chances, self.smoothing), strict=True))
        return _consensus(rated, chances, named, chances.mean(axis=0), scale, done)


@final
class CrowdKit(Config):
    """A method of [crowd-kit](https://github.com/Toloka/crowd-kit) (extra `judge`).

    Args:
        method: "MACE", "GLAD", "OneCoinDawidSkene" or "DawidSkene".
    """

    method: str

    def fit(self, labels: pl.DataFrame | Gold, scale: Scale, gold: pl.DataFrame | None = None) -> Consensus:
        """Its labels and their chances.

        Raises:
            MissingExtraError: crowd-kit isn't installed.
            UnknownNameError: there is no such method.
            DataError: `gold` is given, which these methods are not told.
        """
        if self.method not in METHODS:
            raise UnknownNameError.of("method of crowd-kit", self.method, METHODS)
        if gold is not None:
            raise DataError("Known labels are taken by Majority and DawidSkene. Leave 'gold' out, or take one of these.")
        try:
            import crowdkit.aggregation as kit  # noqa: PLC0415  an extra
            import pandas as pd  # noqa: PLC0415  comes with it
        except ImportError:
            raise MissingExtraError.of("crowd-kit", "judge", "CrowdKit") from None
        rated = Rated.of(labels if isinstance(labels, Gold) else Gold.of(labels, scale))
        frame = pd.DataFrame({"task": rated.at, "worker": rated.by, "label": rated.code})
        fitted: Any = getattr(kit, self.method)().fit(frame)
        chances = np.zeros((len(rated.items), rated.grades))
        said = fitted.probas_
        chances[np.ix_(said.index.to_numpy(np.int64), said.columns.to_numpy(np.int64))] = said.to_numpy(np.float64)
        return _consensus(rated, chances, {}, chances.mean(axis=0), scale, 0)


METHODS = ("DawidSkene", "GLAD", "MACE", "OneCoinDawidSkene")


def _known(chances: Float64, rated: Rated, scale: Scale, gold: pl.DataFrame | None) -> Float64:
    """With the rows of known labels replaced by them."""
    if gold is None:
        return chances
    table = Gold.of(gold, scale).table.join(rated.items.with_row_index("at"), on=["query", "item"])
    chances = chances.copy()
    chances[table["at"].to_numpy()] = np.eye(rated.grades)[table["code"].to_numpy()]
    return chances


def _consensus(
    rated: Rated, chances: Float64, errors: dict[str, Float64], priors: Float64, scale: Scale, rounds: int, best: Float64 | None = None
) -> Consensus:
    codes = np.argmax(chances if best is None else best, axis=1)  # the first of several, which is the lower
    table = rated.items.with_columns(
        label=pl.Series(np.asarray(scale.values)[codes]),
        chance=pl.Series(chances[np.arange(len(codes)), codes]),
        ratings=pl.Series(np.bincount(rated.at, minlength=len(codes))),
    )
    return Consensus(table, chances, errors, priors, scale, rounds)
