"""The numbers of both published forms beside 50-digit arithmetic, and their flaws: there in the published form, absent from ours."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest

import vitrina as vt
from vitrina.answers import (
    Bounds,
    Chances,
    Heard,
    Signals,
    claim_information,
    information,
    published_claim_information,
    published_information,
)
from vitrina.base.errors import DataError

getcontext().prec = 60
SURE, NEVER = [True] * 7, [False] * 7
EPS = Decimal("1e-12")


def exact_kl(p: Decimal, q: Decimal) -> Decimal:
    """The divergence in 60 digits."""
    ends = ((p, q), (1 - p, 1 - q))
    return sum((a * (a / b).ln() for a, b in ends if a), Decimal(0))


def exact_most(prior: Decimal, gain: Decimal, least: Decimal = Decimal(0)) -> Decimal:
    """1 - sup {p: KL <= gain}, p below 1 - least."""
    low, high = prior, 1 - least
    if exact_kl(high, prior) <= gain:
        return 1 - high
    for _ in range(170):
        middle = (low + high) / 2
        low, high = (middle, high) if exact_kl(middle, prior) <= gain else (low, middle)
    return 1 - low


def test_the_examples_of_the_reference() -> None:
    """Seven samples, an error rate of 5%: the floor, what is needed, and the two verdicts that the published program gave."""
    one = published_information(Signals.of_samples(SURE, [NEVER, *[SURE] * 5]))
    assert Signals.of_samples(SURE, [SURE]).floor == pytest.approx(1 / 9, abs=1e-15)
    assert one.needed == pytest.approx(float(exact_kl(Decimal("0.95"), Decimal(1) / 9)), abs=1e-12)
    assert round(one.needed, 3) == 1.895
    assert (one.gain, one.answer) == (2.0, True)
    assert one.risk == pytest.approx(1e-12, abs=1e-15)
    mismatch = published_information(Signals.of_samples(NEVER, [SURE] * 6))
    assert (mismatch.event, mismatch.gain, mismatch.answer) == ("refuse", 12.0, True)
    assert mismatch.ratio == pytest.approx(
        12 / float(exact_kl(Decimal("0.95"), Decimal(1.0 - 1e-12))), abs=1e-12
    )  # that double is 1 - 1.00009e-12
    assert round(mismatch.ratio, 1) == 10.1


def test_numbers_are_those_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(5)
    for p, q, gain in zip(*rng.uniform(0.001, 0.999, (2, 60)), rng.exponential(0.7, 60), strict=True):
        exact = exact_kl(Decimal(p), Decimal(q))
        assert vt.answers.bernoulli_kl(p, q) == pytest.approx(float(exact), abs=1e-12)
        assert vt.answers.bits_to_trust(1 - p, q) == pytest.approx(float(exact), abs=1e-12)
        assert vt.answers.risk_of_hallucination(gain, q) == pytest.approx(float(exact_most(Decimal(q), Decimal(gain))), abs=1e-12)


def test_the_published_form_beside_exact_arithmetic() -> None:
    rng = np.random.default_rng(6)
    for _ in range(25):
        full, *weak = rng.random((5, 6)) < rng.random((5, 1))
        signals = Signals.of_samples(full.tolist(), [one.tolist() for one in weak])
        found = published_information(signals, error_rate=0.1)
        share = [Decimal(int((one == full[0]).sum())) / 6 for one in (full, *weak)]
        logs = [max(one, EPS).ln() for one in share]
        gain = sum((min(max(logs[0] - one, Decimal(0)), Decimal(12)) for one in logs[1:]), Decimal(0)) / 4
        q = [Decimal(int(one.sum())) / 6 for one in weak]
        lowest = min(max(min(q), Decimal(1) / 8), Decimal(1.0 - 1e-12))
        prior = min(max(sum(q, Decimal(0)) / 4, EPS), 1 - EPS)
        needed = exact_kl(Decimal("0.9"), lowest)
        assert found.gain == pytest.approx(float(gain), abs=1e-12)
        assert found.needed == pytest.approx(float(needed), abs=1e-12)
        assert found.ratio == pytest.approx(float(gain / needed), abs=1e-11)
        assert found.risk == pytest.approx(float(exact_most(prior, gain, EPS)), abs=2e-12)


def test_one_skeleton_decides_in_the_published_form_and_not_in_ours() -> None:
    one, five = [NEVER, *[SURE] * 5], [*[NEVER] * 5, SURE]
    assert published_information(Signals.of_samples(SURE, one)).answer
    assert not information(Chances.of_samples(SURE, one)).answer
    for samples in (3, 5, 7, 20, 1000):
        of = Chances.of_samples([True] * samples, [[False] * samples, *[[True] * samples] * 5])
        assert information(of).gain == pytest.approx(0, abs=1e-12)
    assert information(Chances.of_samples(SURE, [NEVER] * 6)).answer  # where all skeletons say the same, there is enough
    assert information(Chances.of_samples(SURE, five)).gain < information(Chances.of_samples(SURE, [NEVER] * 6)).gain


def test_the_verdict_is_the_same_whichever_skeleton_is_left_out() -> None:
    rng = np.random.default_rng(0)
    answered = 0
    for _ in range(300):
        skeletons = [(rng.random(7) < chance).tolist() for chance in rng.choice([0.0, 0.1, 0.9], 6, p=[0.6, 0.3, 0.1])]
        chances = Chances.of_samples(SURE, skeletons)
        if information(chances).answer:
            answered += 1
            needed = vt.answers.bits_to_trust(0.05, min(chances.skeletons))
            for at in range(6):
                rest = chances.skeletons[:at] + chances.skeletons[at + 1 :]
                assert np.mean([math.log(chances.full / one) for one in rest]) >= needed - 1e-12
    assert answered > 10


def test_a_firm_refusal_is_an_answer_in_the_published_form_and_not_in_ours() -> None:
    assert published_information(Signals.of_samples(NEVER, [SURE] * 6)).answer
    ours = information(Chances.of_samples(NEVER, [SURE] * 6))
    assert not ours.answer
    assert ours.gain == pytest.approx(-math.log(8), abs=1e-12)  # of answering: (1/9) / (8/9)
    assert ours.risk == pytest.approx(1 - 8 / 9)  # nothing was gained


def test_the_constant_decides_in_the_published_form_and_there_is_none_in_ours() -> None:
    signals = Signals.of_samples(SURE, [NEVER, *[SURE] * 5])
    assert [published_information(signals, clip=clip).answer for clip in (11.0, 12.0)] == [False, True]
    assert information(Chances.of_samples([True] * 20, [[False] * 20] * 6)).gain == pytest.approx(
        math.log(21)
    )  # what twenty samples can say


def test_more_evidence_never_turns_an_answer_into_a_refusal() -> None:
    ratios = [information(Chances.of_samples([True] * k + [False] * (7 - k), [NEVER] * 6)).ratio for k in range(8)]
    assert ratios == sorted(ratios)


def test_too_few_skeletons_are_refused() -> None:
    with pytest.raises(DataError, match="2 skeletons or more"):
        information(Chances(0.9, (0.1,)))


def bounds_of(p0: tuple[float, float], p1: tuple[float, float], said: str = "YES") -> tuple[Heard, Heard]:
    return Heard({"YES": Bounds(*p0)}, "UNSURE"), Heard({"YES": Bounds(*p1), "NO": Bounds(0, 0), "UNSURE": Bounds(0, 1)}, said)


def test_claims_beside_exact_arithmetic() -> None:
    found = claim_information(Heard.certain(0.3), Heard.certain(0.97))
    required, observed = exact_kl(Decimal("0.95"), Decimal("0.3")), exact_kl(Decimal("0.97"), Decimal("0.3"))
    assert found.required.low == found.required.high == pytest.approx(float(required), abs=1e-12)
    assert found.gap.low == pytest.approx(float(required - observed), abs=1e-12)
    assert found.gain.low == pytest.approx(math.log(0.97 / 0.03) - math.log(0.3 / 0.7), abs=1e-12)
    published = published_claim_information(Heard.certain(0.3), Heard.certain(0.97))
    assert (published.status, published.gap.low) == ("passed", pytest.approx(found.gap.low, abs=1e-12))


@pytest.mark.parametrize(
    ("p0", "p1", "said", "status"),
    [
        ((0.1, 0.2), (0.96, 0.99), "YES", "passed"),
        ((0.1, 0.2), (0.1, 0.2), "NO", "contradicted"),
        ((0.1, 0.2), (0.5, 0.6), "YES", "not_entailed"),
        ((0.1, 0.2), (0.9, 0.99), "YES", "ambiguous_verifier"),
        ((0.9, 0.96), (0.97, 0.99), "YES", "prior_leak"),
        ((0.9, 0.94), (0.951, 0.952), "YES", "insufficient_evidence_gain"),
    ],
)
def test_each_status_of_a_claim(p0: tuple[float, float], p1: tuple[float, float], said: str, status: str) -> None:
    pair = bounds_of(p0, p1, said)
    least = 1.0 if status == "insufficient_evidence_gain" else 0.0
    assert claim_information(*pair, least_gain=least).status == published_claim_information(*pair, least_gain=least).status == status


def test_what_the_later_form_reads_wrongly_and_ours_does_not() -> None:
    against = Heard.certain(0.5), Heard.certain(0.001, no=0.99)
    assert published_claim_information(*against).gap.high < 0  # the budget seems to be met
    assert claim_information(*against).gap.low > 0
    assert claim_information(*against).surplus < 0
    overlap = bounds_of((0.5, 0.5), (0.2, 0.9))
    assert published_claim_information(*overlap).observed.low > 0.19  # though p1 = p0 is within the bounds
    assert claim_information(*overlap).observed.low < 0
    unbounded = bounds_of((0.0, 0.2), (0.96, 0.99))
    assert 20 < published_claim_information(*unbounded).required.high < 30  # the constant 1e-12
    assert claim_information(*unbounded).required.high == math.inf


def test_ends_enclose_all_chances_within_the_bounds() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        p0, p1 = (Bounds(*sorted(rng.random(2))) for _ in range(2))
        found = claim_information(*bounds_of(p0, p1))
        for before, after in zip(rng.uniform(*p0, 20), rng.uniform(*p1, 20), strict=True):
            at = claim_information(Heard.certain(before), Heard.certain(after))
            for name in ("required", "observed", "gap", "gain"):
                low, high = getattr(found, name)
                assert low - 1e-9 <= getattr(at, name).low <= getattr(at, name).high <= high + 1e-9, name


def test_bounds_of_samples_are_clopper_pearson() -> None:
    """By the tails of the binomial distribution, summed."""
    low, high = Bounds.of_count(3, 20)

    def tail(p: float, counts: range) -> float:
        return sum(math.comb(20, k) * p**k * (1 - p) ** (20 - k) for k in counts)

    assert tail(low, range(3, 21)) == pytest.approx(0.025)
    assert tail(high, range(4)) == pytest.approx(0.025)
    assert Bounds.of_count(0, 20).low == 0
    assert Bounds.of_count(20, 20).high == 1
