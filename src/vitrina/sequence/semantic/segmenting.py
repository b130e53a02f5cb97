"""Histories in tokens of ActionPiece: what is trained on, and what is asked."""

from __future__ import annotations

import numpy as np
import torch

from vitrina.base.hashing import mixed
from vitrina.forms.windows import Sequences
from vitrina.sequence.batches import tensor, weights_of
from vitrina.sequence.layout import Layout
from vitrina.sequence.semantic.piece_network import PieceBatch
from vitrina.sequence.semantic.pieces import Pieces
from vitrina.types import Float32, Int32, Int64, ranges

CLOSED = 0.5  # share of the borders of actions over which nothing is merged in training, and behind which the next item is asked


def lesson(pieces: Pieces, sets: Int32, windows: Sequences, rng: np.random.Generator) -> PieceBatch:
    """Windows of leaves for training: features in random order, tokens put together, and the next item asked behind some of the actions.

    A token over the border of two actions says something of the later one, so that nothing may be asked between them. So a border is closed with chance CLOSED,
    whatever stands at it: nothing is merged over it, and there the next item is asked. Which borders are open doesn't depend on what is to be named.

    Args:
        sets: (leaves, most) features of each leaf.
    """
    lengths = windows.lengths - 1
    place = ranges(windows.start, lengths)
    window = np.repeat(np.arange(len(windows)), lengths)
    closed = rng.random(len(place)) < CLOSED
    closed[np.cumsum(lengths) - 1] = True
    ends = np.flatnonzero(closed)
    read = sets[windows.rows[place]]
    tokens = pieces.segmented(read, np.append(0, ends + 1), rng.random(read.shape, np.float32))
    sizes = np.bincount(window[ends], tokens.lengths, minlength=len(windows))
    weights = weights_of(windows, place[ends] + 1)
    return PieceBatch(
        tensor(tokens.values), Layout(tensor(sizes)), tensor(np.cumsum(tokens.lengths) - 1), tensor(windows.rows[place[ends] + 1]), weights
    )  # fmt: skip


def question(pieces: Pieces, sets: Int32, histories: Sequences, seed: int) -> PieceBatch:
    """Whole histories of leaves, each of one or more, in one segmentation: other seeds give others, the same seed the same for a history whatever it is asked beside."""
    place = ranges(histories.start, histories.lengths)
    read = sets[histories.rows[place]]
    stop = np.cumsum(histories.lengths)
    from_end = np.repeat(stop, histories.lengths) - np.arange(len(place))
    tokens = pieces.segmented(read, np.append(0, stop), _keys(read, from_end, seed))
    layout = Layout(tensor(tokens.lengths))
    return PieceBatch(tensor(tokens.values), layout, layout.last, torch.empty(0, dtype=torch.int64))


def _keys(sets: Int32, from_end: Int64, seed: int) -> Float32:
    """Numbers from 0 to 1 that look drawn, by the feature, its place and the seed alone."""
    at = mixed(mixed(np.full(1, seed + 1, np.uint64)) + from_end.astype(np.uint64))
    return ((mixed(at[:, None] + sets.astype(np.uint64)) >> np.uint64(40)).astype(np.float32)) / np.float32(1 << 24)
