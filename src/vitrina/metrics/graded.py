"""How well lists hold what people judged better and worse, and what to make of what nobody judged.

g[j] is the grade of the item at place j (from 1), 0 where it was not judged or its grade is below 0. Where nobody judged
(`Judged.grades` is None) they raise DataError.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.grades import require_grades
from vitrina.metrics.base import PerQuery, parameters_of_name
from vitrina.metrics.judged import Judged
from vitrina.types import Float64, Recommendations


@final
class GradedNDCG(PerQuery):
    """Discounted gain over that of the best list possible, of grades. [Järvelin and Kekäläinen 2002](https://doi.org/10.1145/582415.582418).

    sum_{j <= k} gain(g[j]) / log2(j + 1)  /  the same sum for everything judged, best first

    gain(g) is g ("linear", as trec_eval has it) or 2^g - 1 ("exponential", as [Burges et al. 2005](https://doi.org/10.1145/1102351.1102363) and the
    trainers of rankers have it); the name says which. NaN where nothing that was judged is of use.

    >>> GradedNDCG().name, GradedNDCG(gain="exponential", k=5).name
    ('linear nDCG@10', 'exponential nDCG@5')
    """

    label: ClassVar[str] = "nDCG"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "grades"})
    in_words: ClassVar[str] = "how high in the list stands what people judged best, from 0 (nowhere) to 1 (the best possible order)"

    gain: Literal["linear", "exponential"] = "linear"

    @property
    def name(self) -> str:
        return f"{self.gain} {self.label}@{self.k}"

    def per_query(self, judged: Judged) -> Float64:
        grades = require_grades(judged.grades, self.name)
        discount = 1 / np.log2(np.arange(2, self.k + 2))
        ideal = _gained(grades.best(self.k), self.gain) @ discount
        found = _gained(_useful(judged, self), self.gain) @ discount
        return np.divide(found, ideal, out=np.full(len(judged), np.nan), where=ideal > 0)


@final
class ERR(PerQuery):
    """Expected reciprocal rank: one over the place where a reader who goes down the list stops. [Chapelle et al. 2009](https://doi.org/10.1145/1645953.1646033).

    sum_{j <= k} p[j] / j * prod_{i < j} (1 - p[i]), where p[j] = (2^g[j] - 1) / 2^top is the chance that the item at j satisfies.

    Not divided by that of the best list: 1 is out of reach. NaN where nothing that was judged is of use.

    Args:
        top: the highest grade that there is, which is that of a perfect item; numbers of different ones can't be compared.

    Raises:
        DataError: something was judged better than `top`.

    >>> ERR().name, ERR(top=3).name
    ('ERR@10', 'ERR(top=3)@10')
    """

    label: ClassVar[str] = "ERR"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "grades"})
    in_words: ClassVar[str] = "one over the place where somebody who goes down the list is satisfied, on average"

    top: int = Field(default=4, ge=1, le=30)

    def per_query(self, judged: Judged) -> Float64:
        grades = require_grades(judged.grades, self.name)
        highest = float(grades.useful.max(initial=0))
        if highest > self.top:
            raise DataError(
                f"{self.name} takes {self.top} for the highest grade, and an item has {highest:g}. Give the highest: ERR(top={int(np.ceil(highest))})."
            )
        satisfied = _gained(_useful(judged, self), "exponential") / 2.0**self.top
        goes_on = np.cumprod(np.concatenate([np.ones((len(satisfied), 1)), 1 - satisfied[:, :-1]], axis=1), axis=1)
        values = (satisfied * goes_on) @ (1 / np.arange(1, self.k + 1))
        return np.where(grades.best(1)[:, 0] > 0, values, np.nan)


@final
class Unjudged(PerQuery):
    """How many of the first k places hold an item that nobody judged for the query.

    What was not judged counts as bad in every metric of accuracy: where lists differ in this, so does how much they are underestimated.

    >>> Unjudged().name
    'Unjudged@10'
    """

    label: ClassVar[str] = "Unjudged"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "grades"})
    lower_is_better: ClassVar[bool] = True
    in_words: ClassVar[str] = "places of the list with an item that nobody judged"

    def per_query(self, judged: Judged) -> Float64:
        require_grades(judged.grades, self.name)
        first = judged.first(self.k, self.name)
        return (np.isnan(judged.gains[:, first]) & (judged.items[:, first] >= 0)).sum(axis=1).astype(np.float64)


@final
class Bpref(PerQuery):
    """How seldom something judged bad stands above something relevant; what was not judged is passed over. [Buckley and Voorhees 2004](https://doi.org/10.1145/1008992.1009000).

    1/R * sum over the relevant items r of the first k places of 1 - min(bad above r, R) / min(R, N)

    R relevant and N bad items were judged; the bad ones above r are those of the list. Where N is 0 every r counts 1. As trec_eval, when k is the length of the run.

    >>> Bpref(k=100).name
    'bpref@100'
    """

    label: ClassVar[str] = "bpref"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "grades"})
    in_words: ClassVar[str] = "how seldom something that was judged bad stands above something good, whatever was not judged"

    def per_query(self, judged: Judged) -> Float64:
        grades = require_grades(judged.grades, self.name)
        judged.first(self.k, self.name)
        bad = grades.items.lengths - grades.relevant.lengths
        out = np.zeros(len(judged))
        _preferred(len(judged), judged.gains, judged.hits, judged.relevant, bad, self.k, out)
        return np.divide(out, judged.relevant, out=np.full(len(judged), np.nan), where=judged.relevant > 0)


@final
class Condensed(Config):
    """A metric of lists from which all that was not judged is taken out, so that new items are not taken for bad ones. [Sakai 2007](https://doi.org/10.1145/1277741.1277756).

    It favours lists with few judged items as much as the plain metric wrongs them: read both, and `Unjudged` beside.

    Args:
        metric: any metric of accuracy.
        depth: places of the list that are read, from which the first judged ones are taken.

    >>> Condensed(metric=GradedNDCG()).name, Condensed(metric=GradedNDCG(), depth=50).name
    ('condensed linear nDCG@10', 'condensed(depth=50) linear nDCG@10')
    """

    metric: PerQuery
    depth: int = Field(default=100, ge=1)

    @property
    def name(self) -> str:
        return f"condensed{parameters_of_name(self, but='metric')} {self.metric.name}"

    @property
    def k(self) -> int:
        return max(self.depth, self.metric.k)

    @property
    def lower_is_better(self) -> bool:
        return self.metric.lower_is_better

    @property
    def needs(self) -> frozenset[str]:
        return self.metric.needs | {"truth", "grades"}

    @property
    def definition(self) -> str:
        return f"{self.metric.definition} Asked of the judged items among the first {self.k} places."

    @property
    def in_words(self) -> str:
        return self.metric.in_words and f"{self.metric.in_words}, of the judged items alone"

    def per_query(self, judged: Judged) -> Float64:
        require_grades(judged.grades, self.name)
        judged.first(self.k, self.name)
        return self.metric.per_query(judged.once(("condensed", self.k), lambda: _condensed(judged, self.k)))


def _useful(judged: Judged, metric: PerQuery) -> Float64:
    """(queries, k) grades of the first places, 0 for what is of no use or was not judged."""
    first = judged.gains[:, judged.first(metric.k, metric.name)]
    return np.maximum(np.nan_to_num(first, nan=0.0), 0).astype(np.float64)


def _gained(grades: Float64, gain: str) -> Float64:
    return grades if gain == "linear" else np.expm1(grades * np.log(2))


def _condensed(judged: Judged, depth: int) -> Judged:
    """The judged items among the first places, moved up."""
    gains, items = judged.gains[:, :depth], judged.items[:, :depth]
    order = np.argsort(np.isnan(gains), axis=1, kind="stable")
    kept = np.where(np.isnan(np.take_along_axis(gains, order, axis=1)), -1, np.take_along_axis(items, order, axis=1)).astype(np.int32)
    lists = Recommendations(kept, np.zeros(kept.shape, np.float32), judged.recommendations.vocabulary)
    return replace(judged, recommendations=lists, _cache={})


@Spread
def _preferred(first, last, gains, hits, relevant, bad, k, out):  # pragma: no cover
    """(queries,) sum over the hits of 1 - min(bad above, R) / min(R, N)."""
    for q in range(first, last):
        above, most = 0, min(relevant[q], bad[q])
        for place in range(k):
            if hits[q, place]:
                out[q] += 1.0 if most == 0 else 1.0 - min(above, most) / most
            elif not np.isnan(gains[q, place]):
                above += 1
