"""The fitted form of models that say items code by code: lists by a beam search, and no score of the whole catalogue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
import torch

from vitrina.base.config import Config, parameters_of
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.forms.base import SPARSE_QUERIES
from vitrina.forms.windows import Sequences
from vitrina.request import check_request, list_width
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.network import Body
from vitrina.sequence.objectives import ShiftedSequence
from vitrina.sequence.semantic.beam import Allowed, search
from vitrina.sequence.semantic.decoder import Decoder
from vitrina.sequence.semantic.network import CodedNetwork, CodedSpeaker, NodeVectors
from vitrina.sequence.semantic.trie import Trie
from vitrina.sequence.weights import weights_of, with_weights
from vitrina.types import Eligibility, Float32, Int32, Int64, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

BEAMS = 8192  # beginnings that are gone on with together
LACKS = ("score", "score_pairs", "encode", "item_vectors")  # what others have who score all items
WEIGHTS = "network."  # what the arrays of the weights are called in an artifact


@dataclass(frozen=True, eq=False, repr=False)
class Generative(ABC):
    """A fitted model that leads each query through a trie to its items. It has no `score` of all items: to score one is a walk of its own.

    Args:
        trie: the paths to the items that it can name; other items of the catalogue come last, by popularity, marked as fallback.
        beam: how many beginnings are kept at each level. Lists of up to `beam` items are beginnings of one another; a longer list is
            searched for with a beam as wide as it is long, and may find better items on the way.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    trie: Trie
    beam: int
    model: Any = field(default=None, kw_only=True)
    item_table: FeatureTable | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.catalogue.items):,} items)"

    def __getattr__(self, name: str) -> Any:
        if name in LACKS:
            raise AttributeError(
                f"{type(self).__name__} has no {name!r}: it is led to its items code by code, and doesn't score the whole catalogue. Ask it for "
                "lists, recommend(queries, k)"
                + (", or for a few items per query, log_chances(queries, items)." if hasattr(type(self), "log_chances") else ".")
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def titles(self) -> pl.Series | None:
        """(items,) what to show to people, null where it isn't known; None where the log had no titles."""
        return None if self.item_table is None else self.item_table.title_column

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible items for each query, with the logarithms of their chances; places that are left are popularity's.

        Eligibility is inside the search: a beginning under which nothing is eligible is not gone on with, so that a list is short only
        where nothing eligible is left.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the model.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        queries.vocabulary.require_compatible(self.vocabulary, "queries")
        parts = [self._answer(block.counted(), k, eligible.rows(part)) for part, block in queries.blocks(SPARSE_QUERIES)]
        lists = Recommendations.concat(parts or [self._answer(queries, k, eligible)])
        return replace(lists, labels=queries.labels, titles=self.titles)

    def _answer(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        allowed = Allowed.of(self.trie, queries, eligible, self.catalogue)
        items, scores = self.found(queries, allowed, max(self.beam, k))
        return top_k_ragged(items, scores, queries, k, eligible, self.catalogue, self.vocabulary)

    @cached_property
    def leaf_of_item(self) -> Int64:
        """(items,) the leaf of each item, -1 for none."""
        out = np.full(len(self.vocabulary), -1, np.int64)
        out[self.trie.item] = np.arange(len(self.trie))
        return out

    def found(self, queries: Queries, allowed: Allowed, width: int) -> tuple[Ragged, Float32]:
        """The items of each query, each once, and their scores: min(width, items that it may get) where anything is known of its history, else none."""
        histories = Sequences.of(queries, self.leaf_of_item).last(self.length)
        known = np.flatnonzero(histories.lengths > 0)
        order, leaves, scores = [np.empty(0, np.int64)], [Ragged.empty(0)], [np.empty(0, np.float32)]
        with torch.inference_mode():
            for chosen in blocks_of(histories.lengths[known], width):
                found, chances = self.led(histories.take(known[chosen]), allowed.take(known[chosen]), width)
                order.append(known[chosen])
                leaves.append(found)
                scores.append(chances)
        return in_order(len(queries), np.concatenate(order), leaves, np.concatenate(scores), self.trie.item)

    @property
    @abstractmethod
    def length(self) -> int:
        """How many items of a history are read, at most."""

    @abstractmethod
    def led(self, histories: Sequences, allowed: Allowed, width: int) -> tuple[Ragged, Float32]:
        """The leaves of each history, best first, and their scores. Called without gradients."""

    @abstractmethod
    def state(self) -> State:
        """What an artifact keeps of it."""


@final
class Speaking(Config):
    """What is needed of a TIGER once it is trained."""

    sizes: tuple[int, ...]
    block: Block
    layers: int
    decoder_layers: int
    heads: int
    dim: int
    multiplier: int
    length: int
    beginnings: bool
    beam: int

    def network(self, trie: Trie, dropout: float = 0.0) -> CodedNetwork:
        """A network of this size."""
        body = Body(self.block, self.layers, self.heads, self.dim, self.length, dropout)
        first = (0, *np.cumsum(self.sizes).tolist())
        vectors = NodeVectors(trie, first[-1], self.dim, own=self.beginnings)
        decoder = Decoder(vectors, len(self.sizes), self.dim, self.decoder_layers, self.heads, self.multiplier, dropout)
        return CodedNetwork(body, decoder, trie, first).float()


@final
@dataclass(frozen=True, eq=False, repr=False)
class Generated(Generative):
    """log p(item | history), of the codes of the last events. Items of a history without a code are skipped; a history without any gets the fallback.

    Cost: a query costs the encoder over its last `length` events, and a step of the decoder for each beginning that is gone on with, at most
    `beam` per digit.
    """

    speaking: Speaking
    network: CodedNetwork

    @property
    def length(self) -> int:
        return self.speaking.length

    def led(self, histories: Sequences, allowed: Allowed, width: int) -> tuple[Ragged, Float32]:
        speaker = CodedSpeaker.of(self.network, ShiftedSequence().question(histories))
        return search(self.trie, speaker, allowed, width, self.trie.node_at[:, 1:])

    def log_chances(self, queries: Queries, items: Ragged) -> Float32:
        """log p of each query's own items, (pairs,); -inf for items without a code and for histories without a known item.

        Cost: a search through their codes alone: for a few items per query.

        Raises:
            ParameterError: there is not one row per query.
        """
        check_request(queries, 1, Eligibility(include=items))
        out = np.full(len(items.values), -np.inf, np.float32)
        asked = items.unique()
        own = self.trie.leaves_of(asked, len(self.vocabulary))
        allowed = Allowed(self.trie.counts(np.ones(len(self.trie), bool)), Ragged.empty(len(queries)), own)
        found, scores = self.found(queries.counted(), allowed, int(own.lengths.max(initial=1)))
        n_items = len(self.vocabulary)
        keys, wanted = found.row_of * n_items + found.values, items.row_of * n_items + items.values
        order = np.argsort(keys)
        if len(keys):
            at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
            out = np.where(keys[at] == wanted, scores[at], out)
        return out

    def state(self) -> State:
        arrays = {"paths": self.trie.paths, "items": self.trie.item, **weights_of(self.network, WEIGHTS)}
        return State({"speaking": parameters_of(self.speaking)}, arrays)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Generated:
        speaking, arrays = Speaking(**state.config["speaking"]), state.arrays
        trie = Trie.of(arrays["paths"], arrays["items"])
        return cls(vocabulary, catalogue, trie, speaking.beam, speaking, with_weights(speaking.network(trie), arrays, WEIGHTS))


def blocks_of(lengths: Int64, width: int) -> list[Int64]:
    """Queries that are searched for together: of similar length, with about BEAMS beginnings."""
    order = np.argsort(-lengths, kind="stable")
    size = max(BEAMS // width, 1)
    return [order[first : first + size] for first in range(0, len(order), size)]


def in_order(n: int, order: Int64, leaves: list[Ragged], scores: Float32, item: Int32) -> tuple[Ragged, Float32]:
    """What was found for the queries `order`, one block after the other, as a row for each of n queries."""
    lengths = np.concatenate([part.lengths for part in leaves])
    values = np.concatenate([part.values for part in leaves])
    rows = np.repeat(order, lengths)
    at = np.argsort(rows, kind="stable")
    return Ragged.of_lengths(np.bincount(rows, minlength=n), item[values[at]]), scores[at]
