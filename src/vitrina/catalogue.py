"""What may be recommended: the items of a training part and how often each was taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.types import Bool, Float32, Int32, Int64


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Item statistics of a training part. Items without an event are outside the ranked catalogue, unless `also` names them."""

    events: Int64  # (items,) events of each item
    users: Int64  # (items,) distinct users of each item
    n_users: int  # users with at least one event
    also: Int32 = field(default_factory=lambda: np.empty(0, np.int32))  # cold items that the model can serve
    vectors: Float32 | None = None  # (items, dim), of any scale, for distances between items
    values: Float32 | None = None  # (items,) what one of each is usually worth
    fills: bool = True  # whether popularity fills the places that a model leaves: not those of a search

    @cached_property
    def mask(self) -> Bool:
        """(items,) whether an item is in the ranked catalogue."""
        mask = self.events > 0
        mask[self.also] = True
        return mask

    @cached_property
    def items(self) -> Int32:
        """Codes of the ranked catalogue, ascending."""
        return np.flatnonzero(self.mask).astype(np.int32)

    @cached_property
    def by_popularity(self) -> Int32:
        """The ranked catalogue by distinct users, most first; ties by code. The order of every fallback."""
        items = self.items
        return items[np.argsort(-self.users[items], kind="stable")]

    @property
    def filling(self) -> Int32:
        """What fills the places that a model leaves, in this order."""
        return self.by_popularity if self.fills else self.by_popularity[:0]

    @cached_property
    def directions(self) -> Float32 | None:
        """The vectors with rows of length 1."""
        return None if self.vectors is None else unit_rows(self.vectors)

    def arrays(self) -> dict[str, Any]:
        """What an artifact keeps of it."""
        kept = {"events": self.events, "users": self.users, "n_users": np.array([self.n_users]), "also": self.also}
        return kept if self.fills else kept | {"fills": np.array([False])}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Any]) -> Catalogue:
        fills = bool(arrays["fills"][0]) if "fills" in arrays else True
        return cls(arrays["events"], arrays["users"], int(arrays["n_users"][0]), arrays["also"], fills=fills)


def unit_rows(rows: NDArray[Any]) -> Float32:
    """Rows of length 1, whatever their scale; rows of zeros stay."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)  # squares of huge or tiny numbers don't fit
    scaled = np.divide(rows, largest, out=np.zeros(rows.shape, np.float32), where=largest > 0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, norms, out=scaled, where=norms > 0)
