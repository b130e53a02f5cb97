"""Promised rates of errors hold at their confidence over repeated draws, are refused where labels are too few, and are checked on others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vitrina.answers import ConformalRisk, ErrorRate
from vitrina.base.errors import DataError, ParameterError
from vitrina.types import Float64

Chance = Callable[[Float64], Float64]
GRID = np.linspace(0, 1, 20_001)


def flat(scores: Float64) -> Float64:
    """No threshold keeps 10%: whatever is promised is broken."""
    return np.full(len(scores), 0.1001)


def steps(scores: Float64) -> Float64:
    return np.where(scores > 0.4, 0.03, 0.5)


def bumps(scores: Float64) -> Float64:
    """The surest are not the best."""
    return np.where(scores > 0.85, 0.25, np.where(scores > 0.3, 0.02, 0.4))


def true_risk(chance: Chance, threshold: float) -> float:
    """Of scores that are uniform: the mean above the threshold."""
    return float(chance(GRID[threshold <= GRID]).mean())


def drawn(rng: np.random.Generator, chance: Chance, labels: int) -> tuple[Float64, Float64]:
    scores = rng.random(labels)
    return scores, (rng.random(labels) < chance(scores)).astype(float)


def repeated(kind: ErrorRate | ConformalRisk, chance: Chance, labels: int, draws: int) -> tuple[float, float, float]:
    """Shares of draws that promise, and whose promise is broken; and the wrong answers per question asked."""
    rng, made, broken, per_question = np.random.default_rng(labels), 0, 0, 0.0
    for _ in range(draws):
        promise = kind.choose(*drawn(rng, chance, labels))
        if promise.threshold is not None:
            made += 1
            risk = true_risk(chance, promise.threshold)
            broken += risk > kind.most
            per_question += risk * (1 - promise.threshold)
    return made / draws, broken / draws, per_question / draws


@pytest.mark.parametrize("chance", [flat, steps, bumps])
@pytest.mark.parametrize("starts", [1, 4])
def test_the_promise_holds_at_its_confidence(chance: Chance, starts: int) -> None:
    """10% wrong answers with 90% confidence: at most a tenth of all draws may break it, and three standard errors of 300 draws."""
    _, broken, _ = repeated(ErrorRate(most=0.1, confidence=0.9, starts=starts), chance, 200, 300)
    assert broken <= 0.1 + 3 * np.sqrt(0.09 / 300)


def test_one_threshold_by_its_own_bound_would_not_hold() -> None:
    """The correction does something: the largest of many thresholds whose bound passes breaks the promise far oftener than it says."""
    rng, broken = np.random.default_rng(1), 0
    kind = ErrorRate(most=0.1, confidence=0.9, starts=1)
    for _ in range(200):
        tried = kind.choose(*drawn(rng, flat, 200)).tried
        broken += bool((tried["upper"] <= 0.1).any())
    assert broken / 200 > 0.2


def test_it_promises_where_there_is_something_to_promise() -> None:
    made, _, _ = repeated(ErrorRate(most=0.1, confidence=0.9), steps, 400, 100)
    assert made > 0.9


def test_wilson_promises_more_than_it_holds() -> None:
    """52 answers without an error are enough for Wilson's bound of 5%, and a rate of 5% gives them in 7% of cases; the exact bound waits for 59."""
    wilson, exact = (ErrorRate(most=0.05, starts=1, steps=1, bound=bound) for bound in ("wilson", "exact"))
    assert (wilson.fewest, exact.fewest) == (52, 59)
    assert 0.95**wilson.fewest > 0.069
    assert 0.95**exact.fewest < 0.05
    scores = np.arange(52.0)
    assert wilson.choose(scores, np.zeros(52)).made
    assert not exact.choose(scores, np.zeros(52)).made


def test_conformal_risk_holds_on_average() -> None:
    for chance in (flat, steps, bumps):
        made, _, per_question = repeated(ConformalRisk(most=0.08), chance, 100, 300)
        assert made > 0.95
        assert per_question <= 0.08 + 3 * 0.03 / np.sqrt(300)
        assert per_question > 0.05  # and isn't far below


