"""How much the cited passages tell of one claim, by the chance of YES to "does it follow?" with them and with them removed.

With the prior p0 (cited passages removed) and the posterior p1 (there), each known within bounds, and the target t, in nats:

    required = KL(Ber(t) || Ber(p0))       observed = KL(Ber(p1) || Ber(p0))
    gap = required - observed              gain = logit p1 - logit p0

A claim passes where p1 is at least t at its lower bound, p0 below t at its upper one, and the gain at least `least_gain` at its lower end. It is
the later form of the same authors' program ("Berry"), which `published_claim_information` repeats. In it a divergence has no sign, so that a claim which the passages
contradict has observed much and its gap says that the budget is met; the smallest observed is sought at the corners of the bounds only,
where two bounds that overlap allow none at all; and a lower bound of 0 is taken for 1e-12, so that the constant sets the largest required. In ours what is
observed is negative where p1 is below p0, its ends enclose all chances within the bounds, and what can't be bounded is infinite. The verdict
is the same rule in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple, Self

from scipy.special import betaincinv

from vitrina.answers.sufficiency.information import EPS, bernoulli_kl
from vitrina.base.errors import ParameterError

Label = Literal["YES", "NO", "UNSURE"]
Status = Literal[
    "passed",
    "not_entailed",
    "contradicted",
    "ambiguous_verifier",
    "prior_leak",
    "insufficient_evidence_gain",
    "missing_citations",
    "unknown_citations",
    "empty_context",
]
LABELS: tuple[Label, ...] = ("YES", "NO", "UNSURE")


class Bounds(NamedTuple):
    """The ends between which a number is known to lie."""

    low: float
    high: float

    @classmethod
    def of_count(cls, count: int, samples: int, confidence: float = 0.95) -> Bounds:
        """The interval of a chance by [Clopper and Pearson 1934](https://doi.org/10.1093/biomet/26.4.404).

        >>> [round(end, 3) for end in Bounds.of_count(7, 7)]
        [0.59, 1.0]
        """
        tail = (1 - confidence) / 2
        low = 0.0 if count == 0 else float(betaincinv(count, samples - count + 1, tail))
        high = 1.0 if count == samples else float(betaincinv(count + 1, samples - count, 1 - tail))
        return cls(low, high)


@dataclass(frozen=True)
class Heard:
    """What a verifier said of a claim: the chance of each label within bounds, and the label that it gave.

    Raises:
        ParameterError: bounds are not within 0 and 1, or in the wrong order.
    """

    bounds: Mapping[str, Bounds]
    said: str

    def __post_init__(self) -> None:
        for label, (low, high) in self.bounds.items():
            if not 0 <= low <= high <= 1:
                raise ParameterError(
                    f"The bounds of {label!r} must be chances, the lower one first. Got {low} and {high}.", parameter="bounds"
                )

    @classmethod
    def certain(cls, yes: float, no: float = 0.0) -> Self:
        """With known chances."""
        chances = {"YES": yes, "NO": no, "UNSURE": max(0.0, 1.0 - yes - no)}
        return cls({label: Bounds(chance, chance) for label, chance in chances.items()}, max(chances, key=lambda label: chances[label]))

    @property
    def yes(self) -> Bounds:
        """Of YES; anything between 0 and 1 where nothing is known."""
        return self.of("YES")

    def of(self, label: str) -> Bounds:
        """Of any label."""
        return self.bounds.get(label, Bounds(0.0, 1.0))


@dataclass(frozen=True)
class ClaimInformation:
    """What the cited passages tell of a claim, in nats.

    Args:
        prior: chance of YES without them, posterior: with them.
        gain: in log odds.
        status: "passed", or the first reason why not.
        reasons: all of them.
    """

    prior: Bounds
    posterior: Bounds
    required: Bounds
    observed: Bounds
    gap: Bounds
    gain: Bounds
    status: Status
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def surplus(self) -> float:
        """What was observed above what is required, at the bounds that the verdict reads: -inf where nothing was looked at, and never NaN."""
        if self.status in ("missing_citations", "unknown_citations", "empty_context"):
            return -math.inf
        return _signed_kl(self.posterior.low, self.prior.high) - self.required.low


def claim_information(prior: Heard, posterior: Heard, *, target: float = 0.95, least_gain: float = 0.0) -> ClaimInformation:
    """What passages tell of a claim, with signed divergences over all chances within the bounds.

    Args:
        prior: what was heard with the cited passages removed, posterior: with them.
        target: the chance of YES that is asked for.
        least_gain: in log odds.

    Raises:
        ParameterError: the target isn't between 0 and 1.

    >>> found = claim_information(Heard.certain(0.2), Heard.certain(0.99))
    >>> found.status, round(found.gain.low, 2), found.gap.high < 0
    ('passed', 5.98, True)
    """
    _check_target(target)
    p0, p1 = prior.yes, posterior.yes
    required = Bounds(_required(target, p0.high), _required(target, p0.low))
    observed = _observed(p0, p1)
    gap = Bounds(required.low - observed.high, required.high - observed.low)
    gain = Bounds(_difference(logit(p1.low), logit(p0.high)), _difference(logit(p1.high), logit(p0.low)))
    return ClaimInformation(p0, p1, required, observed, gap, gain, *_verdict(posterior, p0, gain.low, target, least_gain))


def published_claim_information(prior: Heard, posterior: Heard, *, target: float = 0.95, least_gain: float = 0.0) -> ClaimInformation:
    """What the published program makes of the same bounds, number by number; to compare with.

    >>> found = published_claim_information(Heard.certain(0.5), Heard.certain(0.001, no=0.99))
    >>> found.status, found.gap.high < 0
    ('contradicted', True)
    """
    _check_target(target)
    p0, p1 = prior.yes, posterior.yes
    required = Bounds(_clamped_kl(target, p0.high), _clamped_kl(target, p0.low))
    corners = [_clamped_kl(after, before) for after, before in product(p1, p0)]
    observed = Bounds(min(corners), max(corners))
    gap = Bounds(required.low - observed.high, required.high - observed.low)
    gain = Bounds(logit(_clamped(p1.low)) - logit(_clamped(p0.high)), logit(_clamped(p1.high)) - logit(_clamped(p0.low)))
    return ClaimInformation(p0, p1, required, observed, gap, gain, *_verdict(posterior, p0, gain.low, target, least_gain))


def logit(chance: float) -> float:
    """log(chance / (1 - chance)), infinite at its ends."""
    if chance in (0.0, 1.0):
        return math.inf if chance else -math.inf
    return math.log(chance) - math.log1p(-chance)


def unheard(status: Status) -> ClaimInformation:
    """Of a claim that no verifier was asked about: it can't pass."""
    anything, endless = Bounds(0.0, 1.0), Bounds(-math.inf, math.inf)
    return ClaimInformation(anything, anything, Bounds(0.0, math.inf), endless, endless, endless, status, (status,))


def _verdict(posterior: Heard, p0: Bounds, gain: float, target: float, least_gain: float) -> tuple[Status, tuple[str, ...]]:
    """The status, and all reasons against it."""
    against: dict[str, Status] = {}
    if posterior.yes.low < target:
        against["posterior_below_target"] = _not_supported(posterior, target)
    if p0.high >= target:
        against["prior_at_or_above_target"] = "prior_leak"
    if gain < least_gain:
        against["insufficient_log_odds_gain"] = "insufficient_evidence_gain"
    first: tuple[Status, ...] = (*against.values(), "passed")
    return first[0], tuple(against)


def _not_supported(posterior: Heard, target: float) -> Status:
    yes, no, unsure = (posterior.of(label) for label in LABELS)
    if posterior.said == "NO" or no.low > max(yes.high, unsure.high):
        return "contradicted"
    return "ambiguous_verifier" if yes.high >= target else "not_entailed"


def _required(target: float, prior: float) -> float:
    """What takes the prior up to the target; nothing where it is there."""
    return bernoulli_kl(target, prior) if prior < target else 0.0


def _signed_kl(after: float, before: float) -> float:
    return math.copysign(bernoulli_kl(after, before), after - before)


def _observed(p0: Bounds, p1: Bounds) -> Bounds:
    """The ends of the signed divergence: it grows with the posterior and falls with the prior."""
    return Bounds(_signed_kl(p1.low, p0.high), _signed_kl(p1.high, p0.low))


def _difference(after: float, before: float) -> float:
    """Of two log odds, either of which may be infinite; of two infinite ones of a sign nothing is known, and the difference is 0."""
    return 0.0 if after == before else after - before


def _clamped(chance: float) -> float:
    return min(1.0 - EPS, max(EPS, chance))


def _clamped_kl(p: float, q: float) -> float:
    return bernoulli_kl(_clamped(p), _clamped(q))


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        raise ParameterError(f"The 'target' of a claim is a chance between 0 and 1. Got {target}.", parameter="target", value=target)
