"""The network of a generative model over codes: items read as the sum of their codes' vectors, and the path of the next one said code by code."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.batches import Batch
from vitrina.sequence.layout import Layout
from vitrina.sequence.network import Body
from vitrina.sequence.semantic.decoder import Decoder, Pair, Reading
from vitrina.sequence.semantic.trie import Trie
from vitrina.types import Int32


@final
class CodedNetwork(nn.Module):
    """log p(item | history) = sum over the digits of log softmax(state . vector of the code), over the codes that may follow.

    One table of vectors stands for codes wherever they are: the token of an item that was read is the sum of those of its codes, a code that was
    said goes into the decoder as its own, and a state is multiplied with them.

    Args:
        first: (levels + 1,) the first token of each digit, and the number of all.
    """

    def __init__(self, body: Body, decoder: Decoder, first: tuple[int, ...]) -> None:
        super().__init__()
        self.body, self.decoder, self.level_start = body, decoder, first
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """What tokens are made of (codes, positions, the start) is drawn with deviation .02, every other matrix by Xavier."""
        for module in self.modules():
            for parameter in module.parameters(recurse=False):
                if parameter.dim() > 1 and isinstance(module, (Body, Decoder, nn.Embedding)):
                    nn.init.normal_(parameter, std=0.02)
                elif parameter.dim() > 1:
                    nn.init.xavier_normal_(parameter)

    def read(self, paths: Tensor, rows: Tensor, layout: Layout) -> Tensor:
        """(tokens, dim) the states of items that were read; `paths` are (all rows, levels)."""
        x = self.decoder.tokens(paths[rows]).sum(1)
        return self.body.states(x, layout, torch.arange(len(rows), device=x.device), causal=True)

    def logits(self, states: Tensor, level: int) -> Tensor:
        """(states, codes of that digit)."""
        return F.linear(states, self.decoder.tokens.weight[self.level_start[level] : self.level_start[level + 1]])

    def loss(self, batch: Batch, taught: Taught) -> Tensor:
        """The mean of -log p over what a batch asks for, weighted where it has weights."""
        device = batch.rows.device
        memory = self.read(taught.paths, batch.rows, batch.layout)
        depths, paths = taught.decisive[batch.targets], taught.paths[batch.targets]
        states = self.decoder(memory, batch.layout, batch.at, paths, depths)
        codes = Layout(depths)
        share = None if batch.weights is None else batch.weights / batch.weights.mean()
        total = states.new_zeros(())
        for level in range(int(depths.max())):
            asked = torch.nonzero(codes.place == level).squeeze(1)
            question = codes.window[asked]
            options = taught.options(batch.targets[question].cpu().numpy(), level, self.level_start).to(device)
            logits = self.logits(states[asked], level).float().masked_fill(~options, -torch.inf)
            losses = F.cross_entropy(logits, paths[question, level] - self.level_start[level], reduction="none")
            total = total + (losses if share is None else losses * share[question]).sum()
        return total / len(depths)


@final
class Taught:
    """The paths that a network learns: those of the items that are trained on, as tensors."""

    def __init__(self, trie: Trie, device: torch.device) -> None:
        self.trie = trie
        self.paths = torch.from_numpy(trie.paths.astype(np.int64)).to(device)
        self.decisive = torch.from_numpy(trie.decisive.astype(np.int64)).to(device)

    def options(self, leaves: Int32, level: int, first: tuple[int, ...]) -> Tensor:
        """(leaves, codes of the digit) which codes may come after the first `level` ones of each leaf."""
        out = torch.zeros(len(leaves), first[level + 1] - first[level], dtype=torch.bool)
        of, token = self.trie.options(self.trie.node_at[leaves, level])
        out[torch.from_numpy(of), torch.from_numpy(token.astype(np.int64) - first[level])] = True
        return out


@final
class CodedSpeaker:
    """The network for a search: what the histories of a block of queries are answered, a `vitrina.sequence.semantic.beam.Speaker`."""

    def __init__(self, network: CodedNetwork, reading: Reading) -> None:
        self.network, self.reading = network, reading

    @classmethod
    def of(cls, network: CodedNetwork, paths: Tensor, batch: Batch) -> CodedSpeaker:
        memory = network.read(paths, batch.rows, batch.layout)
        return cls(network, network.decoder.begin(memory, batch.layout))

    def begin(self, beams: Tensor) -> tuple[Tensor, list[Pair]]:
        states, past = self.network.decoder.step(self.reading, beams, None, 0, [])
        return self.network.logits(states, 0), past

    def go_on(self, beams: Tensor, tokens: Tensor, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        states, past = self.network.decoder.step(self.reading, beams, tokens, place, past)
        return self.network.logits(states, place), past

    def first(self, place: int) -> int:
        return self.network.level_start[place]
