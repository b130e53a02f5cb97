"""Every block keeps the laws, and a rogue one breaks them; the body asks a block for no more than it must."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import vitrina as vt
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.sequence import (
    HSTU,
    BERT4RecBlock,
    Block,
    FuXiAlpha,
    FuXiBeta,
    FuXiLinear,
    LiGR,
    PreNorm,
    RelativePositions,
    Rotary,
    SASRecBlock,
)
from vitrina.sequence.batches import Batch
from vitrina.sequence.layout import Layout
from vitrina.sequence.network import Body
from vitrina.testing import ContractError, check_block
from vitrina.testing.block_laws import LAWS

BLOCKS = [
    BERT4RecBlock(), HSTU(), HSTU(times=False), LiGR(), LiGR(multiplier=2), PreNorm(), PreNorm(norm_after=False), SASRecBlock(),
    FuXiAlpha(), FuXiBeta(), FuXiLinear(), LiGR(positions=RelativePositions()), PreNorm(positions=Rotary()),
    SASRecBlock(positions=RelativePositions()), BERT4RecBlock(positions=Rotary(base=100.0)),
]  # fmt: skip
LENGTHS = torch.tensor([3, 1, 6, 2])


class Made(Block):
    """A block of whatever module, built from (dim, dropout, length)."""

    module: type[nn.Module]
    timed: bool = False

    @property
    def needs_time(self):
        return self.timed

    def build(self, dim, heads, dropout, length):
        return self.module(dim, dropout, length)


class Plain(nn.Module):
    """Nothing is wrong with it: x + Drop(W x). What follows changes one thing each. It has no `last`."""

    def __init__(self, dim, dropout, length):
        super().__init__()
        self.mix, self.drop = nn.Linear(dim, dim), nn.Dropout(dropout)

    def forward(self, x, layout, causal):
        return x + self.drop(self.mix(x))


class Long(Plain):
    """Has places for the events that are looked at, but for no mask behind them."""

    def __init__(self, dim, dropout, length):
        super().__init__(dim, dropout, length)
        self.places = nn.Parameter(torch.zeros(length))

    def forward(self, x, layout, causal):
        return super().forward(x, layout, causal) + self.places[layout.place][:, None]


class OfTheBatch(Plain):
    def forward(self, x, layout, causal):
        return super().forward(x - x.mean(0), layout, causal)


class Padded(Plain):
    """A convolution over the flat row, which runs from window to window."""

    def forward(self, x, layout, causal):
        return super().forward(x, layout, causal) + F.pad(x, (0, 0, 1, 0))[:-1]


class Ahead(Plain):
    """Looks at the end of the window, whatever it is told."""

    def forward(self, x, layout, causal):
        return super().forward(x, layout, causal) + x[layout.last][layout.window]


class OtherLast(Plain):
    def last(self, x, layout):
        return x[layout.last]


class Dropping(Plain):
    def forward(self, x, layout, causal):
        return x + F.dropout(self.mix(x), self.drop.p, training=True)


class Overwriting(Plain):
    def forward(self, x, layout, causal):
        return x.add_(self.mix(x)) if not x.requires_grad else super().forward(x, layout, causal)


class Cut(Plain):
    """Learns nothing from what comes in."""

    def forward(self, x, layout, causal):
        return super().forward(x.detach(), layout, causal)


class Idle(Plain):
    def __init__(self, dim, dropout, length):
        super().__init__(dim, dropout, length)
        self.forgotten = nn.Parameter(torch.zeros(dim))


class Drawn(Plain):
    """Has numbers that are no part of what is saved."""

    def __init__(self, dim, dropout, length):
        super().__init__(dim, dropout, length)
        self.shift = torch.randn(dim)

    def forward(self, x, layout, causal):
        return super().forward(x, layout, causal) + self.shift


class Clock(Plain):
    """Reads times, and falls where there are none."""

    def forward(self, x, layout, causal):
        return super().forward(x, layout, causal) + (layout.asked_at - layout.times).abs()[:, None].float().log1p()


class Root(Clock):
    """A moment before its events is no number."""

    def forward(self, x, layout, causal):
        return (
            x if layout.times is None else Plain.forward(self, x, layout, causal) + (layout.asked_at - layout.times)[:, None].float().sqrt()
        )


ROGUES = [
    ("shape", Made(module=Long), "IndexError"), ("alone", Made(module=OfTheBatch), "window 0 of"), ("alone", Made(module=Padded), "window 1 of"),
    ("causal", Made(module=Ahead), "the tokens before differ: row 0"), ("last", Made(module=OtherLast), "`last` and the last of `forward`"),
    ("steady", Made(module=Dropping), "built with dropout"), ("steady", Made(module=Overwriting), "before the call"),
    ("gradient", Made(module=Cut), "gradient of the tokens is none"), ("gradient", Made(module=Idle), "'forgotten' has no gradient"),
    ("rebuilt", Made(module=Drawn), "built again"), ("times", Made(module=Clock), "AttributeError|TypeError"),
    ("times", Made(module=Root), "with times and without"), ("times", Made(module=Root, timed=True), "asked before its events: states aren't finite"),
]  # fmt: skip


@pytest.mark.parametrize("block", [*BLOCKS, Made(module=Plain)], ids=repr)
def test_a_block_keeps_the_laws(block):
    report = check_block(block)
    assert set(report.kept) | set(report.skipped) == set(LAWS)
    assert set(report.skipped) == (set() if isinstance(block, tuple(type(b) for b in BLOCKS)) else {"last"})


@pytest.mark.parametrize(("law", "block", "says"), ROGUES, ids=[f"{law} {block.module.__name__}" for law, block, _ in ROGUES])
def test_a_rogue_block_breaks_its_law(law, block, says):
    with pytest.raises(ContractError, match=rf"breaks a law of a block.\n{law}: .*({says})"):
        check_block(block, laws=[law])


def test_every_law_can_be_broken_and_is_in_the_documentation():
    assert {law for law, _, _ in ROGUES} == set(LAWS)
    assert all(f"| `{law}` |" in (check_block.__doc__ or "") for law in LAWS)
    with pytest.raises(UnknownNameError, match="casual"):
        check_block(LiGR(), laws=["casual"])


def body_of(block, layers=2):
    torch.manual_seed(0)
    body = Body(block, layers, 2, 8, 10, 0.0)
    for parameter in body.parameters():
        nn.init.normal_(parameter, std=0.3)
    return body


def batch_of(rows, lengths):
    lengths = torch.as_tensor(lengths)
    times = 1_700_000_000_000_000 + rows.cumsum(0) * 10**9
    return Batch(rows, Layout(lengths, times, times + 10**9), torch.zeros(len(lengths)), torch.arange(len(rows)), torch.empty(0))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_packed_equals_each_window_alone(block, causal):
    """With all gradients, through two layers."""
    body, table = body_of(block), torch.randn(20, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    rows = torch.randint(0, 20, (int(LENGTHS.sum()),), generator=torch.Generator().manual_seed(2))
    wanted, batch = [*body.parameters(), table], batch_of(rows, LENGTHS)

    together = body(table, batch, causal)
    slopes = torch.autograd.grad((together**3).sum(), wanted, allow_unused=True)
    sizes, parts = LENGTHS.tolist(), []
    for part, times, asked in zip(*(whole.split(sizes) for whole in (rows, batch.layout.times, batch.layout.asked_at)), strict=True):
        layout = Layout(torch.tensor([len(part)]), times, asked)
        parts.append(body(table, Batch(part, layout, torch.zeros(1), torch.arange(len(part)), torch.empty(0)), causal))
    alone = torch.cat(parts)
    slopes_alone = torch.autograd.grad((alone**3).sum(), wanted, allow_unused=True)

    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    for one, other in zip(slopes, slopes_alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lengths", [[3, 1, 6, 2], [4, 4, 4]])
@pytest.mark.parametrize("block", [*BLOCKS, Made(module=Plain)], ids=repr)
def test_the_last_tokens_alone_are_those_among_all(block, lengths):
    """What a visitor is answered: through `last` where the uppermost block has one, else from all of its tokens."""
    body, table = body_of(block).eval(), torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    rows = torch.randint(0, 20, (sum(lengths),), generator=torch.Generator().manual_seed(2))
    every = batch_of(rows, lengths)
    alone = Batch(rows, every.layout, every.users, every.layout.last, every.targets)
    wanted = [body(table, every, causal)[every.layout.last] for causal in (True, False)]

    def all_of_them(*_):
        raise AssertionError("the uppermost block was asked for every token")

    if hasattr(body.blocks[-1], "last"):
        body.blocks[-1].forward = all_of_them
    for causal, states in zip((True, False), wanted, strict=True):
        torch.testing.assert_close(body(table, alone, causal), states, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("block", [*BLOCKS, FuXiLinear(times=False)], ids=repr)
def test_products_in_bfloat16_leave_the_gradients(block):
    """As a GPU trains. Among so many first events a product of query and key comes near 0, where a norm turns over."""
    torch.manual_seed(0)
    lengths = torch.randint(1, 4, (1000,))
    tokens = int(lengths.sum())
    times = torch.randint(0, 10**12, (tokens,)).cumsum(0)
    module, x, weights = block.build(64, 1, 0.0, 50), torch.randn(tokens, 64), torch.randn(tokens, 64)

    def gradients(narrow):
        module.zero_grad()
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            states = module(given, Layout(lengths, times, times + 10**9), True)
        (states.float() * weights).sum().backward()
        return torch.cat([given.grad.flatten(), *(p.grad.flatten() for p in module.parameters() if p.grad is not None)])

    exact = gradients(False)
    assert (gradients(True) - exact).norm() < 0.05 * exact.norm()


def test_a_block_is_built_with_the_length_of_the_model():
    assert len(Body(Made(module=Long), 1, 1, 8, 10, 0.0).blocks[0].places) == 10


def test_a_block_that_takes_no_length_works_for_one_more_release():
    class Older(Block):
        def build(self, dim, heads, dropout):
            return LiGR().build(dim, heads, dropout)

    with pytest.warns(FutureWarning, match=r"Older.build takes \(dim, heads, dropout\), and from the next release on .* length\)"):
        body = Body(Older(), 2, 2, 8, 10, 0.0)
    assert len(body.blocks) == 2
    with pytest.warns(FutureWarning, match=r"Older.build"):
        assert len(check_block(Older()).kept) == len(LAWS)


def test_check_block_leaves_the_generator_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    vt.testing.check_block(SASRecBlock())
    assert torch.equal(before, torch.get_rng_state())


def test_a_layout_packs_what_it_pads():
    layout = Layout(LENGTHS)
    packed = torch.arange(24.0).reshape(12, 2)
    padded = layout.pad(packed)
    assert padded.shape == (4, 6, 2)
    assert (padded[~layout.real] == 0).all()
    assert torch.equal(layout.pack(padded), packed)
    assert layout.place.tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 5, 0, 1]
    assert layout.from_end.tolist() == [2, 1, 0, 0, 5, 4, 3, 2, 1, 0, 1, 0]
    assert layout.last.tolist() == [2, 3, 9, 11]


def test_what_is_no_block_is_not_held_to_its_laws():
    with pytest.raises(ParameterError, match=r"vt\.sequence\.LiGR\(\)\. Got 'LiGR'"):
        check_block("LiGR")
