"""What a position pays for the item it should have named. Losses are means over positions, weighted where their targets are, in nats."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from vitrina.base.config import Config
from vitrina.sequence.bonus import Bonus
from vitrina.sequence.negatives import Drawn, Negatives, Pool, Uniform

CHUNK_BYTES = 6 << 20  # of a chunk of logits: stays within the last-level cache of a CPU
LARGE_BYTES = 96 << 20  # up to here, rather than fewer than MANY positions: matrix products of few rows are slow
MANY = 128
DENSE_BYTES = 96  # of a column of the item table, for each draw of a position: up to here dense products beat gathered vectors
GPU_CHUNK_BYTES = 256 << 20  # enough work for a GPU


def chunk_of(bytes_per_position: int, device: torch.device = torch.device("cpu")) -> int:
    """Positions per chunk, whatever their number: what bounds the memory of a loss."""
    if device.type != "cpu":
        return max(1, GPU_CHUNK_BYTES // bytes_per_position)
    return max(1, CHUNK_BYTES // bytes_per_position, min(MANY, LARGE_BYTES // bytes_per_position))


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

    Each chunk's logits, probabilities and gradients are made and dropped in the forward pass, so that the peak is one chunk (6 to 96 MB
    on a CPU) beside the two gradients. Cost: 6 x positions x items x dim operations, in bfloat16 where the processor multiplies it
    faster than float32 (sums over chunks stay in float32, and so does what the target adds to the gradients).

    Args:
        smoothing: share of the target's weight that is spread over all items.
    """

    smoothing: float = Field(default=0.0, ge=0, lt=1)

    def of(self, task: Task) -> Tensor:
        loss: Any = _ChunkedSoftmax.apply(task.states, task.table, task.targets, task.bonus, self.smoothing, None, task.share)
        return loss


class _ChunkedSoftmax(torch.autograd.Function):
    """With `bias` (rows,), it is added to all logits of a position but that of its target; `share` (positions,) weighs positions."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, bonus: Bonus | None, smoothing: float, bias: Tensor | None,
        share: Tensor | None,
    ) -> Tensor:  # fmt: skip
        n, narrow = len(states), product_dtype(states)
        keys = table.detach().to(narrow)
        columns = keys.t()
        grad_states, grad_table, log_chance = torch.empty_like(states), torch.zeros_like(table), states.new_empty(n)
        step, room = _room(states, table)
        for part in _parts(n, step):
            asking = states[part].to(narrow)
            logits = room[: len(asking)]
            if bias is None:
                torch.mm(asking, columns, out=logits)
            else:
                torch.addmm(bias.to(narrow), asking, columns, out=logits)
                own = (states[part] * table[targets[part]]).sum(1)
                logits[torch.arange(len(own), device=own.device), targets[part]] = own.to(narrow)  # scatter_ copies all of a bfloat16
            if bonus is not None:
                bonus.add_to(logits, part)
            chances = torch.softmax(logits, 1, out=logits)  # one pass per row, while the row is in cache
            log_chance[part] = chances.gather(1, targets[part, None]).squeeze(1).to(states.dtype).clamp_(min=1e-38).log_()
            grad_states[part] = (chances @ keys).to(states.dtype)
            if share is not None:
                grad_states[part] *= share[part, None]
                asking = (states[part] * share[part, None]).to(narrow)
            grad_table += chances.t() @ asking
        loss = _towards_target(states, table, targets, smoothing, grad_states, grad_table, log_chance, bonus, share)
        ctx.save_for_backward(grad_states.div_(n), grad_table.div_(n))
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        grad_states, grad_table = ctx.saved_tensors
        return grad_states * grads[0], grad_table * grads[0], None, None, None, None, None


def _towards_target(
    states: Tensor,
    table: Tensor,
    targets: Tensor,
    smoothing: float,
    grad_states: Tensor,
    grad_table: Tensor,
    log_chance: Tensor,
    bonus: Bonus | None,
    share: Tensor | None,
) -> Tensor:
    """The mean loss from the target's log-probability; adds to both gradients what comes from the target, in full precision."""
    own = table[targets]
    pulled, pulling = (own, states) if share is None else (own * share[:, None], states * share[:, None])
    grad_states.sub_(pulled, alpha=1 - smoothing)
    grad_table.index_add_(0, targets, pulling, alpha=smoothing - 1)
    if not smoothing:
        return -_mean(log_chance, share)
    average = table.mean(0)
    grad_states.sub_(average if share is None else average * share[:, None], alpha=smoothing)
    grad_table.sub_(pulling.sum(0), alpha=smoothing / len(table))
    ahead = (states * (own - average)).sum(1)  # the target's logit less the mean of all
    if bonus is not None:
        ahead = ahead + bonus.at(targets[:, None]).squeeze(1)
        ahead = ahead.index_add(0, bonus.position, bonus.value.to(ahead.dtype), alpha=-1 / len(table))
    return _mean(smoothing * ahead - log_chance, share)


