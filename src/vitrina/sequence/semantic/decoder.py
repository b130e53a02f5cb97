"""The decoder of generative models: what was read of a history in, token after token of the path to the next item out.

How to reuse it: whatever reads histories (`vitrina.sequence.network.Body`, or another encoder) gives one state per token it read, packed, with their
`Layout`; an item may be one token there or many. `Decoder(...)(memory, layout, at, paths, depths)` goes through known paths and is what is trained;
`Decoder.begin` and `Decoder.step` do the same one token at a time, for a search (`vitrina.sequence.semantic.beam.search`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout

DISTANCES = 32  # back from a question that have a bias of their own; all further ones share the last
Pair = tuple[Tensor, Tensor]  # keys and values


@final
@dataclass(frozen=True, eq=False)
class Reading:
    """What a search looks at: keys and values of each layer for what each query read, padded; made once per query."""

    start: Tensor  # (queries, dim) the first token of each path
    memory: tuple[Pair, ...]  # per layer, (queries, heads, longest, dim of a head) each
    distance: Tensor  # (queries, 1, longest) from the question to what was read, less than 0 behind it


@final
class Decoder(nn.Module):
    """states of a path's tokens, [Raffel et al. 2020](https://arxiv.org/abs/1910.10683)'s decoder with learned places: x = token + place; then per layer

    x = x + Drop(Own(RMS x)); x = x + Drop(Read(RMS x, memory)); x = x + Drop(W2 Drop(ReLU(W1 RMS x))).

    Own is attention among the tokens of the path so far, Read attention to what was read of the history up to where the question stands, with a learned
    bias for how far back that is. The first token of a path is a learned one and the state at which the question stands: a decoder that can't tell
    which of the states that it sees is the last one learns far slower.

    Args:
        tokens: how many tokens there are, of all digits together, or the module that gives vectors (..., dim) of tokens (...).
        levels: the longest path.
        multiplier: hidden size of the feed-forward part in units of dim.

    Cost: (6 + 2 multiplier) dim^2 multiplications per token and layer, 2 dim^2 per token read, and dim per pair of tokens that see each other.
    """

    def __init__(self, tokens: int | nn.Module, levels: int, dim: int, layers: int, heads: int, multiplier: int, dropout: float) -> None:
        super().__init__()
        self.tokens: Any = nn.Embedding(tokens, dim) if isinstance(tokens, int) else tokens
        self.start, self.places = nn.Parameter(torch.empty(1, dim)), nn.Parameter(torch.empty(levels, dim))
        self.layers: Any = nn.ModuleList(_Layer(dim, heads, multiplier, dropout) for _ in range(layers))
        self.norm_memory, self.norm, self.drop = nn.RMSNorm(dim), nn.RMSNorm(dim), Dropout(dropout)

    def forward(self, memory: Tensor, layout: Layout, at: Tensor, paths: Tensor, depths: Tensor) -> Tensor:
        """(sum of depths, dim): for each question its states before the first, second, ... token of its path.

        Args:
            memory: (tokens read, dim) states, packed as `layout` says.
            at: (questions,) each looks at its window up to this token; in the order of windows.
            paths: (questions, levels) tokens that should be named.
            depths: (questions,) how many of them are asked for, at least 1.
        """
        codes = Layout(depths)
        before = self.tokens(paths[codes.window, (codes.place - 1).clamp(min=0)])
        memory = self.norm_memory(memory)
        x = torch.where((codes.place == 0)[:, None], self.start + memory[at][codes.window], before) + self.places[codes.place]
        window = layout.window[at]
        asking = Layout(torch.zeros_like(layout.lengths).index_add(0, window, depths))
        stands = asking.pad(layout.place[at][codes.window])  # 0 behind the end: sees the first token, and is not looked at
        distance, x = stands[:, :, None] - torch.arange(layout.width, device=x.device), self.drop(x)
        for layer in self.layers:
            x = layer(x, codes, layer.read(memory, layout), asking, distance)
        return self.norm(x)

    def begin(self, memory: Tensor, layout: Layout) -> Reading:
        """What queries read, each a window, of which all is looked at."""
        memory = self.norm_memory(memory)
        distance = layout.lengths[:, None, None] - 1 - torch.arange(layout.width)
        return Reading(self.start + memory[layout.last], tuple(layer.read(memory, layout) for layer in self.layers), distance)

    def step(self, reading: Reading, beams: Tensor, tokens: Tensor | None, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        """One more token of each beam: (all beams, dim) the states before the next one, and what later steps look at.

        Args:
            beams: (queries,) how many beams each has, packed query after query.
            tokens: (all beams,) the tokens named last; None at the start.
            past: of each layer, (all beams, heads, place, dim of a head): what `step` gave before, each beam with that of whom it goes on from.
        """
        width, own = int(beams.max()), []
        x = torch.repeat_interleave(reading.start, beams, 0) if tokens is None else self.tokens(tokens)
        x = x + self.places[place]
        cell = None if bool((beams == width).all()) else _cells(beams, width)
        for index, layer in enumerate(self.layers):
            x, pair = layer.step(x, past[index] if past else None, reading.memory[index], reading.distance, cell, width)
            own.append(pair)
        return self.norm(x), own


@final
class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int, multiplier: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, Dropout(dropout)
        self.norm_own, self.norm_read, self.norm_f = nn.RMSNorm(dim), nn.RMSNorm(dim), nn.RMSNorm(dim)
        self.own, self.own_out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.ask, self.memory, self.read_out = (nn.Linear(dim, size, bias=False) for size in (dim, 2 * dim, dim))
        self.recency = nn.Parameter(torch.zeros(heads, DISTANCES))
        self.up, self.down = nn.Linear(dim, multiplier * dim, bias=False), nn.Linear(multiplier * dim, dim, bias=False)

    def read(self, memory: Tensor, layout: Layout) -> Pair:
        keys, values = self.memory(memory).chunk(2, -1)
        return self._heads(layout.pad(keys)), self._heads(layout.pad(values))

    def forward(self, x: Tensor, codes: Layout, memory: Pair, asking: Layout, distance: Tensor) -> Tensor:
        q, k, v = (self._heads(codes.pad(part)) for part in self.own(self.norm_own(x)).chunk(3, -1))
        own = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.own_out(codes.pack(own.transpose(1, 2).flatten(2))))
        asked = self._heads(asking.pad(self.ask(self.norm_read(x))))
        read = F.scaled_dot_product_attention(asked, *memory, attn_mask=self._bias(distance))
        return self._feed(x + self.drop(self.read_out(asking.pack(read.transpose(1, 2).flatten(2)))))

    def step(self, x: Tensor, past: Pair | None, memory: Pair, distance: Tensor, cell: Tensor | None, width: int) -> tuple[Tensor, Pair]:
        """`cell` is where each beam stands in a rectangle (queries, width); None where they fill it."""
        q, k, v = (self._heads(part[:, None]) for part in self.own(self.norm_own(x)).chunk(3, -1))  # (beams, heads, 1, dim of a head)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        x = x + self.own_out(F.scaled_dot_product_attention(q, k, v).flatten(1))
        asked = self.ask(self.norm_read(x))
        if cell is not None:
            asked = asked.new_zeros((len(distance) * width, asked.shape[1])).index_copy(0, cell, asked)
        read = F.scaled_dot_product_attention(self._heads(asked.view(len(distance), width, -1)), *memory, attn_mask=self._bias(distance))
        read = read.transpose(1, 2).reshape(len(distance) * width, -1)
        return self._feed(x + self.read_out(read if cell is None else read[cell])), (k, v)

    def _feed(self, x: Tensor) -> Tensor:
        return x + self.drop(self.down(self.drop(F.relu(self.up(self.norm_f(x))))))

    def _bias(self, distance: Tensor) -> Tensor:
        """(rows, heads, asking, read) what is added to logits, -inf for what comes after the question."""
        near = self.recency[:, distance.clamp(0, DISTANCES - 1)].transpose(0, 1)
        return near.masked_fill((distance < 0)[:, None], -torch.inf)

    def _heads(self, padded: Tensor) -> Tensor:
        return padded.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (rows, heads, width, dim of a head)


def _cells(beams: Tensor, width: int) -> Tensor:
    """(all beams,) where each beam stands in the rectangle of queries."""
    layout = torch.repeat_interleave(torch.arange(len(beams)), beams)
    return layout * width + torch.arange(len(layout)) - (torch.cumsum(beams, 0) - beams)[layout]
