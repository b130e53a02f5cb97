"""Every loss against a plain oracle in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vitrina.sequence import BCE, BPR, GBCE, CosineSimilarity, DotProduct, FullSoftmax, InBatch, Mixed, SampledSoftmax, Uniform
from vitrina.sequence import products as module
from vitrina.sequence.bonus import Bonus
from vitrina.sequence.kernels import exponentials
from vitrina.sequence.losses import Task
from vitrina.sequence.negatives import Drawn, Pool

ROWS, DIM, N = 13, 5, 7


def pool(seed=0):
    return Pool(torch.arange(1.0, ROWS + 1), torch.Generator().manual_seed(seed))


def task(bonus=None, positions=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    states, table = (torch.randn(n, DIM, generator=generator, dtype=torch.float64).requires_grad_() for n in (positions, ROWS))
    return Task(states, table, torch.randint(0, ROWS, (positions,), generator=generator), pool(), bonus)


def some_bonus():
    position, row = torch.tensor([0, 0, 2, 6]), torch.tensor([1, 4, 0, 12])
    return Bonus(position, row, torch.tensor([0.5, 1.5, 2.0, 3.0], dtype=torch.float64), ROWS, N)


def softplus(x):
    return math.log1p(math.exp(x))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("bonus", [None, some_bonus()])
@pytest.mark.parametrize("chunk", [1, 600, 1 << 20])
def test_the_chunked_softmax_equals_cross_entropy(monkeypatch, smoothing, bonus, chunk):
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(module, "LARGE_BYTES", 0)
    one = task(bonus)
    logits = one.states @ one.table.t()
    if bonus is not None:
        logits = logits.index_put((bonus.position, bonus.row), bonus.value, accumulate=True)
    wanted = F.cross_entropy(logits, one.targets, label_smoothing=smoothing)
    got = FullSoftmax(smoothing=smoothing).of(one)
    torch.testing.assert_close(got, wanted)
    slopes, wanted_slopes = (torch.autograd.grad(3 * x, [one.states, one.table]) for x in (got, wanted))
    torch.testing.assert_close(slopes, wanted_slopes)


@pytest.mark.skipif(not module._bf16_on_cpu(), reason="this processor doesn't multiply bfloat16")
@pytest.mark.parametrize(
    "loss", [FullSoftmax(), GBCE(negatives=Uniform(n=20)), SampledSoftmax(negatives=Uniform(n=90, shared=True))], ids=repr
)
def test_bfloat16_products_give_the_gradients_of_float32_to_a_hundredth(loss):
    generator = torch.Generator().manual_seed(3)
    states, table = torch.randn(500, 32, generator=generator), 0.5 * torch.randn(300, 32, generator=generator)
    targets = torch.randint(0, 300, (500,), generator=generator)
    results = []
    for dtype in (torch.float32, torch.float64):
        parts = [x.to(dtype).requires_grad_() for x in (states, table)]
        value = loss.of(Task(parts[0], parts[1], targets, Pool(torch.ones(300), torch.Generator().manual_seed(4))))
        results.append([value.detach(), *torch.autograd.grad(value, parts)])
    assert module.product_dtype(states) == torch.bfloat16
    for narrow, exact in zip(*results, strict=True):
        assert (narrow - exact).norm() < 0.01 * exact.norm()


@pytest.fixture
def narrow_tiles(monkeypatch):
    """Float32 products, in several chunks of several tiles, on three threads wherever there are as many."""
    monkeypatch.setattr(module, "product_dtype", lambda states: states.dtype)
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    monkeypatch.setattr(module, "MANY", 40)
    monkeypatch.setattr(module, "TILE_BYTES", 1)  # 256 columns
    monkeypatch.setattr(module, "THREADS", 3)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    assert torch.get_num_threads() == 3, "what a loss takes for itself it gives back"
    torch.set_num_threads(before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "loss", [FullSoftmax(), FullSoftmax(smoothing=0.2), SampledSoftmax(negatives=Mixed(n=700, shared=True), corrected=True)], ids=repr
)
def test_tiles_in_float32_give_the_loss_and_slopes_of_the_plain_formula(narrow_tiles, monkeypatch, loss, weighted):
    generator = torch.Generator().manual_seed(3)
    states, table = torch.randn(271, 16, generator=generator), torch.randn(900, 16, generator=generator)
    targets, weights = torch.randint(0, 900, (271,), generator=generator), torch.rand(271, generator=generator) + 0.1
    monkeypatch.setattr(module, "_by_rows", lambda *_: pytest.fail("the tiles were not taken"))
    results = []
    for dtype in (torch.float32, torch.float64):
        parts = [x.to(dtype).requires_grad_() for x in (states, table)]
        one = Task(*parts, targets, Pool(torch.arange(1.0, 901), torch.Generator().manual_seed(4)), weights=weights if weighted else None)
        value = loss.of(one) if dtype == torch.float32 else plain_softmax(loss, one)
        results.append([value.detach(), *torch.autograd.grad(value, parts)])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-7)


def plain_softmax(loss, one):
    """The formula, on all logits at once."""
    logits, smoothing = one.states @ one.table.t(), getattr(loss, "smoothing", 0.0)
    if isinstance(loss, SampledSoftmax):
        drawn = loss.negatives.draw(one.pool, one.targets)
        own = logits.gather(1, one.targets[:, None])
        logits = logits[:, drawn.rows] - (math.log(drawn.n) + drawn.log_q)
        logits = torch.cat([own, logits.masked_fill(drawn.rows == one.targets[:, None], -torch.inf)], 1)
    targets = one.targets if isinstance(loss, FullSoftmax) else torch.zeros_like(one.targets)
    each = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    return each.mean() if one.weights is None else (each * one.weights).sum() / one.weights.sum()


@pytest.mark.parametrize("far", [50.0, 80.0])
def test_tiles_give_way_where_exponentials_leave_float32(narrow_tiles, far):
    """At 80 the first position's target is so unlikely that sums of multiples of its exponential would leave float32 soon."""
    states, table = torch.ones(70, 1), torch.linspace(-1, 1, 300)[:, None]
    states[0] = far / 2
    targets = torch.arange(70)
    parts = [states.requires_grad_(), table.requires_grad_()]
    value = FullSoftmax().of(Task(*parts, targets, pool()))
    wanted = F.cross_entropy(parts[0] @ parts[1].t(), targets)
    torch.testing.assert_close(value, wanted)
    for found, slope in zip(torch.autograd.grad(value, parts), torch.autograd.grad(wanted, parts), strict=True):
        torch.testing.assert_close(found, slope, rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_no_number_stays_none(narrow_tiles):
    states = torch.ones(70, 4)
    states[3, 1] = math.nan
    assert math.isnan(float(FullSoftmax().of(Task(states, torch.ones(300, 4), torch.arange(70), pool()))))


def test_exponentials_are_those_of_the_library_to_a_rounding():
    rng = np.random.default_rng(0)
    logits, own = rng.normal(0, 20, (6, 1003)).astype(np.float32), rng.normal(0, 5, 6).astype(np.float32)
    logits[2, 5], logits[3, 7] = -np.inf, -300
    targets, sums = np.array([0, 90, 1002, 2000, 100, 101]), np.full(6, 2.0, np.float32)
    wanted = logits.copy()
    for position in (1, 2, 4, 5):
        if targets[position] < 1093:
            wanted[position, targets[position] - 90] = own[position]
    wanted = np.exp(np.clip((wanted - own[:, None]).astype(np.float64), -87, 88))
    exponentials(logits, own, targets, 90, sums)
    np.testing.assert_allclose(logits, wanted, rtol=3e-7)
    np.testing.assert_allclose(sums, 2 + wanted.sum(1), rtol=1e-6)


def test_scores_of_own_rows_are_summed_alike_by_one_thread_and_several(monkeypatch):
    generator = torch.Generator().manual_seed(6)
    states, table, slopes = (torch.randn(shape, generator=generator) for shape in ((50, 40), (70, 40), (50, 200)))
    rows = torch.randint(0, 70, (50, 200), generator=generator)
    monkeypatch.setattr(module, "DENSE_BYTES", 0)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(module, "THREADS", threads)
        parts = [x.clone().requires_grad_() for x in (states, table)]
        found.append(torch.autograd.grad((module.scores_of(*parts, Drawn(rows, rows)) * slopes).sum(), parts))
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_a_chunk_does_not_grow_with_positions():
    assert module.chunk_of(2 * 12_000) * 2 * 12_000 <= module.CHUNK_BYTES
    assert module.chunk_of(2 * 200_000) == module.MANY
    assert module.chunk_of(2 * 2_000_000) * 2 * 2_000_000 <= module.LARGE_BYTES
    assert module.chunk_of(1 << 40) == 1


ORACLES = {
    BCE(negatives=Uniform(n=4)): lambda p, ns, n: (softplus(-p) + sum(softplus(x) for x in ns)) / (1 + n),
    GBCE(calibration=0, negatives=Uniform(n=4)): lambda p, ns, n: (softplus(-p) + sum(softplus(x) for x in ns)) / (1 + n),
    GBCE(calibration=1, negatives=Uniform(n=4)): lambda p, ns, n: (n / (ROWS - 1) * softplus(-p) + sum(softplus(x) for x in ns)) / (1 + n),
    BPR(negatives=Uniform(n=4)): lambda p, ns, n: sum(softplus(x - p) for x in ns) / n,
    SampledSoftmax(negatives=Uniform(n=4)): lambda p, ns, n: math.log(math.exp(p) + sum(math.exp(x) for x in ns)) - p,
    SampledSoftmax(negatives=Uniform(n=4), corrected=True): lambda p, ns, n: (
        math.log(math.exp(p) + sum(math.exp(x) / (n / ROWS) for x in ns)) - p
    ),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("bonus", [None, some_bonus()])
@pytest.mark.parametrize("loss", ORACLES, ids=repr)
def test_a_sampled_loss_equals_its_oracle(loss, bonus, shared):
    loss = type(loss)(**{n: getattr(loss, n) for n in type(loss).model_fields} | {"negatives": Uniform(n=4, shared=shared)})
    oracle = ORACLES[type(loss)(**{n: getattr(loss, n) for n in type(loss).model_fields} | {"negatives": Uniform(n=4)})]
    one = task(bonus)
    drawn = loss.negatives.draw(pool(), one.targets).rows  # the same seed: the same draws
    drawn = drawn.expand(N, 4) if shared else drawn
    extra = torch.zeros(N, ROWS, dtype=torch.float64)
    if bonus is not None:
        extra[bonus.position, bonus.row] = bonus.value
    logits = (one.states @ one.table.t() + extra).tolist()
    wanted = 0.0
    for position, target in enumerate(one.targets.tolist()):
        negatives = [logits[position][j] for j in drawn[position].tolist() if j != target]  # a draw of the target doesn't count
        wanted += oracle(logits[position][target], negatives, 4) / N
    assert float(loss.of(one).detach()) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("negatives", [Uniform(n=9), InBatch(n=9), Mixed(n=20)], ids=repr)
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_draws_of_the_whole_batch_have_the_slopes_of_a_plain_softmax(monkeypatch, negatives, corrected, chunk):
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(module, "LARGE_BYTES", 0)
    shared = type(negatives)(**{name: getattr(negatives, name) for name in type(negatives).model_fields} | {"shared": True})
    one = task()
    drawn = shared.draw(pool(), one.targets)  # the same seed: the same draws
    logits = one.states @ one.table[drawn.rows].t() - corrected * (math.log(drawn.n) + drawn.log_q)
    own = (one.states * one.table[one.targets]).sum(1, keepdim=True)
    logits = torch.cat([own, logits.masked_fill(drawn.rows == one.targets[:, None], -torch.inf)], 1)
    wanted = F.cross_entropy(logits, torch.zeros(N, dtype=torch.int64))
    got = SampledSoftmax(negatives=shared, corrected=corrected).of(one)
    torch.testing.assert_close(got, wanted)
    slopes, wanted_slopes = (torch.autograd.grad(3 * x, [one.states, one.table]) for x in (got, wanted))
    torch.testing.assert_close(slopes, wanted_slopes)


def test_gbce_is_exact_between_its_extremes():
    n, t, a = 4, 0.75, 4 / (ROWS - 1)
    one = task()
    got = GBCE(calibration=t, negatives=Uniform(n=n)).of_logits(
        torch.tensor([0.3]),
        torch.tensor([[0.1, -0.2, 0.4, 0.0]]),
        torch.zeros(1, n, dtype=torch.bool),
        Drawn(torch.zeros(1, n), torch.zeros(1, n)),
        one,
    )
    beta = a * (t * (1 - 1 / a) + 1 / a)
    sigma = 1 / (1 + math.exp(-0.3))
    wanted = -(math.log(sigma**beta) + sum(math.log(1 - 1 / (1 + math.exp(-x))) for x in (0.1, -0.2, 0.4, 0.0))) / (n + 1)
    assert float(got) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("dense", [0, 1 << 20])
def test_scores_of_own_rows_have_the_gradients_of_a_gather(monkeypatch, dense):
    monkeypatch.setattr(module, "CHUNK_BYTES", 500)
    monkeypatch.setattr(module, "LARGE_BYTES", 0)
    monkeypatch.setattr(module, "DENSE_BYTES", dense)
    one, rows = task(), torch.randint(0, ROWS, (N, 6), generator=torch.Generator().manual_seed(3))
    assert any(len(row.unique()) < len(row) for row in rows), "equal draws of a position must be summed"
    got = module.scores_of(one.states, one.table, Drawn(rows, rows))
    assert bool(dense) == ("Picked" in type(got.grad_fn).__name__)
    wanted = (one.table[rows] * one.states[:, None]).sum(2)
    torch.testing.assert_close(got, wanted)
    slopes, wanted_slopes = (torch.autograd.grad((x**2).sum(), [one.states, one.table]) for x in (got, wanted))
    torch.testing.assert_close(slopes, wanted_slopes)


@pytest.mark.parametrize("negatives", [Uniform(n=60_000), Mixed(n=60_000, ratio=0.5), InBatch(n=60_000)], ids=repr)
def test_with_many_draws_the_corrected_loss_is_the_full_one(negatives):
    """Targets come as often as the pool says, so that in-batch draws have the probabilities that are corrected for."""
    generator = torch.Generator().manual_seed(5)
    states, table = (torch.randn(n, DIM, generator=generator, dtype=torch.float64) for n in (ROWS * (ROWS + 1) // 2, ROWS))
    targets = torch.repeat_interleave(torch.arange(ROWS), torch.arange(1, ROWS + 1))
    one = Task(states, table, targets, pool())
    full, sampled = float(FullSoftmax().of(one)), float(SampledSoftmax(negatives=negatives, corrected=True).of(one))
    plain = float(SampledSoftmax(negatives=negatives).of(one))
    assert sampled == pytest.approx(full, abs=0.02)
    assert abs(plain - full) > 1


def test_similarities():
    states, table = torch.randn(3, 4), torch.randn(5, 4)
    for similarity, wanted in (
        (DotProduct(temperature=2), states @ table.t() / 2),
        (CosineSimilarity(temperature=0.1), F.cosine_similarity(states[:, None], table[None], dim=2) / 0.1),
    ):
        torch.testing.assert_close(similarity.states(states) @ similarity.items(table).t(), wanted)


WEIGHTS = torch.tensor([0.1, 1.0, 3.0, 0.5, 2.0, 1.0, 0.25], dtype=torch.float64)
WEIGHED = [
    FullSoftmax(), FullSoftmax(smoothing=0.2), BCE(), GBCE(), BPR(), SampledSoftmax(negatives=Uniform(n=4)),
    SampledSoftmax(negatives=Uniform(n=9, shared=True)), SampledSoftmax(negatives=Uniform(n=9, shared=True), corrected=True),
]  # fmt: skip


@pytest.mark.parametrize("bonus", [None, some_bonus()])
@pytest.mark.parametrize("loss", WEIGHED, ids=repr)
def test_a_weighted_loss_is_the_weighted_mean_of_the_losses_of_each_position(loss, bonus):
    """Only the weights differ between the two: the slope of a loss in the weight of a position is its own loss less the mean."""
    one = task(bonus)
    each = []
    for position in range(N):  # a weight that drowns the others leaves the loss of one position
        alone = torch.full((N,), 1e-12, dtype=torch.float64)
        alone[position] = 1
        fresh = replace(one, pool=pool(), weights=alone)
        value = loss.of(fresh)
        each.append((value, *torch.autograd.grad(value, [one.states, one.table])))
    share = WEIGHTS / WEIGHTS.sum()
    got = loss.of(replace(one, pool=pool(), weights=WEIGHTS))
    results = (got, *torch.autograd.grad(got, [one.states, one.table]))
    for place, part in enumerate(results):
        wanted = sum(s * e[place] for s, e in zip(share, each, strict=True))
        torch.testing.assert_close(part, wanted, rtol=1e-6, atol=1e-8)
    equal = loss.of(replace(one, pool=pool(), weights=torch.full((N,), 3.0, dtype=torch.float64)))
    torch.testing.assert_close(equal, loss.of(replace(one, pool=pool())))


def test_the_weighted_softmax_equals_weighted_cross_entropy():
    one = replace(task(), weights=WEIGHTS)
    wanted = (F.cross_entropy(one.states @ one.table.t(), one.targets, reduction="none") * WEIGHTS).sum() / WEIGHTS.sum()
    got = FullSoftmax().of(one)
    torch.testing.assert_close(got, wanted)
    slopes, wanted_slopes = (torch.autograd.grad(x, [one.states, one.table]) for x in (got, wanted))
    torch.testing.assert_close(slopes, wanted_slopes)
