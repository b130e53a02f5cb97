"""Dropout by random bytes: the share, the scale, and nothing outside training."""

import pytest
import torch

from vitrina.sequence.dropout import Dropout, RowDropout


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.9])
def test_the_share_and_the_mean(p):
    torch.manual_seed(0)
    dropped = Dropout(p).train()(torch.ones(300, 1001))
    assert float((dropped == 0).float().mean()) == pytest.approx(p, abs=0.004)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    assert len(dropped.unique()) == 2


def test_elements_are_dropped_independently():
    torch.manual_seed(0)
    surviving = (Dropout(0.5).train()(torch.ones(4000, 16)) > 0).float()
    correlation = torch.corrcoef(surviving.t())
    assert float((correlation - torch.eye(16)).abs().max()) < 0.06


def test_nothing_is_dropped_outside_of_training_or_with_p_0():
    x = torch.randn(7, 3)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)
    assert torch.equal(RowDropout(torch.full((7,), 0.5)).eval()(x), x)


def test_the_gradient_is_the_mask():
    torch.manual_seed(1)
    x = torch.randn(50, 8, requires_grad=True)
    y = Dropout(0.25).train()(x)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 1 / 0.75))


def test_each_row_has_its_share():
    torch.manual_seed(2)
    out = RowDropout(torch.tensor([0.0, 0.25, 0.75])).train()(torch.ones(3, 50_000))
    assert (out == 0).float().mean(1).tolist() == pytest.approx([0, 0.25, 0.75], abs=0.01)
    assert out.mean(1).tolist() == pytest.approx([1, 1, 1], abs=0.03)
