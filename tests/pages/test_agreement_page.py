"""The page on a judge: what it says of judges whose worth is known; whole and escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from vitrina.judge import Calibration, Judgements, Scale, calibrate
from vitrina.pages.agreement import Study, render
from vitrina.pages.agreement.page import answer

SCALE = Scale(grades=("no <b>", "partly", "yes"))
HOSTILE = "<script>alert(1)</script>"


def calibrated(wrong: float, *, raters: int = 3, queries: int = 60, lengths: bool = False, seed: int = 0) -> Calibration:
    """Raters who err in a tenth of the labels and a judge that errs in a share, and for longer texts too, where it looks at lengths."""
    rng = np.random.default_rng(seed)
    query, rows = np.repeat(np.arange(queries), 6), 6 * queries
    truth, size = rng.integers(0, 3, rows), rng.integers(3, 300, rows)

    def noisy(share: float) -> Any:
        return np.where(rng.random(rows) < share, rng.integers(0, 3, rows), truth)

    base = {"query": [f"q{q}" for q in query], "item": [f"i{n}" for n in range(rows)]}
    people = pl.concat([pl.DataFrame(base | {"rater": f"r{r} {HOSTILE}", "label": noisy(0.1)}) for r in range(raters)])
    label = np.clip(noisy(wrong) + (lengths & (size > 150)), 0, 2)
    judge = pl.DataFrame(base | {"label": label, "text": ["x" * int(n) for n in size]})
    return calibrate(Judgements.of_labels(judge, SCALE, HOSTILE), people)


@dataclass
class Verdicts:
    """The tables of what is known of raters."""

    tables: dict[str, pl.DataFrame]


def verdicts() -> Verdicts:
    one = {
        "rater": f"r0 {HOSTILE}",
        "labels": 360,
        "agreement": 0.9,
        "low": 0.85,
        "high": 0.95,
        "known": float("nan"),
        "hurried": 0.01,
        "verdict": "fine",
        "why": "All well.",
    }
    two = one | {"rater": "slack", "agreement": 0.05, "low": -0.1, "high": 0.15, "verdict": "leave out", "why": "By chance."}
    pair = {
        "rater": "slack",
        "other": "r0",
        "items": 200,
        "same": 0.99,
        "expected": 0.6,
        "excess": 0.39,
        "low": 0.3,
        "high": 0.45,
        "verdict": "copied",
    }
    return Verdicts({"raters": pl.DataFrame([one, two]), "copying": pl.DataFrame([pair, pair | {"other": "r9", "verdict": "none seen"}])})


def test_the_page_is_whole_and_escaped() -> None:
    found = calibrated(0.2, lengths=True)
    page = render(Study(found, found.decide(at_least=0.6), verdicts(), settings={"Gold": HOSTILE}))
    assert HOSTILE not in page
    assert "no <b>" not in page
    assert page.replace("<wbr>", "").count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5
    assert "Leave out slack." in page
    assert "r9" not in page  # only pairs that copied
    assert page == render(Study(found, found.decide(at_least=0.6), verdicts(), settings={"Gold": HOSTILE}))


def test_a_good_judge_and_a_bad_one() -> None:
    good, bad = calibrated(0.1), calibrated(0.8)
    first, second, third = answer(Study(good, good.decide(at_least=0.6)))
    assert first.startswith("The judge may be used")
    assert "people among themselves" in second
    assert third == "No bias is seen by 1 check."
    assert answer(Study(bad, bad.decide(at_least=0.6)))[0].startswith("The judge is refused")
    assert "less than they do with one another" in render(Study(bad))
    assert "about as much as" in render(Study(calibrated(0.1, seed=1)))


def test_a_bias_is_in_the_answer() -> None:
    assert "It is biased: length" in answer(Study(calibrated(0.2, lengths=True)))[-1]


@pytest.mark.parametrize("queries", [8, 60])
def test_one_rater_and_few_queries(queries: int) -> None:
    page = render(Study(calibrated(0.2, raters=1, queries=queries)))
    assert "labelled by one person" in page
    assert ("too little was labelled" in page) is (queries == 8)
