"""What a co-occurrence of two items is worth. Public as `vt.weighting`; a new one is one small class.

With X the (users, items) matrix of a weighting's entries, co = X'X and c[i] = co[i, i] (the users of i, where entries
are 1), each weighting is a division:

    weight_from_to[i, j] = co[i, j] / (f[i] * t[j] + F[i] + T[j] + r * sum_j co[i, j] + o * co[i, j] + constant)

so that it can be taken inside the sparse product, before the best are kept. Where a weighting counts every pair of events (`every_pair`), f and t
are multiplied by powers of the sums of the rows and of the columns of co.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.config import Config
from vitrina.types import Float64, Int64

__all__ = [
    "BM25", "ConditionalProbability", "Cosine", "Count", "Denominator", "Jaccard", "Lift", "RowNormalised", "TfIdf", "Transitions", "Weighting",
]  # fmt: skip


@dataclass(frozen=True)
class Denominator:
    """What a co-occurrence is divided by; see the equation of the module."""

    from_factor: Float64  # f, (items,)
    to_factor: Float64  # t, (items,)
    from_term: Float64  # F, (items,)
    to_term: Float64  # T, (items,)
    row_total: float = 0.0  # r
    own: float = 0.0  # o
    constant: float = 0.0
    row_power: float = 0.0  # of sum_j co[i, j] in f, with `every_pair`
    column_power: float = 0.0  # of sum_i co[i, j] in t, with `every_pair`

    @classmethod
    def product(cls, from_factor: Float64, to_factor: Float64, constant: float = 0.0) -> Denominator:
        nothing = np.zeros(len(from_factor))
        return cls(from_factor, to_factor, nothing, nothing, constant=constant)

    @property
    def plain(self) -> tuple[Any, ...]:
        """In the form that kernels read."""
        return self.from_factor, self.to_factor, self.from_term, self.to_term, float(self.row_total), float(self.own), float(self.constant)


class Weighting(Config, ABC):
    """From how often two items occur together to how strongly one suggests the other.

    `every_pair` says that co adds up every pair of events of a person, and doesn't take the best one.
    """

    every_pair: ClassVar[bool] = False

    @abstractmethod
    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        """`counts` (items,) is the diagonal of co: the users of each item, where entries are 1."""

    def entries(self, events: sparse.csr_matrix, lengths: Int64) -> Float64:
        """Factors of the entries of X, aligned with `events.data`: how many events each (user, item) has. By default 1.

        Args:
            events: (users, items) of some people; a log larger than memory comes in parts.
            lengths: (items,) how many events each item has in the whole log.
        """
        return np.ones(len(events.data))


@final
class Count(Weighting):
    """weight = co[i, j]: how many people took both.

    >>> import vitrina as vt
    >>> vt.Cooccurrence(weighting=vt.weighting.Count())
    Cooccurrence(weighting=Count())
    """

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        ones = np.ones(len(counts))
        return Denominator.product(ones, ones)


@final
class RowNormalised(Weighting):
    """weight = co[i, j] / (sum over all j of co[i, j] + shrinkage): the share of j in what goes with i.

    >>> import vitrina as vt
    >>> vt.weighting.RowNormalised(shrinkage=10)
    RowNormalised(shrinkage=10.0)
    """

    shrinkage: float = Field(default=0, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        nothing = np.zeros(len(counts))
        return Denominator(nothing, nothing, nothing, nothing, row_total=1.0, constant=self.shrinkage)


@final
class Cosine(Weighting):
    """weight = co[i, j] / (sqrt(c[i] c[j]) + shrinkage): the cosine of the two items' columns of users.

    >>> import vitrina as vt
    >>> vt.weighting.Cosine(shrinkage=10)
    Cosine(shrinkage=10.0)
    """

    shrinkage: float = Field(default=0, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        norms = np.sqrt(counts)
        return Denominator.product(norms, norms, self.shrinkage)


@final
class Jaccard(Weighting):
    """weight = co[i, j] / (c[i] + c[j] - co[i, j] + shrinkage): people of both over people of either.

    >>> import vitrina as vt
    >>> vt.weighting.Jaccard(shrinkage=10)
    Jaccard(shrinkage=10.0)
    """

    shrinkage: float = Field(default=0, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        nothing = np.zeros(len(counts))
        return Denominator(nothing, nothing, counts, counts, own=-1.0, constant=self.shrinkage)


@final
class Lift(Weighting):
    """weight = co[i, j] / (c[i] c[j] / users + shrinkage): seen together over what chance would give.

    Without shrinkage the rarest items win; a shrinkage of a few expected co-occurrences tames them.

    >>> import vitrina as vt
    >>> vt.weighting.Lift(shrinkage=5)
    Lift(shrinkage=5.0)
    """

    shrinkage: float = Field(default=0, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        return Denominator.product(counts / max(n_users, 1), counts, self.shrinkage)


@final
class ConditionalProbability(Weighting):
    """weight = co[i, j] / (c[i] c[j]^alpha + shrinkage). [Deshpande and Karypis 2004](https://doi.org/10.1145/963770.963776), eq. 4.

    alpha = 0 is P(j | i), which favours what everybody takes; alpha = 1 is lift up to a constant.

    >>> import vitrina as vt
    >>> vt.weighting.ConditionalProbability(alpha=0.7)
    ConditionalProbability(alpha=0.7)
    """

    alpha: float = Field(default=0.5, ge=0)
    shrinkage: float = Field(default=0, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        return Denominator.product(counts, np.power(counts, self.alpha), self.shrinkage)


@final
class Transitions(Weighting):
    """weight = co[i, j] / (out[i]^leaving * into[j]^arriving), out and into the sums of the rows and columns of co, which counts every pair of events.

    For pairs with a gap and a direction: how often j comes soon after i. Weak powers (.3 to .5, 0 to .1) keep what many people
    confirm ahead of what happened once; 1 and 0 are the transition probabilities of a Markov chain
    ([Rendle et al. 2010](https://doi.org/10.1145/1772690.1772773), eq. 4), .5 and .5 its symmetric normalisation.

    >>> import vitrina as vt
    >>> vt.Cooccurrence(weighting=vt.weighting.Transitions(leaving=0.5, arriving=0), gap=vt.decay.Window(events=1), one_way=True)
    Cooccurrence(weighting=Transitions(leaving=0.5, arriving=0.0), gap=Window(events=1.0), one_way=True)
    """

    every_pair: ClassVar[bool] = True
    leaving: float = Field(default=0.3, ge=0)
    arriving: float = Field(default=0.1, ge=0)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        ones = np.ones(len(counts))
        return replace(Denominator.product(ones, ones), row_power=self.leaving, column_power=self.arriving)


@final
class TfIdf(Weighting):
    """The cosine of items whose users are weighted: entry[u, i] = sqrt(events of u with i) * log(items / (1 + items of u)).

    An item is a document and its users are the words: a person who takes everything says little. Never below 0.

    >>> import vitrina as vt
    >>> vt.weighting.TfIdf(shrinkage=1)
    TfIdf(shrinkage=1.0)
    """

    shrinkage: float = Field(default=0, ge=0)

    def entries(self, events: sparse.csr_matrix, lengths: Int64) -> Float64:
        return np.sqrt(events.data) * _user_idf(events, lengths)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        norms = np.sqrt(counts)
        return Denominator.product(norms, norms, self.shrinkage)


@final
class BM25(Weighting):
    """The dot product of items by BM25. [Robertson and Zaragoza 2009](https://doi.org/10.1561/1500000019), eq. 3.15.

    entry[u, i] = idf[u] * n (k1 + 1) / (n + k1 (1 - b + b * length[i] / mean length)), with n the events of u with i,
    length[i] all events of i, idf as in TfIdf. b takes the popularity of both items out.

    >>> import vitrina as vt
    >>> vt.weighting.BM25(b=0.5)
    BM25(b=0.5)
    """

    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)

    def entries(self, events: sparse.csr_matrix, lengths: Int64) -> Float64:
        mean = lengths.sum() / max((lengths > 0).sum(), 1)
        saturation = self.k1 * (1 - self.b + self.b * lengths[events.indices] / mean)
        return _user_idf(events, lengths) * events.data * (self.k1 + 1) / (events.data + saturation)

    def denominator(self, counts: Float64, n_users: int) -> Denominator:
        ones = np.ones(len(counts))
        return Denominator.product(ones, ones)


def _user_idf(events: sparse.csr_matrix, lengths: Int64) -> Float64:
    """log(items / (1 + items of u)) for each entry, at least 0; items are those with an event."""
    own = np.diff(events.indptr)
    return np.repeat(np.maximum(np.log((lengths > 0).sum() / (1 + own)), 0), own)
