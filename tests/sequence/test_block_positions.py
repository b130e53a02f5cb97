"""What the attention of the softmax blocks may know of places, against whole matrices over one window."""

import pytest
import torch

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.sequence import LiGR, RelativePositions, Rotary, SASRecBlock
from vitrina.sequence.blocks.base import Attention
from vitrina.sequence.layout import Layout

DIM, HEADS, LENGTH = 8, 2, 6
SIZE = DIM // HEADS


def slow(module, positions, x, causal):
    """Each pair by itself."""
    q, k, v = (x @ part.weight.T + part.bias for part in (module.query, module.key, module.value))
    heads = []
    for head in range(HEADS):
        part = slice(head * SIZE, (head + 1) * SIZE)
        rows = []
        for i in range(len(x)):
            logits = []
            for j in range(i + 1 if causal else len(x)):
                one, other = q[i, part], k[j, part]
                if isinstance(positions, Rotary):  # turning both is turning one by the difference
                    one = turned(one, i - j, positions.base)
                logit = one @ other / SIZE**0.5
                if isinstance(positions, RelativePositions):
                    logit = logit + module.placed.table.view(HEADS, -1)[head, i - j + LENGTH]
                logits.append(logit)
            weights = torch.stack(logits).softmax(0)
            rows.append(weights @ v[: len(logits), part])
        heads.append(torch.stack(rows))
    return torch.cat(heads, 1) @ module.out.weight.T + module.out.bias


def turned(vector, places, base):
    out = []
    for pair in range(SIZE // 2):
        angle = torch.tensor(places * base ** (-2 * pair / SIZE), dtype=torch.float64)
        first, second = vector[2 * pair], vector[2 * pair + 1]
        out += [first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()]
    return torch.stack(out)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 1e-9], ids=["fused", "with weights"])  # so little that nothing is dropped
@pytest.mark.parametrize("positions", [Rotary(), Rotary(base=7.0), RelativePositions()], ids=repr)
def test_the_attention_is_the_equation_with_all_gradients(positions, dropout, causal):
    torch.manual_seed(1)
    module = Attention(DIM, HEADS, dropout, positions, LENGTH).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    sizes = [LENGTH + 1, 1, 4]
    x = torch.randn(sum(sizes), DIM, dtype=torch.float64, requires_grad=True)
    layout, inputs = Layout(torch.tensor(sizes)), [x, *module.parameters()]
    wanted = torch.cat([slow(module, positions, part, causal) for part in x.split(sizes)])
    states = module(x, x, layout, causal)
    torch.testing.assert_close(states, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(module.last(x[layout.last], x, layout), wanted[layout.last], rtol=1e-6, atol=1e-6)
    for one, other in zip(*(torch.autograd.grad((out**2).sum(), inputs) for out in (states, wanted)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_order_is_learned_from_them_alone():
    """Only the attention says who was before whom: blocks with positions tell two orders of the same events apart, the others don't."""
    for positions, apart in ((None, False), (Rotary(), True), (RelativePositions(), True)):
        torch.manual_seed(2)
        module = LiGR(positions=positions).build(DIM, HEADS, 0.0, LENGTH).eval()
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        x, layout = torch.randn(4, DIM), Layout(torch.tensor([4]))
        same = torch.allclose(module.last(x, layout), module.last(x[[1, 0, 2, 3]], layout), atol=1e-5)
        assert same is not apart


def test_an_odd_head_is_refused_and_a_model_is_saved(tmp_path):
    with pytest.raises(ParameterError, match=r"Got dim=6 and heads=2, 3 a head"):
        LiGR(positions=Rotary()).build(6, 2, 0.0, 4)
    data = vt.testing.synthetic(users=40, items=20)
    model = vt.SequenceModel(
        block=SASRecBlock(positions=RelativePositions()), dim=8, training=vt.sequence.Training(epochs=1, patience=None)
    )
    fitted = model.fit(data)
    loaded = vt.load(vt.save(fitted, tmp_path / "artifact", model=model, data=data)).recommender
    assert (loaded.encode(data.queries()) == fitted.encode(data.queries())).all()
