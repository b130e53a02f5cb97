"""The same person in two noisy views of the graph is himself, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field
from scipy import sparse

from vitrina.data.dataset import Dataset
from vitrina.models.graph.base import GraphLoss, Step
from vitrina.models.graph.pairwise import Pairwise
from vitrina.types import Int32

if TYPE_CHECKING:
    from torch import Tensor


@final
class SimGCL(GraphLoss):
    """A ranking loss and a contrast of two noisy views. [Yu et al. 2022](https://arxiv.org/abs/2112.08679).

        loss = ranking + weight * (contrast of the batch's people + contrast of its items)
        contrast = mean over x of -log(exp(a_x . b_x / temperature) / sum over y of exp(a_x . b_y / temperature))

    a and b are the two views' vectors at length 1: means over the layers after the first, each of which is moved by uniform noise of length `noise` in its own orthant.

    Args:
        ranking: the loss of the pairs.
        weight: of the contrast.
        noise: how far each layer is moved.
        temperature: of the contrast.

    Cost: the graph is gone through three times in place of once.

    >>> import vitrina as vt
    >>> vt.graph.SimGCL(weight=0.5)
    SimGCL(weight=0.5)
    """

    ranking: GraphLoss = Pairwise()
    weight: float = Field(default=0.2, gt=0)
    noise: float = Field(default=0.1, gt=0)
    temperature: float = Field(default=0.2, gt=0)

    def prepared(self, data: Dataset, people_items: sparse.csr_matrix, codes: Int32) -> Any:
        return self.ranking.prepared(data, people_items, codes)

    def of(self, step: Step) -> Tensor:
        import torch  # noqa: PLC0415  an extra, which a config does without

        one, other = step.view(self.noise), step.view(self.noise)
        people, items = torch.unique(step.users), torch.unique(step.positives)
        contrast = self._contrast(one[0][people], other[0][people]) + self._contrast(one[1][items], other[1][items])
        return self.ranking.of(step) + self.weight * contrast

    def _contrast(self, one: Tensor, other: Tensor) -> Tensor:
        from torch.nn.functional import normalize  # noqa: PLC0415  as above

        alike = normalize(one) @ normalize(other).t() / self.temperature
        return (alike.logsumexp(1) - alike.diagonal()).mean()
