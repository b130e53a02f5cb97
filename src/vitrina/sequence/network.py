"""The network: an item table, reverse positions, a stack of blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.sequence.batches import Batch
from vitrina.sequence.blocks.base import Block, stack
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.embed import Bags, EventVectors, Table
from vitrina.sequence.layout import Layout


class Similarity(Config, ABC):
    """How a state and an item vector make a logit: always a dot product of what these two return."""

    @abstractmethod
    def states(self, states: Tensor) -> Tensor: ...

    @abstractmethod
    def items(self, table: Tensor) -> Tensor: ...


@final
class DotProduct(Similarity):
    """state . item / temperature."""

    temperature: float = Field(default=1.0, gt=0)

    def states(self, states: Tensor) -> Tensor:
        return states / self.temperature if self.temperature != 1 else states

    def items(self, table: Tensor) -> Tensor:
        return table


@final
class CosineSimilarity(Similarity):
    """cos(state, item) / temperature."""

    temperature: float = Field(default=0.05, gt=0)

    def states(self, states: Tensor) -> Tensor:
        return F.normalize(states, dim=-1) / self.temperature

    def items(self, table: Tensor) -> Tensor:
        return F.normalize(table, dim=-1)


@final
class Body(nn.Module):
    """From vectors of tokens to states: x = Drop(item + position from the end + kind and value of the event + person), then the blocks.

    Args:
        reads_now: whether blocks that look at times are told the moment of asking, or only when the known events happened.
    """

    def __init__(self, block: Block, layers: int, heads: int, dim: int, length: int, dropout: float, *, reads_now: bool = False) -> None:
        super().__init__()
        self.within_history = block.needs_time and not reads_now
        self.positions = nn.Parameter(torch.empty(length + 1, dim))
        self.mask = nn.Parameter(torch.empty(1, dim))
        self.drop = Dropout(dropout)
        self.blocks = stack(block, layers, dim, heads, dropout, length)
        self.final = block.final(dim)

    def forward(self, table: Tensor, batch: Batch, causal: bool, people: Tensor | None = None, events: Tensor | None = None) -> Tensor:
        """States of the asked tokens, (positions, dim).

        Args:
            people: (windows, dim) vectors of what is known of the persons.
            events: (tokens, dim) vectors of what is known of the events beside their items.
        """
        # -1 stands for the mask; as a row behind the table it would cost a copy of the table
        known = F.embedding(batch.rows.clamp(min=0), table)
        x = torch.where((batch.rows < 0)[:, None], self.mask, known)
        x = x if events is None else x + events
        layout, at = batch.layout, batch.at
        if self.within_history:
            layout = layout.within_history(batch.rows < 0)
            at = layout.last if at is batch.layout.last else at
        return self.states(x, layout, at, causal, people)

    def states(self, x: Tensor, layout: Layout, at: Tensor, causal: bool, people: Tensor | None = None) -> Tensor:
        """The same for tokens whose vectors are known, (tokens, dim)."""
        x = x + self.positions[layout.from_end]
        x = self.drop(x if people is None else x + people[layout.window])
        for block in self.blocks[:-1]:
            x = block(x, layout, causal)
        top: Any = self.blocks[-1]
        if not self.training and at is layout.last and hasattr(top, "last"):
            return self.final(top.last(x, layout))
        return self.final(top(x, layout, causal)[at])


@final
class Network(nn.Module):
    """The item table, the body, the features of persons and what is read of events if there are any."""

    def __init__(self, table: Table, body: Body, users: Bags | None = None, events: EventVectors | None = None) -> None:
        super().__init__()
        self.table, self.body, self.users, self.events = table, body, users, events
        self.reset()

    def people(self, batch: Batch) -> Tensor | None:
        """(windows, dim) vectors of the persons of a batch."""
        return None if self.users is None else self.users(batch.users)

    def of_events(self, batch: Batch) -> Tensor | None:
        """(tokens, dim) vectors of what the events of a batch say beside their items."""
        return None if self.events is None else self.events(batch.events)

    @torch.no_grad()
    def reset(self) -> None:
        """What tokens are made of (items, positions, the mask) is drawn with deviation .02, every other matrix by Xavier; vectors keep torch's defaults.

        Xavier's deviation of a table falls with its rows, so that a few positions (.13) would drown thousands of items (.013).
        """
        for module in self.modules():
            draw = _token_vectors if isinstance(module, (Body, nn.Embedding)) else nn.init.xavier_normal_
            for parameter in module.parameters(recurse=False):
                if parameter.dim() > 1:
                    draw(parameter)
        if self.events is not None:
            self.events.begin()


def _token_vectors(parameter: Tensor) -> None:
    nn.init.normal_(parameter, std=0.02)