def test_conformal_risk_is_the_lowest_threshold_by_hand() -> None:
    rng = np.random.default_rng(3)
    scores, wrong = np.round(rng.random(60), 1), (rng.random(60) < 0.3).astype(float)
    low = min(t for t in set(scores.tolist()) if (wrong[scores >= t].sum() + 1) / 61 <= 0.2)
    assert ConformalRisk(most=0.2).choose(scores, wrong).threshold == low


def test_too_few_labels_are_refused_and_the_number_given_would_do() -> None:
    kind, rng = ErrorRate(most=0.1, confidence=0.9), np.random.default_rng(0)
    few = kind.choose(np.arange(20.0), np.zeros(20))
    assert not few.made
    assert (
        few.sentence
        == "No threshold can hold 10% wrong answers with 90% confidence by 20 labels: it takes at least 36 answered ones without an error."
    )
    assert kind.choose(np.arange(36.0), np.zeros(36)).made
    assert not kind.choose(np.arange(35.0), np.zeros(35)).made
    refused = next(p for p in (kind.choose(*drawn(rng, lambda s: np.full(len(s), 0.05), 60)) for _ in range(50)) if p.needed)
    assert f"about {refused.needed:,} labels would do" in refused.sentence
    rate = (refused.tried["errors"][-1] + 0.5) / (refused.tried["answered"][-1] + 1)
    made, _, _ = repeated(kind, lambda s: np.full(len(s), min(rate, 0.07)), refused.needed or 0, 60)
    assert made > 0.6
    assert ConformalRisk(most=0.1).choose(np.arange(8.0), np.zeros(8)).needed == 9
    assert ConformalRisk(most=0.1).choose(np.arange(9.0), np.zeros(9)).made


def test_a_monitor_that_can_not_do_it_is_told_so() -> None:
    hopeless = ErrorRate(most=0.05).choose(np.arange(500.0), np.arange(500) % 2)
    assert hopeless.needed is None
    assert "better monitor" in hopeless.sentence
    assert not hopeless.answers([1e9]).any()
    with pytest.raises(DataError, match="no promise to check"):
        hopeless.check([1.0], [0])


def test_the_promise_is_checked_on_others() -> None:
    rng = np.random.default_rng(7)
    promise = ErrorRate(most=0.1).choose(*drawn(rng, steps, 600))
    kept = promise.check(*drawn(rng, steps, 2000))
    assert kept.verdict == "kept"
    assert kept.coverage == pytest.approx(promise.coverage, abs=0.05)
    assert promise.check(*drawn(rng, lambda s: np.full(len(s), 0.3), 2000)).verdict == "broken"  # the world has changed
    assert promise.check(*drawn(rng, steps, 30)).verdict == "open"
    silent = promise.check(np.zeros(5), np.zeros(5))
    assert np.isnan(silent.rate)
    assert "nothing can be checked" in silent.sentence


def test_answers_of_one_question_are_one_trial() -> None:
    rng = np.random.default_rng(2)
    scores, wrong = drawn(rng, steps, 300)
    copies = [np.repeat(column, 5) for column in (scores, wrong, np.arange(300))]
    once, five = ErrorRate(most=0.1).choose(scores, wrong), ErrorRate(most=0.1).choose(*copies)
    assert (five.labels, five.left_out, five.threshold, five.upper) == (300, 1200, once.threshold, once.upper)


def test_thresholds_fixed_beforehand_are_taken() -> None:
    rng = np.random.default_rng(2)
    promise = ErrorRate(most=0.1, starts=1).choose(*drawn(rng, steps, 300), thresholds=[0.5, 0.6])
    assert promise.threshold == 0.5
    assert promise.tried["threshold"].to_list() == [0.6, 0.5]


def test_no_score_is_never_answered() -> None:
    promise = ErrorRate(most=0.1).choose(np.append(np.arange(100.0), [-np.inf] * 50), np.append(np.zeros(100), np.ones(50)))
    assert promise.answered == 100
    assert not promise.answers([-np.inf]).any()


def test_nonsense_is_refused() -> None:
    with pytest.raises(DataError, match="draw a line"):
        ErrorRate(most=0.1).choose([1.0], [0.5])
    with pytest.raises(ParameterError, match="most"):
        ErrorRate(most=0.0)
