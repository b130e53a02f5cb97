"""What was taken before what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from vitrina.models.graph.base import GraphLoss, Step

if TYPE_CHECKING:
    from torch import Tensor


@final
class Pairwise(GraphLoss):
    """BPR: the mean over pairs of softplus(u . n - u . p). [Rendle et al. 2009](https://arxiv.org/abs/1205.2618).

    >>> import vitrina as vt
    >>> vt.graph.Pairwise()
    Pairwise()
    """

    def of(self, step: Step) -> Tensor:
        from torch.nn.functional import softplus  # noqa: PLC0415  an extra, which a config does without

        asking = step.people[step.users]
        ahead = (asking * (step.items[step.positives] - step.items[step.negatives])).sum(1)
        return softplus(-ahead).mean()
