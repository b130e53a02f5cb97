"""What a position pays for the item it should have named. Losses are means over positions, weighted where their targets are, in nats."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from vitrina.base.config import Config
from vitrina.sequence.bonus import Bonus
from vitrina.sequence.negatives import Drawn, Negatives, Pool, Uniform
from vitrina.sequence.products import ChunkedSoftmax, mean_of, scores_of


@dataclass(frozen=True, eq=False)
class Task:
    """Positions to be scored against the whole item table."""

    states: Tensor  # (positions, dim), already scaled by the similarity
    table: Tensor  # (rows, dim)
    targets: Tensor  # (positions,) rows of the table
    pool: Pool
    bonus: Bonus | None = None  # fixed additions to some logits
    weights: Tensor | None = None  # (positions,) above 0, how much each counts; None: all alike
    whole: Tensor | None = None  # (positions of the batch,) all targets, where several processes share the batch
    positions: Tensor | None = None  # (positions,) where these stand among them

    def drawn(self, negatives: Negatives) -> Drawn:
        """Negatives of these positions. Processes that share a batch draw alike, for all of it, and each takes its own."""
        if self.whole is None:
            return negatives.draw(self.pool, self.targets)
        drawn = negatives.draw(self.pool, self.whole)
        return drawn if drawn.shared else Drawn(drawn.rows[self.positions], drawn.log_q[self.positions])

    @property
    def share(self) -> Tensor | None:
        """(positions,) the weights with a mean of 1."""
        return None if self.weights is None else self.weights / self.weights.mean()


class Loss(Config, ABC):
    """A loss over (state, target) pairs."""

    @abstractmethod
    def of(self, task: Task) -> Tensor:
        """A scalar with gradients to states and table: the mean over positions, each of which is looked at alone, weighted by `task.share`.

        Processes that share a batch add up such means of their positions. What couples positions is drawn for the whole batch: `task.drawn`.
        """


@final
class FullSoftmax(Loss):
    """-s[t] + log sum_j exp s[j] over ALL items, in chunks of positions: never positions x items at once.

    Each chunk's logits, probabilities and gradients are made and dropped in the forward pass, so that the peak is a chunk (6 to 96 MB
    on a CPU; in float32 one for each thread, together at most 96 MB, with a gradient of the table each) beside the two gradients. Cost: 6 x positions x items x dim operations, in bfloat16 where the processor multiplies it
    faster than float32 (sums over chunks stay in float32, and so does what the target adds to the gradients).

    Args:
        smoothing: share of the target's weight that is spread over all items.
    """

    smoothing: float = Field(default=0.0, ge=0, lt=1)

    def of(self, task: Task) -> Tensor:
        loss: Any = ChunkedSoftmax.apply(task.states, task.table, task.targets, task.bonus, self.smoothing, None, task.share)
        return loss


class Sampled(Loss, ABC):
    """Losses that look at the target and at drawn negatives. A draw that is the target itself is masked out.

    The n draws that a position has to itself are scored by whichever costs less: in catalogues of up to 10 n items (5 n without bfloat16
    products, 48 n on a GPU) they are picked from dense products with the whole table, 6 x positions x items x dim operations with their
    gradients, in chunks; beyond that their vectors are looked up one by one, 6 x positions x n x dim operations.
    """

    negatives: Negatives = Uniform()

    def of(self, task: Task) -> Tensor:
        return self.of_drawn(task, task.drawn(self.negatives))

    def of_drawn(self, task: Task, drawn: Drawn) -> Tensor:
        """The loss for given draws."""
        positive = (task.states * task.table[task.targets]).sum(1)
        negative = scores_of(task.states, task.table, drawn)
        if task.bonus is not None:
            positive = positive + task.bonus.at(task.targets[:, None]).squeeze(1)
            negative = negative + task.bonus.at(drawn.rows.expand(len(positive), -1) if drawn.shared else drawn.rows)
        hit = drawn.rows == task.targets[:, None]
        return mean_of(self.of_logits(positive, negative, hit, drawn, task), task.share)

    @abstractmethod
    def of_logits(self, positive: Tensor, negative: Tensor, hit: Tensor, drawn: Drawn, task: Task) -> Tensor:
        """(positions,) from logits (positions,) and (positions, n); `hit` marks draws that are the target."""


@final
class SampledSoftmax(Sampled):
    """-s[t] + log(exp s[t] + sum over draws j != t of exp(s[j] - c[j])).

    With `corrected`, c[j] = log(n q[j]): the sum is an unbiased estimate of the full one, so that the loss tends to the full softmax as n grows
    (the target is not a draw and needs no correction). Without it, c = 0, as eSASRec was published.

    Draws that the batch shares are scored like `FullSoftmax`, as a table of their own, in chunks: 6 x positions x n x dim operations,
    in bfloat16 where that is faster.
    """

    corrected: bool = False

    def of_drawn(self, task: Task, drawn: Drawn) -> Tensor:
        if not drawn.shared or task.bonus is not None:
            return super().of_drawn(task, drawn)
        rows, column = torch.unique(torch.cat([drawn.rows, task.targets]), return_inverse=True)
        of_draw, of_target = column[: drawn.n], column[drawn.n :]
        bias = torch.bincount(of_draw, minlength=len(rows)).to(task.states.dtype).log()  # -inf: a target that was not drawn
        if self.corrected:
            bias[of_draw] -= (drawn.log_q + math.log(drawn.n)).to(bias.dtype)  # once per row: without accumulation
        table = task.table.index_select(0, rows)
        loss: Any = ChunkedSoftmax.apply(task.states, table, of_target, None, 0.0, bias, task.share)
        return loss

    def of_logits(self, positive: Tensor, negative: Tensor, hit: Tensor, drawn: Drawn, task: Task) -> Tensor:
        if self.corrected:
            negative = negative - (drawn.log_q + math.log(drawn.n))
        logits = torch.cat([positive[:, None], negative.masked_fill(hit, -torch.inf)], 1)
        return logits.logsumexp(1) - positive


@final
class BCE(Sampled):
    """(softplus(-s[t]) + sum over draws of softplus(s[j])) / (1 + n). With one uniform draw, SASRec's loss."""

    def of_logits(self, positive: Tensor, negative: Tensor, hit: Tensor, drawn: Drawn, task: Task) -> Tensor:
        return (F.softplus(-positive) + F.softplus(negative).masked_fill(hit, 0).sum(1)) / (1 + drawn.n)


