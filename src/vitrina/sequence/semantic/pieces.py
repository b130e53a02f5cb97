"""The vocabulary of ActionPiece: tokens for features that stand together, within an action and over neighbouring ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import final

import numpy as np

from vitrina.base.state import State
from vitrina.sequence.semantic.merging import learned
from vitrina.sequence.semantic.spelling import hashed, segment, spell
from vitrina.types import Float32, Float64, Int32, Int64, Ragged


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pieces:
    """Tokens of features: the first `base` are one feature each, every further one stands for two earlier ones that were often together.

    [Hou et al. 2025](https://arxiv.org/abs/2502.13581), section 3.2. An action is a set of features. Two tokens of one set of M weigh 2 / M, two of
    neighbouring sets of M1 and M2 1 / (M1 M2); the pair of the largest sum becomes one token wherever it stands, and so on. A token out of two sets lies
    in a slot between them, as a set of one, until it is merged again or one of the sets has nothing else. The sums are whole numbers of a small unit, so
    that they don't depend on the order of the log; of equal ones the pair of the lowest tokens goes first.

    Args:
        base: how many tokens are features.
        pairs: (merges, 2) the two tokens that token base + m stands for, the lower one first.
        weights: (merges,) of each pair when it was merged.

    >>> sets = np.array([[0, 2], [0, 3], [1, 2], [0, 2]], np.int32)
    >>> pieces = Pieces.learn(sets, np.array([0, 2, 4]), base=4, size=6)
    >>> pieces
    Pieces(4 features and 2 merged tokens)
    >>> pieces.pairs.tolist(), pieces.weights.tolist()
    ([[0, 2], [0, 3]], [2.5, 1.0])
    """

    base: int
    pairs: Int32
    weights: Float64

    @classmethod
    def learn(cls, sets: Int32, indptr: Int64, base: int, size: int, least: float = 0.0) -> Pieces:
        """Merge until there are `size` tokens, or no pair weighs `least`.

        Args:
            sets: (actions, most) features of each action, each once, padded by -1 behind.
            indptr: (histories + 1,) actions of history h are indptr[h] to indptr[h + 1], oldest first.
            base: how many features there are.
            size: tokens in the end, at most; the features all stay.
            least: a pair that weighs less isn't merged.

        Cost: 9 seconds of a core for 153,776 actions of 4 features and 40,000 tokens, once it is compiled.
        """
        pairs, weights, unit = learned(sets, np.asarray(indptr, np.int64), base, size, least)
        return cls(base, pairs, weights / unit)

    def __repr__(self) -> str:
        return f"Pieces({self.base:,} features and {len(self.pairs):,} merged tokens)"

    def __len__(self) -> int:
        return self.base + len(self.pairs)

    @cached_property
    def _table(self) -> tuple[Int64, Int32]:
        return hashed(self.pairs)

    @cached_property
    def features(self) -> Ragged:
        """The features that each token stands for, ascending; a feature of both actions of a token is there twice."""
        rows = [[token] for token in range(self.base)]
        for one, other in self.pairs.tolist():
            rows.append(sorted(rows[one] + rows[other]))
        return Ragged.of_lengths(np.array([len(row) for row in rows]), np.array(list(chain.from_iterable(rows)), np.int32))

    def spelled(self, sets: Int32) -> Int32:
        """(sets, most) each set in tokens, by itself and in no order: of the pairs in it the one that was merged first is put together, until none is left.

        Tokens that stand for more come first, the latest merged of them before all; -1 behind.
        """
        out = np.ascontiguousarray(sets, np.int32).copy()
        spell(out, self.base, *self._table)
        return out

    def segmented(self, sets: Int32, indptr: Int64, keys: Float32) -> Ragged:
        """Each history in tokens: the features of each action by falling `keys`, the actions one behind the other, and then neighbours put together, the
        pair that was merged first before the others, also over the border of two actions. Other keys give other tokens for the same history.

        Args:
            sets: (actions, most) as in `learn`.
            indptr: (histories + 1,)
            keys: (actions, most) numbers from 0 to 1.
        """
        order = np.argsort(np.where(sets >= 0, -keys, 1), axis=1, kind="stable")
        drawn = np.take_along_axis(sets, order, axis=1)
        stop = np.concatenate([[0], np.cumsum((sets >= 0).sum(1))])[np.asarray(indptr)]
        tokens, stops = segment(drawn[drawn >= 0].astype(np.int32), stop.astype(np.int64), self.base, *self._table)
        return Ragged(stops, tokens)

    def state(self) -> State:
        return State({"base": self.base}, {"pairs": self.pairs, "weights": self.weights})

    @classmethod
    def of_state(cls, state: State) -> Pieces:
        return cls(state.config["base"], np.array(state.arrays["pairs"]), np.array(state.arrays["weights"]))
