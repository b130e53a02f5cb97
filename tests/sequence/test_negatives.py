"""Draws come as often as their log q says."""

import pytest
import torch

from vitrina.sequence import ByPopularity, InBatch, Mixed, Uniform
from vitrina.sequence.negatives import Pool

COUNTS = torch.tensor([1.0, 2.0, 3.0, 10.0, 24.0])
TARGETS = torch.repeat_interleave(torch.arange(5), COUNTS.long())


def pool():
    return Pool(COUNTS, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("negatives", [Uniform(), ByPopularity(alpha=0.5), ByPopularity(alpha=1), InBatch(), Mixed(ratio=0.3)], ids=repr)
@pytest.mark.parametrize("shared", [False, True])
def test_draws_follow_q(negatives, shared):
    negatives = type(negatives)(
        **{n: getattr(negatives, n) for n in type(negatives).model_fields} | {"n": 40_000 if shared else 1000, "shared": shared}
    )
    drawn = negatives.draw(pool(), TARGETS)
    assert drawn.shared is shared
    assert drawn.rows.shape == ((40_000,) if shared else (40, 1000))
    q = negatives.q(pool())
    assert float(q.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(drawn.log_q, q.log()[drawn.rows])
    seen = torch.bincount(drawn.rows.reshape(-1), minlength=5)
    chi2 = ((seen - 40_000 * q) ** 2 / (40_000 * q)).sum()
    assert chi2 < 23.5  # 4 degrees of freedom: one seed in ten thousand


def test_the_q_of_known_mixtures():
    share = COUNTS / 40
    torch.testing.assert_close(Mixed(ratio=0.25).q(pool()), 0.25 * share + 0.75 / 5)
    torch.testing.assert_close(InBatch().q(pool()), share)
    torch.testing.assert_close(ByPopularity(alpha=0.5).q(pool()), COUNTS.sqrt() / COUNTS.sqrt().sum())
