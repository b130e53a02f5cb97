"""The fitted form of ActionPiece: several segmentations of a history, a beam search for each, one list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch

from vitrina.base.config import Config, parameters_of
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.windows import Sequences
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.network import Body
from vitrina.sequence.semantic.beam import Allowed, search
from vitrina.sequence.semantic.decoder import Decoder
from vitrina.sequence.semantic.generative import WEIGHTS, Generative, blocks_of, in_order
from vitrina.sequence.semantic.piece_network import PieceNetwork, PieceSpeaker, PieceVectors
from vitrina.sequence.semantic.pieces import Pieces
from vitrina.sequence.semantic.segmenting import question
from vitrina.sequence.semantic.trie import Trie
from vitrina.types import Float32, Int32, Int64, Queries, Ragged
from vitrina.vocabulary import Vocabulary

SAID = "said"


@final
class PieceSpeaking(Config):
    """What is needed of an ActionPiece once it is trained."""

    block: Block
    layers: int
    decoder_layers: int
    heads: int
    dim: int
    multiplier: int
    length: int
    beam: int
    segmentations: int
    seed: int

    def network(self, pieces: Pieces, most: int, levels: int, said: Int32, dropout: float = 0.0) -> PieceNetwork:
        """A network of this size; `most` features of an item, at most `levels` tokens to say one, which are among `said`."""
        body = Body(self.block, self.layers, self.heads, self.dim, self.length * most, dropout)
        vectors = PieceVectors(pieces.features, pieces.base, self.dim)
        decoder = Decoder(vectors, levels, self.dim, self.decoder_layers, self.heads, self.multiplier, dropout)
        return PieceNetwork(body, decoder, said).float()


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pieced(Generative):
    """log of the mean of p(item | history) over several segmentations of the last events. Items of a history without features are skipped; a history without any gets the fallback.

    Where a beam is narrower than what may be shown, an item counts 0 in the segmentations whose beams don't reach it.

    Args:
        pieces: the tokens.
        sets: (leaves of the trie, most) features of the items.
        said: tokens that items are said in; the trie has their places.

    Cost: for each segmentation the encoder over the tokens of the last `length` items, a product of state and the tokens that begin an item, and a step of the decoder for
    each beginning that several items have.
    """

    pieces: Pieces
    sets: Int32
    said: Int32
    speaking: PieceSpeaking
    network: PieceNetwork

    @cached_property
    def leaf_of_item(self) -> Int64:
        """(items,) the leaf of each item, -1 for none."""
        out = np.full(len(self.vocabulary), -1, np.int64)
        out[self.trie.item] = np.arange(len(self.trie))
        return out

    def found(self, queries: Queries, allowed: Allowed, width: int) -> tuple[Ragged, Float32]:
        histories = Sequences.of(queries, self.leaf_of_item).last(self.speaking.length)
        known = np.flatnonzero(histories.lengths > 0)
        order, leaves, scores = [np.empty(0, np.int64)], [Ragged.empty(0)], [np.empty(0, np.float32)]
        with torch.inference_mode():
            vectors = self.network.decoder.tokens(self.network.said)
            for chosen in blocks_of(histories.lengths[known], width):
                asked, may = histories.take(known[chosen]), allowed.take(known[chosen])
                answers = []
                for number in range(self.speaking.segmentations):
                    batch = question(self.pieces, self.sets, asked, self.speaking.seed + number)
                    answers.append(search(self.trie, PieceSpeaker.of(self.network, batch, vectors), may, width))
                found, chances = together(answers, len(self.trie))
                order.append(known[chosen])
                leaves.append(found)
                scores.append(chances)
        return in_order(len(queries), np.concatenate(order), leaves, np.concatenate(scores), self.trie.item)

    def state(self) -> State:
        weights = {WEIGHTS + name: value.numpy() for name, value in self.network.state_dict().items()}
        arrays = {"paths": self.trie.paths, "items": self.trie.item, "sets": self.sets, SAID: self.said, **weights}
        pieces = self.pieces.state()
        config = {"speaking": parameters_of(self.speaking), "pieces": pieces.config}
        return State(config, arrays | {f"pieces.{name}": array for name, array in pieces.arrays.items()})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Pieced:
        speaking, arrays = PieceSpeaking(**state.config["speaking"]), state.arrays
        kept = {name.removeprefix("pieces."): array for name, array in arrays.items() if name.startswith("pieces.")}
        pieces = Pieces.of_state(State(state.config["pieces"], kept))
        sets, said, trie = np.array(arrays["sets"]), np.array(arrays[SAID]), Trie.of(arrays["paths"], arrays["items"])
        network = speaking.network(pieces, sets.shape[1], trie.levels, said)
        # copies: torch wants arrays that it could write to, and those of an artifact are mapped from files
        weights = {name: torch.from_numpy(array.copy()) for name, array in arrays.items() if name.startswith(WEIGHTS)}
        network.load_state_dict({name.removeprefix(WEIGHTS): value for name, value in weights.items()})
        return cls(vocabulary, catalogue, trie, speaking.beam, pieces, sets, said, speaking, network.eval())


def together(answers: list[tuple[Ragged, Float32]], n_leaves: int) -> tuple[Ragged, Float32]:
    """The leaves that any of the searches found for a query, best first by the logarithm of the mean of their chances."""
    row = np.concatenate([found.row_of for found, _ in answers])
    leaf = np.concatenate([found.values for found, _ in answers]).astype(np.int64)
    chance = np.exp(np.concatenate([scores for _, scores in answers]).astype(np.float64))
    keys, of = np.unique(row * n_leaves + leaf, return_inverse=True)
    mean = np.log(np.maximum(np.bincount(of.reshape(-1), chance, minlength=len(keys)) / len(answers), np.finfo(np.float64).tiny)).astype(
        np.float32
    )
    row, leaf = keys // n_leaves, keys % n_leaves
    order = np.lexsort((leaf, -mean, row))
    return Ragged.of_lengths(np.bincount(row, minlength=len(answers[0][0])), leaf[order]), mean[order]
