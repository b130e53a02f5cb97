"""Biases for how far apart two events are, in places and in time; what they look up is worked out once per batch and shared by all layers."""

from __future__ import annotations

import torch
from torch import Tensor

from vitrina.sequence.layout import Layout

STEP = 0.301  # of the buckets of time, in natural logarithms of seconds: each is a third longer than the one before
BUCKETS = 100  # the last one begins after a quarter of a million years
MICROSECOND = 1e-6


def apart(layout: Layout) -> Tensor:
    """(width, width) i - j."""
    place = torch.arange(layout.width, device=layout.lengths.device)
    return place[:, None] - place


def behind_last(layout: Layout) -> Tensor:
    """(windows, 1, width) the same from the last token of each window; below 0 behind its end."""
    return layout.lengths[:, None, None] - 1 - torch.arange(layout.width, device=layout.lengths.device)


def buckets(layout: Layout) -> Tensor | None:
    """(windows, width, width) floor(ln(max(1, s)) / 0.301) for the s seconds between event j and the moment at which token i is asked."""
    return _buckets(layout.gaps)


def last_buckets(layout: Layout) -> Tensor | None:
    """(windows, 1, width) the same for the last tokens."""
    return _buckets(layout.last_gaps)


def looked_up(table: Tensor, index: Tensor) -> Tensor:
    """table[index], whose gradient is three times as slow on a CPU."""
    return table.index_select(0, index.flatten()).view(*index.shape, *table.shape[1:])


def _buckets(gaps: Tensor | None) -> Tensor | None:
    if gaps is None:
        return None
    seconds = (gaps.abs().float() * MICROSECOND).clamp_(min=1)
    return (seconds.log_() / STEP).long().clamp_(max=BUCKETS - 1)


def log_seconds(layout: Layout) -> Tensor | None:
    """(windows, width, width) ln(1 + s) for the s seconds from event j to the moment at which token i is asked, 0 where it is later."""
    return _log_seconds(layout.gaps)


def last_log_seconds(layout: Layout) -> Tensor | None:
    """(windows, 1, width) the same for the last tokens."""
    return _log_seconds(layout.last_gaps)


def _log_seconds(gaps: Tensor | None) -> Tensor | None:
    return None if gaps is None else (gaps.clamp(min=0).float() * MICROSECOND).log1p_()
