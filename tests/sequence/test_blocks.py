"""Every block: packed windows equal windows alone, and a causal one never looks ahead."""

import pytest
import torch
from torch import nn

from vitrina.sequence import BERT4RecBlock, LiGR, PreNorm, SASRecBlock
from vitrina.sequence.batches import Batch
from vitrina.sequence.layout import Layout
from vitrina.sequence.network import Body

BLOCKS = [BERT4RecBlock(), LiGR(), LiGR(multiplier=2), PreNorm(), PreNorm(norm_after=False), SASRecBlock()]
LENGTHS = torch.tensor([3, 1, 6, 2])


def body_of(block, layers=2):
    torch.manual_seed(0)
    body = Body(block, layers, 2, 8, 10, 0.0)
    for parameter in body.parameters():
        nn.init.normal_(parameter, std=0.3)
    return body


def batch_of(rows, lengths):
    lengths = torch.as_tensor(lengths)
    return Batch(rows, Layout(lengths), torch.zeros(len(lengths)), torch.arange(len(rows)), torch.empty(0))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_packed_equals_each_window_alone(block, causal):
    body, table = body_of(block), torch.randn(20, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    rows = torch.randint(0, 20, (int(LENGTHS.sum()),), generator=torch.Generator().manual_seed(2))
    wanted = [*body.parameters(), table]

    together = body(table, batch_of(rows, LENGTHS), causal)
    slopes = torch.autograd.grad((together**3).sum(), wanted, allow_unused=True)
    alone = torch.cat([body(table, batch_of(part, [len(part)]), causal) for part in rows.split(LENGTHS.tolist())])
    slopes_alone = torch.autograd.grad((alone**3).sum(), wanted, allow_unused=True)

    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    for one, other in zip(slopes, slopes_alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_later_tokens_change_nothing_before_them(block):
    body, table = body_of(block), torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    rows = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8])
    changed = rows.clone()
    changed[3:6] = torch.tensor([9, 10, 11])
    causal, causal_changed = (body(table, batch_of(r, [6, 2]), True) for r in (rows, changed))
    torch.testing.assert_close(causal[:3], causal_changed[:3], rtol=0, atol=1e-6)
    torch.testing.assert_close(causal[6:], causal_changed[6:], rtol=0, atol=1e-6)
    assert (causal[3:6] - causal_changed[3:6]).abs().min(1).values.max() > 1e-4
    both, both_changed = (body(table, batch_of(r, [6, 2]), False) for r in (rows, changed))
    assert (both[:3] - both_changed[:3]).abs().max() > 1e-4  # the test would see it
    torch.testing.assert_close(both[6:], both_changed[6:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("lengths", [[3, 1, 6, 2], [4, 4, 4]])
@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_the_last_tokens_alone_are_those_among_all(block, lengths):
    body, table = body_of(block).eval(), torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    rows = torch.randint(0, 20, (sum(lengths),), generator=torch.Generator().manual_seed(2))
    every = batch_of(rows, lengths)
    alone = Batch(rows, every.layout, every.users, every.layout.last, every.targets)
    wanted = [body(table, every, causal)[every.layout.last] for causal in (True, False)]

    def all_of_them(*_):
        raise AssertionError("the uppermost block was asked for every token")

    body.blocks[-1].forward = all_of_them
    for causal, states in zip((True, False), wanted, strict=True):
        torch.testing.assert_close(body(table, alone, causal), states, rtol=1e-5, atol=1e-5)


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
