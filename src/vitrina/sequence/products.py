"""Products of states with the item table, forwards and backwards, in bounded memory: what losses cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from vitrina.base.kernels import THREADS, at_once
from vitrina.sequence.bonus import Bonus
from vitrina.sequence.kernels import exponentials, gathered_scores, gathered_slopes
from vitrina.sequence.negatives import Drawn

CHUNK_BYTES = 6 << 20  # of a chunk of logits: stays within the last-level cache of a CPU
LARGE_BYTES = 96 << 20  # up to here, rather than fewer than MANY positions: matrix products of few rows are slow
MANY = 128
TILE_BYTES = 384 << 10  # of the logits of a tile: stays within the second-level cache of a core
LEAST = 32  # positions of a chunk, where each thread has one of its own
DENSE_BYTES = 20  # of a column of the item table, for each draw of a position: up to here dense products beat gathered vectors
LINE = 16  # columns that a thread has to itself, at least: a line of the cache in float32
GPU_DENSE_BYTES = 96  # on a GPU, where gathered vectors are copied
GPU_CHUNK_BYTES = 256 << 20  # enough work for a GPU


def chunk_of(bytes_per_position: int, device: torch.device = torch.device("cpu")) -> int:
    """Positions per chunk, whatever their number: what bounds the memory of a loss."""
    if device.type != "cpu":
        return max(1, GPU_CHUNK_BYTES // bytes_per_position)
    return max(1, CHUNK_BYTES // bytes_per_position, min(MANY, LARGE_BYTES // bytes_per_position))


class ChunkedSoftmax(torch.autograd.Function):
    """With `bias` (rows,), it is added to all logits of a position but that of its target; `share` (positions,) weighs positions."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, bonus: Bonus | None, smoothing: float, bias: Tensor | None,
        share: Tensor | None,
    ) -> Tensor:  # fmt: skip
        n, found = len(states), None
        if product_dtype(states) == torch.float32 and states.device.type == "cpu" and bonus is None:
            found = _Tiled(states.detach(), table.detach(), targets, bias, share).sums()
        grad_states, grad_table, log_chance = found or _by_rows(states.detach(), table.detach(), targets, bonus, bias, share)
        loss = _towards_target(states, table, targets, smoothing, grad_states, grad_table, log_chance, bonus, share)
        ctx.save_for_backward(grad_states.div_(n), grad_table.div_(n))
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        grad_states, grad_table = ctx.saved_tensors
        return grad_states * grads[0], grad_table * grads[0], None, None, None, None, None


Sums = tuple[Tensor, Tensor, Tensor]  # the gradients of states and table without the target's part, and the target's log-probability


def _by_rows(states: Tensor, table: Tensor, targets: Tensor, bonus: Bonus | None, bias: Tensor | None, share: Tensor | None) -> Sums:
    """Chunks of whole rows of logits, one after the other, each on all threads: the narrow products, a GPU's, and any logits."""
    keys = table.to(product_dtype(states))
    columns = keys.t()
    grad_states, grad_table, log_chance = torch.empty_like(states), torch.zeros_like(table), states.new_empty(len(states))
    step, room = _room(states, table)
    for part in parts_of(len(states), step):
        asking = states[part].to(keys.dtype)
        logits = room[: len(asking)]
        if bias is None:
            torch.mm(asking, columns, out=logits)
        else:
            torch.addmm(bias.to(keys.dtype), asking, columns, out=logits)
            own = (states[part] * table[targets[part]]).sum(1)
            logits[torch.arange(len(own), device=own.device), targets[part]] = own.to(keys.dtype)  # scatter_ copies all of a bfloat16
        if bonus is not None:
            bonus.add_to(logits, part)
        chances = torch.softmax(logits, 1, out=logits)  # one pass per row, while the row is in cache
        log_chance[part] = chances.gather(1, targets[part, None]).squeeze(1).to(states.dtype).clamp_(min=1e-38).log_()
        grad_states[part] = (chances @ keys).to(states.dtype)
        if share is not None:
            grad_states[part] *= share[part, None]
            asking = (states[part] * share[part, None]).to(keys.dtype)
        grad_table += chances.t() @ asking
    return grad_states, grad_table, log_chance


