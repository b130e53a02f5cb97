"""What a loss over the graph is, and what it sees of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy import sparse

from vitrina.base.config import Config
from vitrina.data.dataset import Dataset
from vitrina.types import Int32

if TYPE_CHECKING:
    from torch import Tensor

View = Callable[[float], "tuple[Tensor, Tensor]"]


@dataclass(frozen=True, eq=False)
class Step:
    """A batch of pairs, with the vectors of everybody and everything as the graph spreads them.

    Args:
        people: (people, dim).
        items: (items, dim).
        users: (pairs,) who.
        positives: (pairs,) what was taken.
        negatives: (pairs,) drawn among what the person didn't take.
        others: (pairs,) another draw of the same.
        view: the vectors once more, each layer moved by noise of the given length.
        prepared: what the loss's `prepared` returned.
    """

    people: Tensor
    items: Tensor
    users: Tensor
    positives: Tensor
    negatives: Tensor
    others: Tensor
    view: View
    prepared: Any = None


class GraphLoss(Config, ABC):
    """A loss over pairs of a person and an item."""

    def prepared(self, data: Dataset, people_items: sparse.csr_matrix, codes: Int32) -> Any:
        """What the loss makes of the log before the first batch; by default nothing.

        Args:
            data: the log.
            people_items: its entries, with the rows and columns that a batch speaks of.
            codes: (columns,) the item of each.
        """
        return None

    @abstractmethod
    def of(self, step: Step) -> Tensor:
        """A scalar with gradients to the vectors."""
