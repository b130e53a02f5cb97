"""Areas under risk-coverage curves beside the definition, their intervals by simulation, and paired comparisons."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.special import betaincinv

import vitrina as vt
from vitrina.answers import compare_monitors, risk_coverage
from vitrina.answers.sufficiency import coverage
from vitrina.answers.sufficiency.labelled import Labelled
from vitrina.base.errors import DataError


def plain_area(wrong: list[float]) -> float:
    """The definition: the mean of the risks of the first 1, 2, ... answers."""
    return float(np.mean([sum(wrong[: k + 1]) / (k + 1) for k in range(len(wrong))]))


def test_the_area_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 17, 300):
        scores, wrong = rng.permutation(n), rng.random(n) < 0.3
        found = risk_coverage(scores, wrong)
        by_score = wrong[np.argsort(-scores)].astype(float).tolist()
        assert found.area == pytest.approx(plain_area(by_score), abs=1e-12)
        assert found.excess == pytest.approx(plain_area(by_score) - plain_area(sorted(by_score)), abs=1e-12)
        assert found.risk == pytest.approx(wrong.mean())


def test_ties_are_the_mean_over_all_their_orders() -> None:
    tied, wrong = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0], [0, 1, 0, 0.5, 1, 0]
    orders = [(0, *middle, *last) for middle in permutations((1, 2, 3)) for last in permutations((4, 5))]
    mean = np.mean([plain_area([wrong[at] for at in order]) for order in orders])
    assert risk_coverage(tied, wrong).area == pytest.approx(mean, abs=1e-12)
    assert risk_coverage([1.0] * 6, wrong).area == pytest.approx(np.mean(wrong), abs=1e-12)  # who knows nothing has the risk of all


def test_the_order_of_rows_and_growing_functions_of_scores_change_nothing() -> None:
    rng = np.random.default_rng(1)
    scores, wrong, questions = rng.integers(0, 9, 80), rng.random(80) < 0.4, rng.integers(0, 25, 80)
    found, order = risk_coverage(scores, wrong, questions), rng.permutation(80)
    moved = risk_coverage(np.exp(scores[order] / 3), wrong[order], questions[order])
    assert (moved.area, moved.low, moved.high) == pytest.approx((found.area, found.low, found.high), abs=1e-12)
    assert moved.curve["risk"].to_list() == pytest.approx(found.curve["risk"].to_list())


def test_the_jackknife_leaves_out_questions() -> None:
    """By hand: the area again without each question."""
    rng = np.random.default_rng(2)
    scores, wrong, questions = rng.random(40), (rng.random(40) < 0.4).astype(float), np.repeat(np.arange(10), 4)
    whole = risk_coverage(scores, wrong).area
    without = [risk_coverage(scores[questions != q], wrong[questions != q]).area - whole for q in range(10)]
    error = np.sqrt(0.9 * np.square(without).sum())
    found = risk_coverage(scores, wrong, questions)
    logit = [np.log(v / (1 - v)) for v in (found.low, found.area, found.high)]
    assert logit[1] - logit[0] == pytest.approx(logit[2] - logit[1], abs=1e-9)
    reach = (logit[2] - logit[1]) * whole * (1 - whole) / error
    assert 1.8 < reach < 3.5  # Student's t with between 2 and 9 degrees of freedom


def world(rng: np.random.Generator, questions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two answers per question that share how hard it is; a surer score is seldomer wrong."""
    hard = np.repeat(rng.normal(0, 1, questions), 2)
    scores = -hard + rng.normal(0, 1, 2 * questions)
    return scores, rng.random(2 * questions) < 1 / (1 + np.exp(1.2 - 1.5 * hard)), np.repeat(np.arange(questions), 2)


def test_the_interval_covers_the_area_of_a_long_run() -> None:
    rng = np.random.default_rng(3)
    many = Labelled.of(*world(rng, 60_000))
    truth = coverage._areas(many, np.ones((1, len(many)), np.int64))[0, 0]
    covered = 0
    for _ in range(400):  # without the curves, which take most of the time
        low, high = coverage._intervals(*coverage._areas_without(Labelled.of(*world(rng, 120))), 0.95)[0]
        covered += low <= truth <= high
    assert 0.925 <= covered / 400 <= 0.975  # two and a half standard errors around 95%


def test_nothing_wrong_is_no_proof() -> None:
    found = risk_coverage(np.arange(30), np.zeros(30))
    assert (found.area, found.low, found.excess) == (0, 0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert found.at(0.2)["high"] > found.at(1.0)["high"]  # fewer answers say less
    once = risk_coverage(np.arange(30), np.arange(30) == 3).curve  # an error among answers says less than none, and more than two
    assert once["high"].to_list()[-1] == pytest.approx(1 - betaincinv(29, 2, 0.025))


def test_what_has_no_score_is_never_answered() -> None:
    found = risk_coverage([2.0, 1.0, -np.inf, -np.inf], [0, 1, 1, 1])
    assert found.curve["coverage"].to_list() == [0.25, 0.5]
    with pytest.raises(DataError, match=r"At most 0\.500"):
        found.at(0.9)


def test_monitors_are_told_apart_when_they_differ_and_not_when_they_do_not() -> None:
    rng = np.random.default_rng(4)
    scores, wrong, questions = world(rng, 300)
    other = scores + rng.normal(0, 0.05, len(scores))
    board = compare_monitors({"good": scores, "near": other, "blind": rng.random(len(scores))}, wrong, questions, baseline="good")
    verdicts = dict(zip(board.table["monitor"], board.table["verdict"], strict=True))
    assert verdicts == {"good": "", "near": "no measurable difference", "blind": "worse"}
    against_nothing = compare_monitors({"good": scores, "blind": rng.random(len(scores))}, wrong, questions)
    assert against_nothing.table["verdict"].to_list() == ["better", "no measurable difference"]
    assert against_nothing.table["difference"][0] == pytest.approx(board.curves["good"].area - wrong.mean())


@pytest.mark.parametrize(
    ("scores", "wrong", "said"),
    [
        ([1.0], [0, 1], "one score, one label"),
        ([np.nan], [0], "NaN"),
        ([1.0], [2], "from 0"),
        ([], [], "no labelled"),
        ([1.0], [np.nan], "nobody judged"),
    ],
)
def test_bad_labels_are_refused_with_a_remedy(scores: list[float], wrong: list[float], said: str) -> None:
    with pytest.raises(DataError, match=said):
        risk_coverage(scores, wrong)
    with pytest.raises(DataError, match="to compare with"):
        compare_monitors({"a": [1.0]}, [0], baseline="b")


def test_many_questions_are_left_out_in_groups() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random(5000)
    wrong = rng.random(5000) < 0.4 * (1 - scores)
    few, many = risk_coverage(scores[:490], wrong[:490]), risk_coverage(scores, wrong)
    ratio = (few.high - few.low) / (many.high - many.low)
    assert ratio == pytest.approx(np.sqrt(5000 / 490), rel=0.2)


def test_it_stands_in_vt() -> None:
    assert str(vt.answers.risk_coverage([2.0, 1.0, 0.0], [0, 1, 1])).startswith("Area 0.389")
