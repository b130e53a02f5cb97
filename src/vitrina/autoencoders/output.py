"""What the items of a person pay, over the whole catalogue or a sample of it, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vitrina.autoencoders.bags import Bags

CHUNK_BYTES = 64 << 20  # of the logits of a chunk of people


@dataclass(frozen=True, eq=False)
class Columns:
    """The items that a batch is scored on.

    Without `rows` all of them. Else every item that somebody of the batch has, and a uniform sample without replacement of the others; `log_share` is
    log(others / sample) for those that were drawn and 0 for the rest, so that a sum of exp(logit + log_share) is that over the catalogue in
    expectation, and exactly where all others are drawn.
    """

    size: int
    rows: Tensor | None = None  # (columns,)
    log_share: Tensor | None = None  # (columns,)
    own: int = 0  # the first columns, which somebody of the batch has, ascending

    @classmethod
    def drawn(cls, targets: Tensor, size: int, sample: int | None) -> Columns:
        """For a batch with these `targets`, with `sample` of the items that nobody in it has; None takes all."""
        own = torch.unique(targets)
        others = size - len(own)
        if sample is None or sample >= others:
            return cls(size)
        free = torch.ones(size, dtype=torch.bool)
        free[own.cpu()] = False
        chosen = torch.nonzero(free).squeeze(1)[torch.randperm(others)[:sample]].to(targets.device)
        share = torch.zeros(len(own) + sample, device=targets.device)
        share[len(own) :] = log(others / sample)
        return cls(len(share), torch.cat([own, chosen]), share, len(own))

    def of(self, table: Tensor) -> Tensor:
        """The rows of a table that are scored."""
        return table if self.rows is None else table.index_select(0, self.rows)

    def places(self, targets: Tensor) -> Tensor:
        """Where the targets stand among the columns."""
        return targets if self.rows is None else torch.searchsorted(self.rows[: self.own], targets)


@dataclass(frozen=True, eq=False)
class Scored:
    """Consecutive people of a batch, and where among the columns their items are."""

    person: Tensor  # (entries,) 0 for the first of these people
    place: Tensor  # (entries,) column of each
    weights: Tensor  # (entries,)
    told: Tensor  # (entries,) what the states were made of


def over_people(
    loss: Callable[[tuple[Tensor, ...], Scored], Tensor],
    states: tuple[Tensor, ...],
    bags: Bags,
    columns: Columns,
    told: Tensor | None = None,
) -> Tensor:
    """The sum of `loss` over chunks of people, whose logits are made again when the gradient asks for them, so that those of one chunk are held at a time.

    Args:
        loss: of the states of a chunk, as many as there are, and of its items.
        states: (people, dim) each.
        told: (entries,) the weights in the histories that the states were made of, where they aren't those of the bags.
    """
    step = max(1, CHUNK_BYTES // (4 * columns.size))
    whole = Scored(bags.people, columns.places(bags.targets), bags.weights, bags.weights if told is None else told)
    if step >= len(bags):
        return loss(states, whole)
    total = states[0].new_zeros(())
    for first in range(0, len(bags), step):
        last = min(first + step, len(bags))
        own = slice(int(bags.indptr[first]), int(bags.indptr[last]))
        part = Scored(whole.person[own] - first, whole.place[own], whole.weights[own], whole.told[own])
        total = total + checkpoint(loss, tuple(state[first:last] for state in states), part, use_reentrant=False)
    return total


def multinomial(states: Tensor, table: Tensor, bias: Tensor, bags: Bags, columns: Columns) -> Tensor:
    """-sum over people and their items of weight * log softmax(states table' + bias)[item].

    On a sample of the catalogue the sum in the softmax is an unbiased estimate; its logarithm lies below the true one by about half of the
    estimate's relative variance, which falls with the sample.
    """
    items, biases = columns.of(table), columns.of(bias)

    def loss(chunk: tuple[Tensor, ...], scored: Scored) -> Tensor:
        logits = torch.addmm(biases, chunk[0], items.t())
        own = logits[scored.person, scored.place]
        partition = torch.logsumexp(logits if columns.log_share is None else logits + columns.log_share, 1)
        return (scored.weights * (partition[scored.person] - own)).sum()

    return over_people(loss, (states,), bags, columns)


def focal(
    gates: tuple[tuple[Tensor, Tensor, Tensor], ...],
    linear: tuple[Tensor, Tensor, Tensor],
    alpha: float,
    gamma: float,
    bags: Bags,
    columns: Columns,
) -> Tensor:
    """The focal loss of p = product of sigmoids, summed over people and items: alpha (1 - p)^gamma -log p where a person has the item, and
    (1 - alpha) p^gamma -log(1 - p) where not. A sample of the catalogue gives the sum in expectation. [Lin et al. 2017](https://arxiv.org/abs/1708.02002)

    Args:
        gates: states (people, dim), table (items, dim), bias (items,) of each sigmoid.
        linear: sums (people, rank) of rows of A over the history, A (items, rank), and the weights (entries,) in these sums, some of them dropped: a last sigmoid,
            without an item's own part.
    """
    tables, biases = [columns.of(table) for _, table, _ in gates], [columns.of(bias) for _, _, bias in gates]
    factors = columns.of(linear[1])
    squares = (factors**2).sum(1)
    counts = None if columns.log_share is None else columns.log_share.exp()

    def loss(chunk: tuple[Tensor, ...], scored: Scored) -> Tensor:
        own = (scored.person, scored.place)
        logits = (chunk[-1] @ factors.t()).index_put(own, -scored.told * squares[scored.place], accumulate=True)
        log_p = torch.nn.functional.logsigmoid(logits)
        for state, table, bias in zip(chunk, tables, biases, strict=False):
            log_p = log_p + torch.nn.functional.logsigmoid(torch.addmm(bias, state, table.t()))
        log_p = log_p.clamp(max=-1e-6)  # p is never 1, so that 1 - p has a logarithm
        p = log_p.exp()
        log_rest = torch.log1p(-p)
        absent = -(1 - alpha) * p**gamma * log_rest
        mine, log_mine, rest = p[own], log_p[own], log_rest[own]
        present = -alpha * (1 - mine) ** gamma * log_mine
        not_absent = -(1 - alpha) * mine**gamma * rest
        everywhere = absent.sum() if counts is None else (absent @ counts.to(p.dtype)).sum()
        return everywhere + (scored.weights * present - not_absent).sum()

    return over_people(loss, (*(state for state, _, _ in gates), linear[0]), bags, columns, linear[2])
