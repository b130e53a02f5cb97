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
from vitrina.types import Bool, Int32


@final
class NodeVectors(nn.Module):
    """The vector of a beginning of codes: that of its last code and, with `own`, one of its own, which starts at zero.

    What beginnings have in common is learned for all of them by their codes; what sets one apart by its own vector, down to that of the item.
    """

    token: Tensor

    def __init__(self, trie: Trie, tokens: int, dim: int, *, own: bool) -> None:
        super().__init__()
        self.codes = nn.Embedding(tokens, dim)
        self.own = nn.Parameter(torch.zeros(len(trie.token), dim)) if own else None
        self.register_buffer("token", torch.from_numpy(trie.token.astype(np.int64)), persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """(..., dim) of nodes other than the root."""
        vectors = self.codes(self.token[nodes])
        return vectors if self.own is None else vectors + F.embedding(nodes, self.own)


@final
class CodedNetwork(nn.Module):
    """log p(item | history) = sum over the digits of log softmax(state . vector of the beginning), over the codes that may follow.

    The same vectors stand for codes wherever they are: the token of an item that was read is the sum of those along its path, one that was
    said goes into the decoder, and a state is multiplied with them.

    Args:
        decoder: of `NodeVectors`.
        first: (levels + 1,) the first token of each digit, and the number of all.
    """

    nodes: Tensor

    def __init__(self, body: Body, decoder: Decoder, trie: Trie, first: tuple[int, ...]) -> None:
        super().__init__()
        self.body, self.decoder, self.trie, self.level_start = body, decoder, trie, first
        self.register_buffer("nodes", torch.from_numpy(trie.node_at[:, 1:].astype(np.int64)), persistent=False)  # (leaves, levels)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """What tokens are made of (codes, positions, the start) is drawn with deviation .02, every other matrix by Xavier; the rest starts at zero."""
        for module in self.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.dim() > 1 and isinstance(module, (Body, Decoder, nn.Embedding)):
                    nn.init.normal_(parameter, std=0.02)
                elif parameter.dim() > 1 and name not in ("recency", "own"):
                    nn.init.xavier_normal_(parameter)

    def read(self, batch: Batch) -> Tensor:
        """(tokens, dim) the states of items that were read; the rows of a batch are leaves."""
        x = self.decoder.tokens(self.nodes[batch.rows]).sum(1)
        return self.body.states(x, batch.layout, torch.arange(len(batch.rows), device=x.device), causal=True)

    def logits(self, states: Tensor, level: int, nodes: Int32 | None) -> Tensor:
        """(states, codes of the digit) after `level` codes, which led to `nodes` (states,); at the first digit None. Only codes that may follow have a meaning."""
        vectors, first = self.decoder.tokens, self.level_start[level]
        out = F.linear(states, vectors.codes.weight[first : self.level_start[level + 1]])
        if vectors.own is None:
            return out
        if nodes is None:
            root = self.trie.children(0)
            tokens = vectors.token[root.start : root.stop] - first
            return out.index_add(1, tokens, F.linear(states, vectors.own[root.start : root.stop]).to(out.dtype))
        of, child = (torch.from_numpy(part).to(states.device) for part in self.trie.options(nodes))
        own = (states.index_select(0, of) * F.embedding(child, vectors.own)).sum(1)
        return out.index_put((of, vectors.token[child] - first), own.to(out.dtype), accumulate=True)

    def loss(self, batch: Batch, taught: Taught) -> Tensor:
        """The mean of -log p over what a batch asks for, weighted where it has weights."""
        device = batch.rows.device
        depths, paths = taught.decisive[batch.targets], self.nodes[batch.targets]
        states = self.decoder(self.read(batch), batch.layout, batch.at, paths, depths)
        codes = Layout(depths)
        share = None if batch.weights is None else batch.weights / batch.weights.mean()
        total = states.new_zeros(())
        for level in range(int(depths.max())):
            asked = torch.nonzero(codes.place == level).squeeze(1)
            question = codes.window[asked]
            nodes = self.trie.node_at[batch.targets[question].cpu().numpy(), level] if level else None
            logits = self.logits(states[asked], level, nodes).float()
            options = taught.options(nodes, logits.shape[1], self.level_start[level]).to(device)
            wanted = self.decoder.tokens.token[paths[question, level]] - self.level_start[level]
            losses = F.cross_entropy(logits.masked_fill(~options, -torch.inf), wanted, reduction="none")
            total = total + (losses if share is None else losses * share[question]).sum()
        return total / len(depths)


@final
class Taught:
    """What of a trie is learned: the leaves of items with events, and so the softmax over what leads to them."""

    def __init__(self, trie: Trie, leaves: Bool, device: torch.device) -> None:
        self.trie, self.counts = trie, trie.counts(leaves)
        self.decisive = torch.from_numpy(np.argmax(self.counts[trie.node_at] == 1, axis=1)).to(device)

    def options(self, nodes: Int32 | None, size: int, first: int) -> Tensor:
        """(nodes, codes of the digit) which codes may come behind `nodes`; (1, codes) of the first digit for None."""
        of, child = self.trie.options(np.zeros(1, np.int32) if nodes is None else nodes)
        of, child = (part[self.counts[child] > 0] for part in (of, child))
        out = torch.zeros(1 if nodes is None else len(nodes), size, dtype=torch.bool)
        out[torch.from_numpy(of), torch.from_numpy(self.trie.token[child].astype(np.int64) - first)] = True
        return out


@final
class CodedSpeaker:
    """The network for a search: what the histories of a block of queries are answered, a `vitrina.sequence.semantic.beam.Speaker` that is told nodes."""

    def __init__(self, network: CodedNetwork, reading: Reading) -> None:
        self.network, self.reading = network, reading

    @classmethod
    def of(cls, network: CodedNetwork, batch: Batch) -> CodedSpeaker:
        return cls(network, network.decoder.begin(network.read(batch), batch.layout))

    def begin(self, beams: Tensor) -> tuple[Tensor, list[Pair]]:
        states, past = self.network.decoder.step(self.reading, beams, None, 0, [])
        return self.network.logits(states, 0, None), past

    def go_on(self, beams: Tensor, tokens: Tensor, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        states, past = self.network.decoder.step(self.reading, beams, tokens, place, past)
        return self.network.logits(states, place, tokens.numpy().astype(np.int32)), past

    def first(self, place: int) -> int:
        return self.network.level_start[place]