def _mean(losses: Tensor, share: Tensor | None) -> Tensor:
    return losses.mean() if share is None else (losses * share).mean()


def product_dtype(states: Tensor) -> torch.dtype:
    """bfloat16 where matrix products of it are faster than those of float32 by the device's own instructions."""
    if states.dtype != torch.float32:
        return states.dtype
    quick = torch.cuda.is_bf16_supported(including_emulation=False) if states.is_cuda else _bf16_on_cpu()
    return torch.bfloat16 if quick else torch.float32


@cache
def _bf16_on_cpu() -> bool:
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(known is not None and known() for known in asked)


class Sampled(Loss, ABC):
    """Losses that look at the target and at drawn negatives. A draw that is the target itself is masked out.

    The n draws that a position has to itself are scored in chunks, by whichever costs less: in catalogues of up to 48 n items (24 n without
    bfloat16 products) they are picked from dense products with the whole table, 6 x positions x items x dim operations with their gradients;
    beyond that their vectors are gathered, which moves positions x n x dim numbers several times.
    """

    negatives: Negatives = Uniform()

    def of(self, task: Task) -> Tensor:
        return self.of_drawn(task, task.drawn(self.negatives))

    def of_drawn(self, task: Task, drawn: Drawn) -> Tensor:
        """The loss for given draws."""
        positive = (task.states * task.table[task.targets]).sum(1)
        negative = _scores(task.states, task.table, drawn)
        if task.bonus is not None:
            positive = positive + task.bonus.at(task.targets[:, None]).squeeze(1)
            negative = negative + task.bonus.at(drawn.rows.expand(len(positive), -1) if drawn.shared else drawn.rows)
        hit = drawn.rows == task.targets[:, None]
        return _mean(self.of_logits(positive, negative, hit, drawn, task), task.share)

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
        loss: Any = _ChunkedSoftmax.apply(task.states, table, of_target, None, 0.0, bias, task.share)
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


def _scores(states: Tensor, table: Tensor, drawn: Drawn) -> Tensor:
    """(positions, n) logits of the draws: one matrix product when shared, else picked from dense products or gathered."""
    if drawn.shared:
        return states @ table[drawn.rows].t()
    dense = len(table) * product_dtype(states).itemsize <= DENSE_BYTES * drawn.n
    scores: Any = (_PickedScores if dense else _GatheredScores).apply(states, table, drawn.rows)
    return scores


class _PickedScores(torch.autograd.Function):
    """Scores of each position's own rows, picked from its scores of all rows: chunks of dense products instead of gathered vectors."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(states, table, rows)
        narrow = product_dtype(states)
        columns = table.to(narrow).t()
        out = states.new_empty(rows.shape)
        step, room = _room(states, table)
        for part in _parts(len(states), step):
            logits = torch.mm(states[part].to(narrow), columns, out=room[: part.stop - part.start])
            out[part] = logits.gather(1, rows[part])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        states, table, rows = ctx.saved_tensors
        keys, narrow_states = table.to(product_dtype(states)), states.to(product_dtype(states))
        grad_states, grad_table = torch.empty_like(states), torch.zeros_like(table)
        step, room = _room(states, table)
        sums = states.new_empty(room.shape)
        for part in _parts(len(states), step):
            slopes, narrow_slopes = sums[: part.stop - part.start].zero_(), room[: part.stop - part.start]
            narrow_slopes.copy_(slopes.scatter_add_(1, rows[part], grads[0][part]))  # a row may be drawn twice
            grad_states[part] = (narrow_slopes @ keys).to(states.dtype)
            grad_table += narrow_slopes.t() @ narrow_states[part]
        return grad_states, grad_table, None


class _GatheredScores(torch.autograd.Function):
    """Scores of each position's own rows, without ever holding positions x n x dim."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(states, table, rows)
        out = states.new_empty(rows.shape)
        for part in _parts(len(states), _gathered(states, rows)):
            torch.bmm(table[rows[part]], states[part, :, None], out=out[part, :, None])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        states, table, rows = ctx.saved_tensors
        grad_states, grad_table = torch.empty_like(states), torch.zeros_like(table)
        for part in _parts(len(states), _gathered(states, rows)):
            slope = grads[0][part]
            grad_states[part] = torch.bmm(slope[:, None, :], table[rows[part]]).squeeze(1)
            outer = slope[:, :, None] * states[part, None, :]
            grad_table.index_add_(0, rows[part].reshape(-1), outer.reshape(-1, states.shape[1]))
        return grad_states, grad_table, None


def _gathered(states: Tensor, rows: Tensor) -> int:
    return chunk_of(states.element_size() * rows.shape[1] * states.shape[1], states.device)


def _room(states: Tensor, table: Tensor) -> tuple[int, Tensor]:
    """Positions per chunk, and a place for their scores of all rows, one for all chunks: fresh pages cost as much as the products."""
    narrow = product_dtype(states)
    step = chunk_of(narrow.itemsize * len(table), states.device)
    return step, states.new_empty((min(step, len(states)), len(table)), dtype=narrow)


def _parts(n: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]
