"""The laws of blocks. Each raises `BrokenLawError` with its first counterexample, or `NotAskedError` with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from vitrina.base.time import DAY
from vitrina.sequence.blocks.base import Block, stack
from vitrina.sequence.layout import Layout
from vitrina.testing.cases import BrokenLawError, NotAskedError

DIM, HEADS, LENGTH = 8, 2, 10
LENGTHS = (3, 1, 6, 2)
CLOSE = 1e-4
WAYS = {True: "looking back", False: "looking both ways"}


@dataclass(frozen=True, eq=False)
class BlockCase:
    """A block, and one module of it whose weights are far from their start."""

    block: Block

    @cached_property
    def module(self) -> Any:
        module = self.built(0.0).eval()
        with torch.no_grad():
            for parameter in module.parameters():
                nn.init.normal_(parameter, std=0.3)
        return module

    def built(self, dropout: float) -> Any:
        return stack(self.block, 1, DIM, HEADS, dropout, LENGTH)[0]

    def states(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        """A fresh layout each time, as what a layout has worked out belongs to one device and one batch."""
        return self.module(x, replace(layout), causal)


@contextmanager
def same_draws() -> Iterator[None]:
    """Within it PyTorch draws the same each time; what others draw stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def tokens(lengths: Iterable[int], seed: int = 0) -> tuple[Tensor, Layout]:
    """Vectors of the tokens of some windows, with times: some at once, some within the hour, some years apart."""
    sizes, generator = torch.tensor(list(lengths)), torch.Generator().manual_seed(seed)
    x = torch.randn((int(sizes.sum()), DIM), generator=generator)
    steps = torch.tensor([0, 40, DAY // 24, DAY, 900 * DAY])[torch.randint(5, (len(x) + 1,), generator=generator)]
    moments = 1_700_000_000_000_000 + torch.cumsum(steps, 0)
    return x, Layout(sizes, moments[:-1], moments[1:])


def shape(case: BlockCase) -> None:
    """States are as many, as wide and as precise as the tokens, and finite; windows of one token and of one more than the length too."""
    for lengths in (LENGTHS, (1,), (1, 1), (LENGTH + 1,), (LENGTH + 1, 2)):
        x, layout = tokens(lengths)
        for causal, way in WAYS.items():
            states = case.states(x, layout, causal)
            where = f"{way}, windows of {lengths} tokens"
            if states.shape != x.shape or states.dtype != x.dtype:
                raise BrokenLawError(f"{where}: states must be {tuple(x.shape)} of {x.dtype}. Got {tuple(states.shape)} of {states.dtype}.")
            if not torch.isfinite(states).all():
                raise BrokenLawError(f"{where}: the state of token {_first(~torch.isfinite(states).all(1))} isn't finite.")


def alone(case: BlockCase) -> None:
    """A window gets among others what it gets alone: nothing of the others, and nothing of the padding."""
    for lengths in (LENGTHS, (4, 4, 4)):
        x, layout = tokens(lengths)
        for causal, way in WAYS.items():
            together = case.states(x, layout, causal).split(list(lengths))
            for window, part in enumerate(_windows(x, layout)):
                _same(case.states(*part, causal), together[window], f"{way}, window {window} of {lengths}: alone and among others")


def causal(case: BlockCase) -> None:
    """Looking back, later tokens and their times change nothing before them."""
    x, layout = tokens((6, 2))
    assert layout.times is not None
    assert layout.asked_at is not None
    later = torch.tensor([False] * 3 + [True] * 3 + [False] * 2)
    moved = [torch.where(later, moments + 3 * DAY, moments) for moments in (layout.times, layout.asked_at)]
    changed = torch.where(later[:, None], x + 1, x)
    states, others = case.states(x, layout, True), case.states(changed, Layout(layout.lengths, *moved), True)
    _same(states[~later], others[~later], "with other tokens behind them, the tokens before")


def last(case: BlockCase) -> None:
    """`last` gives what `forward` gives for the last token of each window."""
    if not hasattr(case.module, "last"):
        raise NotAskedError("the block has no `last`, so that answering computes its states of all tokens")
    for lengths in (LENGTHS, (4, 4, 4), (LENGTH + 1, 1)):
        x, layout = tokens(lengths)
        for clock in (layout, Layout(layout.lengths)):
            for causal, way in WAYS.items():
                wanted = case.states(x, clock, causal)[layout.last]
                _same(case.module.last(x, replace(clock)), wanted, f"{way}, windows of {lengths} tokens: `last` and the last of `forward`")


def steady(case: BlockCase) -> None:
    """In evaluation nothing is dropped or drawn, nothing is remembered from call to call, and the tokens that came in are left as they were."""
    x, layout = tokens(LENGTHS)
    dropping = case.built(0.5).eval()
    dropping.load_state_dict(case.module.state_dict())
    for causal, way in WAYS.items():
        given = x.clone()
        states = case.states(given, layout, causal)
        _same(given, x, f"{way}, the tokens after and before the call")
        _same(case.states(x, layout, causal), states, f"{way}, asked twice")
        _same(dropping(x, replace(layout), causal), states, f"{way}, built with dropout and without")


def gradient(case: BlockCase) -> None:
    """Every token that is asked and every parameter has a gradient, and it is finite."""
    used: set[str] = set()
    for causal, way in WAYS.items():
        x, layout = tokens(LENGTHS)
        case.module.zero_grad(set_to_none=True)
        (case.states(x.requires_grad_(), layout, causal) ** 3).sum().backward()
        slopes = {name: p.grad for name, p in case.module.named_parameters() if p.grad is not None}
        for name, slope in {"the tokens": x.grad, **slopes}.items():
            if slope is None or not torch.isfinite(slope).all():
                raise BrokenLawError(f"{way}, the gradient of {name} is {'none' if slope is None else 'not finite'}.")
        still = (x.grad == 0).all(1)  # type: ignore[union-attr]
        if still.any():
            raise BrokenLawError(f"{way}, token {_first(still)} has no gradient, so that nothing before the block is learned from it.")
        used |= set(slopes)
    unused = sorted({name for name, _ in case.module.named_parameters()} - used)
    if unused:
        raise BrokenLawError(f"the parameter {unused[0]!r} has no gradient: it is never used, or behind a `detach`.")


def rebuilt(case: BlockCase) -> None:
    """Built again from its config and given the saved weights, it is the same: all that matters is in the `state_dict`."""
    again = case.built(0.0).eval()
    again.load_state_dict(case.module.state_dict())
    x, layout = tokens(LENGTHS)
    for causal, way in WAYS.items():
        _same(again(x, replace(layout), causal), case.states(x, layout, causal), f"{way}, built again with the same weights")


def times(case: BlockCase) -> None:
    """States that follow the times are those of a block that needs them; it answers without times, and at odd moments, too."""
    x, layout = tokens(LENGTHS)
    assert layout.times is not None
    timeless = Layout(layout.lengths)
    if not case.block.needs_time:
        for causal, way in WAYS.items():
            _same(case.states(x, layout, causal), case.states(x, timeless, causal), f"{way}, with times and without")
        return
    long_ago, now = layout.times - 2_000_000_000_000_000, layout.times
    clocks = {"without times": timeless, "all at once": Layout(layout.lengths, now * 0, now * 0),
              "asked before its events": Layout(layout.lengths, now, long_ago), "asked after a lifetime": Layout(layout.lengths, long_ago, now)}  # fmt: skip
    for what, clock in clocks.items():
        for causal, way in WAYS.items():
            if not torch.isfinite(case.states(x, clock, causal)).all():
                raise BrokenLawError(f"{way}, {what}: states aren't finite.")


LAWS: dict[str, Callable[[BlockCase], None]] = {
    law.__name__: law for law in (shape, alone, causal, last, steady, gradient, rebuilt, times)
}  # fmt: skip


def _windows(x: Tensor, layout: Layout) -> Iterable[tuple[Tensor, Layout]]:
    assert layout.times is not None
    assert layout.asked_at is not None
    sizes = layout.lengths.tolist()
    for part, times, asked in zip(*(whole.split(sizes) for whole in (x, layout.times, layout.asked_at)), strict=True):
        yield part, Layout(torch.tensor([len(part)]), times, asked)


def _same(one: Tensor, other: Tensor, what: str) -> None:
    if one.shape != other.shape:
        raise BrokenLawError(f"{what} differ: {tuple(one.shape)} and {tuple(other.shape)} numbers.")
    apart = ~torch.isclose(one, other, rtol=CLOSE, atol=CLOSE).reshape(len(one), -1).all(1)
    if apart.any():
        row = _first(apart)
        raise BrokenLawError(f"{what} differ: row {row} is {one[row].tolist()} and {other[row].tolist()}.")


def _first(flags: Tensor) -> int:
    return int(torch.nonzero(flags)[0])
