"""The fitted form of ActionPiece: several segmentations of a history, a beam search for each, one list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from vitrina.base.config import Config, parameters_of
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.windows import Sequences
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.network import Body
from vitrina.sequence.semantic.beam import Allowed, search
from vitrina.sequence.semantic.decoder import Decoder
from vitrina.sequence.semantic.generative import WEIGHTS, Generative
from vitrina.sequence.semantic.piece_network import PieceNetwork, PieceSpeaker, PieceVectors
from vitrina.sequence.semantic.pieces import Pieces
from vitrina.sequence.semantic.segmenting import question
from vitrina.sequence.semantic.trie import Trie
from vitrina.sequence.weights import weights_of, with_weights
from vitrina.types import Float32, Int32, Ragged
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

    @property
    def length(self) -> int:
        return self.speaking.length

    @cached_property
    def said_vectors(self) -> Tensor:
        """(tokens, dim) of those that items are said in."""
        with torch.no_grad():
            return self.network.decoder.tokens(self.network.said)

    def led(self, histories: Sequences, allowed: Allowed, width: int) -> tuple[Ragged, Float32]:
        answers = []
        for number in range(self.speaking.segmentations):
            batch = question(self.pieces, self.sets, histories, self.speaking.seed + number)
            answers.append(search(self.trie, PieceSpeaker.of(self.network, batch, self.said_vectors), allowed, width))
        return together(answers, len(self.trie))

    def state(self) -> State:
        own = {"paths": self.trie.paths, "items": self.trie.item, "sets": self.sets, SAID: self.said}
        arrays = own | weights_of(self.network, WEIGHTS)
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
        network = with_weights(network, arrays, WEIGHTS)
        return cls(vocabulary, catalogue, trie, speaking.beam, pieces, sets, said, speaking, network)


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
