"""How much a question's evidence tells, and how much would be needed: the numbers, without any model.

A decision to answer has the chance P with all evidence and S_k with the evidence weakened (a skeleton, k = 1 to m). In nats,

    gain   = log P - log S_k, over the skeletons
    needed = KL(Ber(1 - h) || Ber(q)): what takes a prior q up to 1 - h ("bits to trust", B2T)
    ratio  = gain / needed: the information sufficiency ratio (ISR); 1 or more answers
    risk   = 1 - sup {p >= q_mean: KL(Ber(p) || Ber(q_mean)) <= gain}: the bound on the risk of hallucination (RoH)

They come from [Chlon et al. 2025](https://arxiv.org/abs/2509.11208) and the program that its authors published. The chance is that of the model's own
wish to answer: none of these numbers knows whether the answer is right.

The published form (`published_information`) is kept to compare with. Three things decide there that shouldn't: a skeleton in which no sample
answers has log S = log 1e-12 and is cut at the constant 12, which is more than the rest of six skeletons needs to say; the gain is that
of whatever the first sample decided while the prior is that of "answer", so that a firm refusal reads as a firm answer; and a fall
of the chance counts as 0. In ours (`information`) the event is "answer" everywhere, shares of few samples are drawn in to (count + 1) / (samples + 2),
nothing is cut, and the gain is the mean over the skeletons without the one that says most: the verdict holds whichever is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import rel_entr

from vitrina.base.errors import DataError, ParameterError

EPS = 1e-12  # of the published program: chances are kept this far from 0 and 1
CLIP = 12.0  # of the published program: what one skeleton says at most, in nats
FEWEST = 2  # skeletons, of which one is left out


def bernoulli_kl(p: float, q: float) -> float:
    """KL(Ber(p) || Ber(q)) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)) in nats; infinite where q rules out what p allows.

    >>> round(bernoulli_kl(0.95, 1 / 9), 3), bernoulli_kl(0.5, 0.5), bernoulli_kl(0.5, 1.0)
    (1.895, 0.0, inf)
    """
    return float(rel_entr(p, q) + rel_entr(1.0 - p, 1.0 - q))


def bits_to_trust(error_rate: float, prior: float) -> float:
    """B2T in nats: what takes a prior up to 1 - error_rate.

    >>> round(bits_to_trust(0.05, 1 / 9), 3)
    1.895
    """
    return bernoulli_kl(1.0 - _share("error_rate", error_rate), _share("prior", prior))


def risk_of_hallucination(gain: float, prior: float) -> float:
    """RoH = 1 - sup {p >= prior: KL(Ber(p) || Ber(prior)) <= gain}, by bisection of 1 - p to its last digit; 1 - prior where nothing was gained.

    >>> risk_of_hallucination(0.0, 0.25), risk_of_hallucination(2.0, 0.5), round(risk_of_hallucination(0.5, 0.5), 3)
    (0.75, 0.0, 0.048)
    """
    prior = _share("prior", prior)
    low, high = 0.0, 1.0 - prior  # 1 - p: the divergence falls from low to high
    if bernoulli_kl(1.0, prior) <= gain:
        return 0.0
    while (middle := (low + high) / 2) not in (low, high):
        if float(rel_entr(1.0 - middle, prior) + rel_entr(middle, 1.0 - prior)) <= gain:
            high = middle
        else:
            low = middle
    return high


@dataclass(frozen=True)
class Information:
    """What one question's evidence tells, in nats.

    Args:
        gain: by the evidence; below 0 where the model would rather answer without it.
        needed: for the promised error rate (B2T).
        ratio: gain / needed (ISR).
        risk: the bound on the risk of hallucination (RoH).
        answer: whether there is enough.
        event: the decision whose chance is compared.
    """

    gain: float
    needed: float
    ratio: float
    risk: float
    answer: bool
    event: Literal["answer", "refuse"] = "answer"


@dataclass(frozen=True)
class Chances:
    """The chance that a model answers: with all evidence, and by each skeleton. Below 1 and above 0.

    >>> Chances.of_samples([True] * 7, [[False] * 7, [True] * 7])
    Chances(full=0.8888888888888888, skeletons=(0.1111111111111111, 0.8888888888888888))
    """

    full: float
    skeletons: tuple[float, ...]

    @classmethod
    def of_samples(cls, full: Sequence[bool], skeletons: Sequence[Sequence[bool]]) -> Chances:
        """(count + 1) / (samples + 2) of sampled decisions, True where the model would answer."""
        return cls(drawn_in(sum(full), len(full)), tuple(drawn_in(sum(one), len(one)) for one in skeletons))


def drawn_in(count: int, samples: int) -> float:
    """The share of a few samples as a chance that is neither 0 nor 1: the mean of the beta distribution that it leaves of a flat one."""
    return (count + 1) / (samples + 2)


def information(chances: Chances, *, error_rate: float = 0.05, margin: float = 0.0) -> Information:
    """What the evidence tells, so that no single skeleton, no constant and no mixture of events decides.

    gain = (sum_k u_k - max_k u_k) / (m - 1) with u_k = log P - log S_k; needed takes the least S_k, risk their mean.

    Args:
        chances: of answering.
        error_rate: that answers may have, h.
        margin: nats that the gain must be above what is needed.

    Raises:
        DataError: there are fewer than two skeletons.

    >>> one = Chances.of_samples([True] * 7, [[False] * 7] + [[True] * 7] * 5)
    >>> every = Chances.of_samples([True] * 7, [[False] * 7] * 6)
    >>> information(one).answer, information(every).answer
    (False, True)
    """
    if len(chances.skeletons) < FEWEST:
        raise DataError(f"Information is measured by {FEWEST} skeletons or more, as none of them may decide. Got {len(chances.skeletons)}.")
    told = [_log_ratio(chances.full, one) for one in chances.skeletons]
    most = max(told)
    rest = list(told)
    rest.remove(most)
    gain = math.fsum(rest) / len(rest)
    needed = bits_to_trust(error_rate, min(chances.skeletons))
    risk = risk_of_hallucination(gain, math.fsum(chances.skeletons) / len(chances.skeletons))
    return Information(gain, needed, _ratio(gain, needed), risk, gain >= needed + margin)


@dataclass(frozen=True)
class Signals:
    """What the published program reads of sampled decisions.

    Args:
        event: the decision of the first sample with all evidence.
        full: share of the samples that decide so.
        skeletons: the same of each skeleton.
        answers: share of each skeleton's samples that answer.
        floor: that the least of those is raised to.
    """

    event: Literal["answer", "refuse"]
    full: float
    skeletons: tuple[float, ...]
    answers: tuple[float, ...]
    floor: float

    @classmethod
    def of_samples(cls, full: Sequence[bool], skeletons: Sequence[Sequence[bool]]) -> Signals:
        """Of decisions in the order in which they were sampled, True where the model would answer."""
        first = full[0]
        shares = tuple(sum(one is first for one in each) / len(each) for each in skeletons)
        answers = tuple(sum(each) / len(each) for each in skeletons)
        return cls("answer" if first else "refuse", sum(one is first for one in full) / len(full), shares, answers, 1 / (len(full) + 2))


def published_information(
    signals: Signals, *, error_rate: float = 0.05, margin: float = 0.0, threshold: float = 1.0, clip: float = CLIP, one_sided: bool = True
) -> Information:
    """What the published program (hallbayes 0.1) makes of the same samples, number by number; to compare with, not to decide by.

    gain = mean_k min(max(log P - log S_k, 0), clip); needed takes max(min_k q_k, floor), risk mean_k q_k; answers where ratio >= threshold and gain >= needed + margin.

    Args:
        one_sided: a fall counts as 0; else it is cut at -clip.

    >>> of = [[False] * 7] + [[True] * 7] * 5
    >>> found = published_information(Signals.of_samples([True] * 7, of))
    >>> found.gain, round(found.needed, 3), found.answer
    (2.0, 1.895, True)
    """
    least = 0.0 if one_sided else -clip
    told = [min(max(_safe_log(signals.full) - _safe_log(one), least), clip) for one in signals.skeletons]
    gain = sum(told) / len(told)
    needed = _clamped_kl(1.0 - error_rate, max(min(signals.answers), signals.floor))
    ratio = _ratio(gain, needed)
    prior = sum(signals.answers) / len(signals.answers)
    risk = 1.0 - _clamped_most(prior, gain)
    return Information(gain, needed, ratio, risk, ratio >= threshold and gain >= needed + max(0.0, margin), signals.event)


def _safe_log(chance: float) -> float:
    return math.log(max(chance, EPS))


def _clamped(chance: float) -> float:
    return min(1.0 - EPS, max(EPS, chance))


def _clamped_kl(p: float, q: float) -> float:
    return bernoulli_kl(_clamped(p), _clamped(q))


def _clamped_most(prior: float, gain: float) -> float:
    """The largest p whose divergence from the prior is within the gain, as the published program bisects it: to 1e-12."""
    low, high = _clamped(prior), 1.0 - EPS
    if _clamped_kl(high, prior) <= gain:
        return high
    while high - low >= EPS and (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _clamped_kl(middle, prior) <= gain else (low, middle)
    return low


def _ratio(gain: float, needed: float) -> float:
    if needed > 0:
        return gain / needed
    return math.inf if gain > 0 else 1.0


def _log_ratio(full: float, weakened: float) -> float:
    """log(full / weakened); -inf where the full prompt never answers."""
    full, weakened = _share("full", full), _share("skeletons", weakened)
    if full == 0:
        return -math.inf
    return math.log(full) - math.log(weakened) if weakened > 0 else math.inf


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ParameterError(f"The {name!r} of a decision is a chance between 0 and 1. Got {value}.", parameter=name, value=value)
    return float(value)
