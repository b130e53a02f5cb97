"""The network of ActionPiece: tokens of a history read, the next item said in tokens of the same vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.layout import Layout
from vitrina.sequence.network import Body
from vitrina.sequence.products import ChunkedSoftmax
from vitrina.sequence.semantic.decoder import Decoder, Pair, Reading
from vitrina.sequence.semantic.trie import Trie
from vitrina.types import Int32, Ragged


@final
class PieceVectors(nn.Module):
    """vector of a token = own + sum of the vectors of its n features / sqrt(n): a token that is rare in training is known by what it stands for."""

    start: Tensor
    count: Tensor
    features: Tensor

    def __init__(self, features: Ragged, base: int, dim: int) -> None:
        super().__init__()
        self.own, self.feature = nn.Embedding(len(features), dim), nn.Embedding(base, dim)
        for name, array in (("start", features.indptr[:-1]), ("count", features.lengths), ("features", features.values)):
            self.register_buffer(name, torch.from_numpy(array.astype(np.int64)), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        flat = tokens.reshape(-1)
        start, count = self.start[flat], self.count[flat]
        offsets = torch.cumsum(count, 0) - count
        places = torch.repeat_interleave(start - offsets, count) + torch.arange(int(count.sum()), device=flat.device)
        summed = F.embedding_bag(self.features[places], self.feature.weight, offsets, mode="sum")
        return (self.own(flat) + summed / count[:, None].sqrt()).unflatten(0, tokens.shape)


@final
@dataclass(frozen=True, eq=False)
class PieceBatch:
    """Histories in tokens, where they are asked, and which item comes next."""

    tokens: Tensor  # (tokens,)
    layout: Layout
    at: Tensor  # (positions,) tokens that are asked
    targets: Tensor  # (positions,) leaves of what is taught; empty when there is nothing to learn
    weights: Tensor | None = None  # (positions,)

    def to(self, device: torch.device) -> PieceBatch:
        if device.type == "cpu":
            return self
        weights = None if self.weights is None else self.weights.to(device)
        return PieceBatch(self.tokens.to(device), self.layout.to(device), self.at.to(device), self.targets.to(device), weights)


@final
class PieceNetwork(nn.Module):
    """log p(item | history) = sum over the tokens of the item of log softmax(state . vector of the token), over the tokens that may follow.

    A state is that of the decoder and that of the last token read: the decoder asks what was read the same at each place, and couldn't tell what was last.

    Args:
        said: (tokens that items are said in,) ascending; the trie numbers them.
    """

    said: Tensor

    def __init__(self, body: Body, decoder: Decoder, said: Int32) -> None:
        super().__init__()
        self.body, self.decoder = body, decoder
        self.register_buffer("said", torch.from_numpy(said.astype(np.int64)), persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """What tokens are made of is drawn with deviation .02, every other matrix by Xavier."""
        for module in self.modules():
            for parameter in module.parameters(recurse=False):
                if parameter.dim() > 1 and isinstance(module, (Body, Decoder, nn.Embedding)):
                    nn.init.normal_(parameter, std=0.02)
                elif parameter.dim() > 1:
                    nn.init.xavier_normal_(parameter)

    def read(self, batch: PieceBatch) -> Tensor:
        """(tokens, dim) states of the tokens of histories."""
        x = self.decoder.tokens(batch.tokens)
        return self.body.states(x, batch.layout, torch.arange(len(x), device=x.device), causal=True)

    def loss(self, batch: PieceBatch, taught: TaughtPieces) -> Tensor:
        """The mean of -log p over what a batch asks for, weighted where it has weights."""
        depths, paths = taught.decisive[batch.targets], taught.paths[batch.targets]
        memory, codes, vectors = self.read(batch), Layout(depths), self.decoder.tokens(self.said)
        states = self.decoder(memory, batch.layout, batch.at, self.said[paths.clamp(min=0)], depths) + memory[batch.at][codes.window]
        share = None if batch.weights is None else batch.weights / batch.weights.mean()
        first: Any = ChunkedSoftmax.apply(states[codes.starts].float(), vectors, paths[:, 0], None, 0.0, taught.first, share)
        further = states.new_zeros(())
        for level in range(1, int(depths.max())):
            asked = torch.nonzero(codes.place == level).squeeze(1)
            question = codes.window[asked]
            logits = F.linear(states[asked], vectors).float()
            logits = logits.masked_fill(~taught.options(batch.targets[question], level), -torch.inf)
            losses = F.cross_entropy(logits, paths[question, level], reduction="none")
            further = further + (losses if share is None else losses * share[question]).sum()
        return first + further / len(depths)


@final
class TaughtPieces:
    """The paths that a network learns: those of the items that are trained on, as tensors."""

    def __init__(self, trie: Trie, tokens: int, device: torch.device) -> None:
        self.trie, self.tokens, self.device = trie, tokens, device
        self.paths = torch.from_numpy(trie.paths.astype(np.int64)).to(device)
        self.decisive = torch.from_numpy(trie.decisive.astype(np.int64)).to(device)
        begins = torch.from_numpy(trie.token[trie.options(np.zeros(1, np.int32))[1]].astype(np.int64))
        self.first = torch.full((tokens,), -torch.inf).index_fill(0, begins, 0.0).to(device)  # what is added to the logits of first tokens

    def options(self, leaves: Tensor, level: int) -> Tensor:
        """(leaves, tokens) which tokens may come after the first `level` ones of each leaf, at least one."""
        out = torch.zeros(len(leaves), self.tokens, dtype=torch.bool)
        of, child = self.trie.options(self.trie.node_at[leaves.cpu().numpy(), level])
        out[torch.from_numpy(of), torch.from_numpy(self.trie.token[child].astype(np.int64))] = True
        return out.to(self.device)


@final
class PieceSpeaker:
    """The network for a search, a `vitrina.sequence.semantic.beam.Speaker`: what histories in one segmentation are answered."""

    def __init__(self, network: PieceNetwork, reading: Reading, last: Tensor, vectors: Tensor) -> None:
        self.network, self.reading, self.last, self.vectors = network, reading, last, vectors

    @classmethod
    def of(cls, network: PieceNetwork, batch: PieceBatch, vectors: Tensor) -> PieceSpeaker:
        """`vectors` are those of the tokens that are said."""
        memory = network.read(batch)
        return cls(network, network.decoder.begin(memory, batch.layout), memory[batch.layout.last], vectors)

    def begin(self, beams: Tensor) -> tuple[Tensor, list[Pair]]:
        return self._said(beams, None, 0, [])

    def go_on(self, beams: Tensor, tokens: Tensor, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        return self._said(beams, self.network.said[tokens], place, past)

    def _said(self, beams: Tensor, tokens: Tensor | None, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        states, past = self.network.decoder.step(self.reading, beams, tokens, place, past)
        return F.linear(states + torch.repeat_interleave(self.last, beams, dim=0), self.vectors), past

    def first(self, place: int) -> int:
        return 0
