"""The FuXi blocks against their equations as whole matrices over one window, forward and gradients, through several chunks of FuXi-Linear."""

import math

import pytest
import torch

from vitrina.base.errors import ParameterError
from vitrina.sequence import HSTU, FuXiAlpha, FuXiBeta, FuXiLinear
from vitrina.sequence.blocks.retention import CHUNK
from vitrina.sequence.layout import Layout

DIM, HEADS, LENGTH = 8, 2, 3 * CHUNK
BLOCKS = [HSTU(), FuXiAlpha(), FuXiAlpha(multiplier=2, times=False), FuXiBeta(), FuXiBeta(times=False), FuXiLinear(), FuXiLinear(periods=2, shortest=60.0, longest=1e6),
          FuXiLinear(times=False)]  # fmt: skip


def silu(x):
    return x * torch.sigmoid(x)


def rms(x):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-6)


def centred(x):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, correction=0) + 1e-6)


def stages(weights, channels, x):
    z = x + channels @ weights["stages.into.weight"].T + weights["stages.into.bias"]
    d = rms(z)
    return z + (silu(d @ weights["stages.up.weight"].T) * (d @ weights["stages.side.weight"].T)) @ weights["stages.down.weight"].T


def alike(q, k, v, weight):
    """Each head by itself; `weight` makes weights of products."""
    parts = [
        weight(head, q_h @ k_h.T) @ v_h for head, (q_h, k_h, v_h) in enumerate(zip(*(t.chunk(HEADS, -1) for t in (q, k, v)), strict=True))
    ]
    return torch.cat(parts, -1)


def seconds(clock):
    """(i, j) from event j to the moment of token i."""
    times, asked = clock
    return (asked[:, None] - times).double() / 1e6


def bucket(gaps):
    return torch.tensor([[min(99, math.floor(math.log(max(1.0, abs(float(s)))) / 0.301)) for s in row] for row in gaps])


def hstu(w, block, x, clock, seen):
    u, q, v, k = silu(centred(x) @ w["into.weight"].T).chunk(4, -1)
    bias = w["places"][distance(len(x)) + LENGTH]
    if clock is not None:
        bias = bias + w["times"][bucket(seconds(clock))]
    mixed = alike(q, k, v, lambda _, products: silu(products + bias) / LENGTH * seen)
    return x + (u * centred(mixed)) @ w["out.weight"].T + w["out.bias"]


def alpha(w, block, x, clock, seen):
    channels = 2 + block.times
    v, k, u, q = silu(rms(x) @ w["into.weight"].T).split([DIM, DIM, channels * DIM, DIM], -1)
    found = [alike(q, k, v, lambda _, products: silu(products) / LENGTH * seen), (w["places"][distance(len(x)) + LENGTH] * seen) @ v]
    if block.times:
        found.append(torch.zeros_like(x) if clock is None else (w["times"][bucket(seconds(clock))] * seen) @ v)
    return stages(w, u * rms(torch.cat(found, -1)), x)


def beta(w, block, x, clock, seen):
    v, u = silu(rms(x) @ w["into.weight"].T).split([DIM, (1 + block.times) * DIM], -1)
    found = [(w["places"][distance(len(x)) + LENGTH] * seen) @ v]
    if block.times:
        found.append(torch.zeros_like(x) if clock is None else (w["scale"] * (1 + seconds(clock).clamp(min=0)) ** -w["power"] * seen) @ v)
    return stages(w, u * rms(torch.cat(found, -1)), x)


def linear(w, block, x, clock, seen):
    n, places = centred(x), distance(len(x))
    channels = 2 + block.times
    v, k, u, q = silu(n @ w["into.weight"].T).split([DIM, DIM, channels * DIM, DIM], -1)
    rates = torch.exp(-torch.cumsum(torch.log1p(torch.exp(w["fading"])), 0))
    step = (places >= 0).double()  # the moment of asking is one step behind the token; what is later than it counts by its distance
    found = [alike(q, k, v, lambda head, products: products * torch.exp(-rates[head] * (places.abs() + 1)) * seen)]
    if block.times:
        found.append(torch.zeros_like(x) if clock is None else waves(n @ w["of_times.weight"].T, block, clock, seen, step))
    vectors, placed = w["places"].view(-1, 32)[: len(x)], n @ w["of_places.weight"].T
    found.append(w["mixed"] * ((vectors @ vectors.T / 16 * seen) @ placed) + w["own"] * placed)
    return stages(w, u * torch.cat([centred(part) for part in found], -1), x)