@final
class GBCE(Sampled):
    """(beta softplus(-s[t]) + sum over draws of softplus(s[j])) / (1 + n). [Petrov and Macdonald 2023](https://arxiv.org/abs/2308.07192).

    beta = a (t (1 - 1/a) + 1/a) with a = n / (items - 1): -log sigmoid(s)^beta = beta softplus(-s), so no double precision is needed.

    Args:
        calibration: t; 0 is plain BCE, 1 fully calibrated.
    """

    calibration: float = Field(default=0.75, ge=0, le=1)

    def of_logits(self, positive: Tensor, negative: Tensor, hit: Tensor, drawn: Drawn, task: Task) -> Tensor:
        a = min(1.0, drawn.n / max(1, len(task.table) - 1))
        beta = a * (self.calibration * (1 - 1 / a) + 1 / a)
        return (beta * F.softplus(-positive) + F.softplus(negative).masked_fill(hit, 0).sum(1)) / (1 + drawn.n)


@final
class BPR(Sampled):
    """Mean over draws of softplus(s[j] - s[t]). [Rendle et al. 2009](https://arxiv.org/abs/1205.2618)."""

    def of_logits(self, positive: Tensor, negative: Tensor, hit: Tensor, drawn: Drawn, task: Task) -> Tensor:
        return F.softplus(negative - positive[:, None]).masked_fill(hit, 0).sum(1) / drawn.n