@dataclass(frozen=True, eq=False)
class _Tiled:
    """The same in float32 on a CPU, in tiles of columns that stay in a core's cache from the product to the exponentials and the next product.

    With e[i, j] = exp(s[i, j] - s[i, t]) the target's chance is 1 / sum_j e[i, j], so that no pass looks for the largest logit and none
    divides: sums come last, as factors of the gradients. Each thread takes chunks of positions, which are the same whoever takes them.
    """

    states: Tensor
    table: Tensor
    targets: Tensor
    bias: Tensor | None
    share: Tensor | None

    def sums(self) -> Sums | None:
        """None where a logit is so far above its target's (more than 60) that sums of exponentials would leave float32."""
        n, row = len(self.states), 4 * len(self.table)
        threads = max(1, min(torch.get_num_threads(), THREADS, LARGE_BYTES // (LEAST * row), -(-n // LEAST)))
        step = max(1, min(chunk_of(row), LARGE_BYTES // (threads * row)))
        rounds = -(-n // (threads * step))
        parts = parts_of(n, -(-n // (threads * rounds)))
        own = (self.states * self.table[self.targets]).sum(1)
        totals, grad_states = torch.zeros_like(own), torch.zeros_like(self.states)
        grads_table = [torch.zeros_like(self.table) for _ in range(threads)]

        def work(thread: int) -> None:
            room = self.states.new_empty(len(self.table) * (parts[0].stop - parts[0].start))
            for part in parts[thread::threads]:
                self._chunk(part, own[part], totals[part], grad_states[part], grads_table[thread], room)

        _each_on_one(work, threads)
        if not bool((totals < 1e26).all()):
            return None
        for other in grads_table[1:]:
            grads_table[0] += other
        return grad_states, grads_table[0], -totals.log()

    def _chunk(self, part: slice, own: Tensor, totals: Tensor, grad_states: Tensor, grad_table: Tensor, room: Tensor) -> None:
        """Fills `totals` and `grad_states`, which are those of the part, and adds to `grad_table`."""
        states, targets = self.states[part], self.targets[part]
        width = max(256, TILE_BYTES // (4 * len(states)))
        tiles = []
        for columns in parts_of(len(self.table), width):
            keys = self.table[columns]
            logits = room[columns.start * len(states) : columns.stop * len(states)].view(len(states), len(keys))
            if self.bias is None:
                torch.mm(states, keys.t(), out=logits)
            else:
                torch.addmm(self.bias[columns], states, keys.t(), out=logits)
            exponentials(logits.numpy(), own.numpy(), targets.numpy(), columns.start, totals.numpy())
            grad_states.addmm_(logits, keys)
            tiles.append((columns, logits))
        factor = 1 / totals[:, None] if self.share is None else self.share[part, None] / totals[:, None]
        grad_states *= factor
        asking = states * factor
        for columns, exponential in tiles:
            grad_table[columns].addmm_(exponential.t(), asking)


def _each_on_one(work: Callable[[int], None], threads: int) -> None:
    """work(0) to work(threads - 1) at the same time, without gradients; products inside take one thread each where there are several."""
    before = torch.get_num_threads()

    def alone(number: int) -> None:
        if threads > 1:
            torch.set_num_threads(1)  # of the thread that runs this
        with torch.no_grad():
            work(number)

    try:
        at_once(alone, threads)
    finally:
        if threads > 1:
            torch.set_num_threads(before)


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
        return -mean_of(log_chance, share)
    average = table.mean(0)
    grad_states.sub_(average if share is None else average * share[:, None], alpha=smoothing)
    grad_table.sub_(pulling.sum(0), alpha=smoothing / len(table))
    ahead = (states * (own - average)).sum(1)  # the target's logit less the mean of all
    if bonus is not None:
        ahead = ahead + bonus.at(targets[:, None]).squeeze(1)
        ahead = ahead.index_add(0, bonus.position, bonus.value.to(ahead.dtype), alpha=-1 / len(table))
    return mean_of(smoothing * ahead - log_chance, share)


def product_dtype(states: Tensor) -> torch.dtype:
    """bfloat16 where matrix products of it are faster than those of float32 by the device's own instructions.

    A CPU that PyTorch is told to use no more than AVX2 of (ATEN_CPU_CAPABILITY=avx2 in the environment) counts as one that has no more.
    """
    if states.dtype != torch.float32:
        return states.dtype
    quick = torch.cuda.is_bf16_supported(including_emulation=False) if states.is_cuda else _bf16_on_cpu()
    return torch.bfloat16 if quick else torch.float32


@cache
def _bf16_on_cpu() -> bool:
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "AVX512" in torch.backends.cpu.get_cpu_capability() and any(known is not None and known() for known in asked)


def mean_of(losses: Tensor, share: Tensor | None) -> Tensor:
    """Over positions (positions,), weighted by `share` where there is one."""
    return losses.mean() if share is None else (losses * share).mean()


def scores_of(states: Tensor, table: Tensor, drawn: Drawn) -> Tensor:
    """(positions, n) logits of the draws: one matrix product when shared, else picked from dense products or gathered."""
    if drawn.shared:
        return states @ table[drawn.rows].t()
    most = DENSE_BYTES if states.device.type == "cpu" else GPU_DENSE_BYTES
    dense = len(table) * product_dtype(states).itemsize <= most * drawn.n
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
        for part in parts_of(len(states), step):
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
        for part in parts_of(len(states), step):
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
        if states.device.type == "cpu":
            gathered_scores(len(states), *_arrays(states, table, rows, out))
            return out
        for part in parts_of(len(states), _gathered(states, rows)):
            torch.bmm(table[rows[part]], states[part, :, None], out=out[part, :, None])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        states, table, rows = ctx.saved_tensors
        grad_states, grad_table = torch.zeros_like(states), torch.zeros_like(table)
        if states.device.type == "cpu":
            width = max(LINE, -(-states.shape[1] // THREADS // LINE) * LINE)
            blocks = -(-states.shape[1] // width)
            gathered_slopes(blocks, width, *_arrays(states, table, rows, grads[0], grad_states, grad_table))
            return grad_states, grad_table, None
        for part in parts_of(len(states), _gathered(states, rows)):
            slope = grads[0][part]
            grad_states[part] = torch.bmm(slope[:, None, :], table[rows[part]]).squeeze(1)
            outer = slope[:, :, None] * states[part, None, :]
            grad_table.index_add_(0, rows[part].reshape(-1), outer.reshape(-1, states.shape[1]))
        return grad_states, grad_table, None


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _gathered(states: Tensor, rows: Tensor) -> int:
    return chunk_of(states.element_size() * rows.shape[1] * states.shape[1], states.device)


def _room(states: Tensor, table: Tensor) -> tuple[int, Tensor]:
    """Positions per chunk, and a place for their scores of all rows, one for all chunks: fresh pages cost as much as the products."""
    narrow = product_dtype(states)
    step = chunk_of(narrow.itemsize * len(table), states.device)
    return step, states.new_empty((min(step, len(states)), len(table)), dtype=narrow)


def parts_of(n: int, step: int) -> list[slice]:
    """0 to n - 1 in runs of `step`."""
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]