def waves(v, block, clock, seen, before):
    times, asked = clock
    gaps = torch.where(before > 0, asked[:, None] - times, times - times[:, None]).double() / 1e6
    kinds = max(n for n in range(1, block.periods + 1) if DIM // 2 % n == 0)
    out = []
    for wave, half in zip((torch.sin, torch.cos), v.chunk(2, -1), strict=True):
        for n, values in enumerate(half.chunk(kinds, -1)):
            period = block.longest * (block.shortest / block.longest) ** (n / max(kinds - 1, 1))
            angle = 2 * math.pi * gaps / period
            out.append((wave(angle) * 2**-angle * seen) @ values)
    return torch.cat(out, -1)


def distance(tokens):
    place = torch.arange(tokens)
    return place[:, None] - place


SLOW = {HSTU: hstu, FuXiAlpha: alpha, FuXiBeta: beta, FuXiLinear: linear}


def made(block, dim=DIM):
    torch.manual_seed(3)
    module = block.build(dim, HEADS, 0.0, LENGTH).double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            torch.nn.init.normal_(parameter, std=0.5 if "power" not in name else 0.1)
    return module


def window(tokens, timed):
    generator = torch.Generator().manual_seed(tokens)
    x = torch.randn(tokens, DIM, generator=generator, dtype=torch.float64)
    steps = torch.tensor([0, 7, 300, 4_000, 90_000, 40_000_000])[torch.randint(6, (tokens + 1,), generator=generator)] * 1_000_000
    moments = 1_500_000_000_000_000 + torch.cumsum(steps, 0)
    return x, (moments[:-1], moments[1:]) if timed else None


@pytest.mark.parametrize("timed", [True, False], ids=["timed", "timeless"])
@pytest.mark.parametrize("causal", [True, False], ids=["back", "both ways"])
@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_the_block_is_its_equations_with_all_gradients(block, causal, timed):
    module = made(block)
    weights = dict(module.named_parameters())
    for tokens in (1, 5, CHUNK + 1, LENGTH + 1):
        x, clock = window(tokens, timed)
        own = None if not block.times else clock
        seen = torch.ones(tokens, tokens).double()
        x.requires_grad_()
        wanted = SLOW[type(block)](weights, block, x, own, seen.tril() if causal else seen)
        layout = Layout(torch.tensor([tokens]), *(clock or ()))
        states = module(x, layout, causal)
        torch.testing.assert_close(states, wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(module.last(x, layout)[0], wanted[-1], rtol=1e-5, atol=1e-5)
        inputs = [x, *weights.values()]
        slopes = [torch.autograd.grad((out**2).sum(), inputs, allow_unused=True, materialize_grads=True) for out in (states, wanted)]
        for name, one, other in zip(["x", *weights], *slopes, strict=True):
            torch.testing.assert_close(
                one, other, rtol=1e-5, atol=1e-5 * max(1.0, float(other.abs().max())), msg=lambda m, name=name: f"{name}: {m}"
            )


@pytest.mark.parametrize("block", [HSTU(), FuXiAlpha(), FuXiBeta(), FuXiLinear()], ids=repr)
def test_later_events_change_nothing_before_them(block):
    """Over chunks, as `check_block` asks only about short windows."""
    module = made(block)
    x, (times, asked) = window(LENGTH, True)
    layout = Layout(torch.tensor([LENGTH]), times, asked)
    for first in (CHUNK - 1, CHUNK, 2 * CHUNK + 3):
        later = torch.arange(LENGTH) >= first
        moved = Layout(layout.lengths, torch.where(later, times + 10**12, times), torch.where(later, asked + 10**12, asked))
        changed = module(torch.where(later[:, None], x + 1, x), moved, True)
        torch.testing.assert_close(changed[:first], module(x, layout, True)[:first], rtol=1e-9, atol=1e-9)


def test_windows_of_a_batch_are_those_alone():
    """With padding behind some of them and chunks of another size than alone."""
    module, sizes = made(FuXiLinear()), [LENGTH, CHUNK + 2, 1]
    parts = [window(size, True) for size in sizes]
    x, times, asked = torch.cat([x for x, _ in parts]), *(torch.cat([clock[side] for _, clock in parts]) for side in (0, 1))
    for causal in (True, False):
        together = module(x, Layout(torch.tensor(sizes), times, asked), causal).split(sizes)
        for (own, clock), states in zip(parts, together, strict=True):
            alone = module(own, Layout(torch.tensor([len(own)]), *clock), causal)
            torch.testing.assert_close(states, alone, rtol=1e-6, atol=1e-6)


def test_fuxi_linear_halves_its_numbers_between_sines_and_cosines():
    assert len(FuXiLinear().build(50, 1, 0.0, 10).waves.periods) == 5
    with pytest.raises(ParameterError, match=r"must be even. Got dim=9; FuXiLinear\(times=False\) takes it"):
        FuXiLinear().build(9, 1, 0.0, 10)
    assert FuXiLinear(times=False).build(9, 1, 0.0, 10).waves is None


def test_what_depends_on_times_alone_is_worked_out_once_for_all_layers():
    x, clock = window(CHUNK + 5, True)
    layout, calls = Layout(torch.tensor([len(x)]), *clock), []
    assert layout.once(lambda _: calls) is not layout.once(lambda _: [])
    first, second = (made(FuXiLinear()) for _ in range(2))
    first(x, layout, True)
    found = dict(layout._found)
    second(x, layout, True)
    assert {work: id(value) for work, value in found.items()} == {work: id(value) for work, value in layout._found.items()}
    assert first.waves in found
