"""Features of two features."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from vitrina.base.errors import UnknownNameError
from vitrina.base.state import Arrays
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.pairs import Pairs
from vitrina.types import Float32

SIGN = {"product": "x", "ratio": "/", "difference": "-"}


@final
class Crosses(FeatureGroup):
    """The product, ratio or difference of two features of the groups before this one: a tree needs many splits for what one of these says at once.

    A ratio by 0 is missing, and so is what is made of something missing.

    Args:
        of: pairs of names of features.
        how: what is made of them.

    Raises:
        UnknownNameError: no group before this one gives a feature of that name; lists the closest.

    >>> import vitrina as vt
    >>> data, sources = vt.testing.toy(), (vt.ranking.Source(model=vt.Popularity(), n=2),)
    >>> crosses = vt.ranking.Crosses(of=[("Popularity: score", "sources that found it")], how="ratio")
    >>> vt.ranking.FeatureSet.fit((vt.ranking.SourceScores(), crosses), data, vt.ranking.Sources.fit(sources, data)).names[-1]
    'Popularity: score / sources that found it'
    """

    of: Annotated[tuple[tuple[str, str], ...], Field(strict=False, min_length=1)]
    how: Literal["product", "ratio", "difference"] = "product"

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        unknown = next((name for both in self.of for name in both if name not in pairs.known), None)
        if unknown is not None:
            raise UnknownNameError.of("feature before Crosses", unknown, pairs.known)
        return {f"{a} {SIGN[self.how]} {b}": self._cross(pairs.known[a], pairs.known[b]) for a, b in self.of}

    def _cross(self, a: Float32, b: Float32) -> Float32:
        if self.how == "product":
            return a * b
        return a - b if self.how == "difference" else np.divide(a, b, out=np.full(len(a), np.nan, np.float32), where=b != 0)
