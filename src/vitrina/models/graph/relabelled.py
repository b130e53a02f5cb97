"""What was not taken and is much like what was is no negative."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.models.content_vectors import item_tfidf
from vitrina.models.graph.base import GraphLoss, Step
from vitrina.models.graph.pairwise import Pairwise
from vitrina.types import Float32, Int32

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Likeness:
    """How like the history of a person an item is: the cosine of its vector and the sum of theirs.

    Args:
        people: (people, dim) of length 1, or 0 where nothing is known.
        items: (items, dim) the same.
        rest: what the other loss prepared.
    """

    people: sparse.csr_matrix
    items: sparse.csr_matrix
    rest: Any

    def of(self, users: NDArray[Any], items: NDArray[Any]) -> Float32:
        """(pairs,) the cosines."""
        return np.asarray(self.people[users].multiply(self.items[items]).sum(axis=1), np.float32).ravel()


@final
class Relabelled(GraphLoss):
    """Another loss, in which drawn negatives that are most like the person's history in words and categories are no negatives.

    Of the negatives of a batch those with a likeness above the `quantile` of all are probable false negatives: the pair gets another draw in the place of one, and as
    "positive" they are ranked before that draw too; "left out" does no more. The likeness is the cosine of the item's TF-IDF vector and the sum of those of the
    history. Unobserved pairs that are like the observed ones are labelled anew in [RevGNN](https://arxiv.org/abs/2407.20684) by what two encoders say, and by communities of the graph in
    [TPSC-FO](https://arxiv.org/abs/2602.18288); here it is the description alone, which doesn't change as training goes on.

    Args:
        loss: of the pairs.
        quantile: of the likeness of drawn negatives; .95 takes a twentieth of them.
        become: what they are then.
        columns: columns of the item table; None takes those of text or categories and the title.

    Raises:
        DataError: the log has no item table.

    >>> import vitrina as vt
    >>> vt.graph.Relabelled(quantile=0.9)
    Relabelled(quantile=0.9)
    """

    loss: GraphLoss = Pairwise()
    quantile: float = Field(default=0.95, gt=0, lt=1)
    become: Literal["positive", "left out"] = "left out"
    columns: Names | None = None

    def prepared(self, data: Dataset, people_items: sparse.csr_matrix, codes: Int32) -> Likeness:
        if data.item_table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=..., or take another loss.")
        vectors = sparse.csr_matrix(item_tfidf(data.item_table, self.columns)[codes])
        ones = sparse.csr_matrix((np.ones_like(people_items.data), people_items.indices, people_items.indptr), people_items.get_shape())
        people = sparse.csr_matrix(ones @ vectors)
        lengths = np.sqrt(np.asarray(people.multiply(people).sum(axis=1), np.float64).ravel())
        people.data /= np.repeat(np.maximum(lengths, np.finfo(np.float32).tiny), np.diff(people.indptr)).astype(np.float32)
        return Likeness(people, vectors, self.loss.prepared(data, people_items, codes))

    def of(self, step: Step) -> Tensor:
        likeness: Likeness = step.prepared
        alike = likeness.of(step.users.cpu().numpy(), step.negatives.cpu().numpy())
        return self.loss.of(replace(self._labelled(step, alike > np.quantile(alike, self.quantile)), prepared=likeness.rest))

    def _labelled(self, step: Step, probable: NDArray[np.bool_]) -> Step:
        """The batch with other draws for the probable ones, and with them as positives where they become so."""
        import torch  # noqa: PLC0415  an extra, which a config does without

        marked = torch.from_numpy(probable).to(step.users.device)
        negatives = torch.where(marked, step.others, step.negatives)
        if self.become == "left out":
            return replace(step, negatives=negatives)
        return replace(
            step,
            users=torch.cat([step.users, step.users[marked]]),
            positives=torch.cat([step.positives, step.negatives[marked]]),
            negatives=torch.cat([negatives, step.others[marked]]),
        )
