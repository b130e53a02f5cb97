"""The page on when to answer: what it says in worlds whose truth is known; whole, escaped, and the same each time."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from vitrina.answers import ConformalRisk, ErrorRate
from vitrina.base.errors import DataError, UnknownNameError
from vitrina.pages.sufficiency import Study, render, study
from vitrina.pages.sufficiency.page import answer
from vitrina.report.html import VOID

HOSTILE = "<script>alert(1)</script> & \"quoted\" 'too'"


def labels(n: int = 800, seed: int = 0) -> tuple[dict[str, Any], Any]:
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1, n)
    return {"good <i>": -hard + rng.normal(0, 0.4, n), "blind": rng.random(n)}, rng.random(n) < 1 / (1 + np.exp(2.5 - 2.5 * hard))


def studied(n: int = 800, **more: Any) -> Study:
    scores, wrong = labels(n)
    return study(
        scores, wrong, promise=more.pop("promise", ErrorRate(most=0.15)), texts=[f"Question {i} {HOSTILE}" for i in range(n)], **more
    )


class Balanced(HTMLParser):
    """Elements that are open, to see that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escaped() -> None:
    page = render(studied(answers=[HOSTILE] * 800))
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert "<script>alert" not in page
    assert "good <i>" not in page
    assert page.replace("<wbr>", "").count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page == render(studied(answers=[HOSTILE] * 800))


def test_what_it_advises() -> None:
    found = studied(2400)
    first, second, third = answer(found)
    assert found.kept is not None
    assert found.kept.verdict == "kept"
    assert first.startswith("Answer where good <i> is ")
    assert "the promise is kept" in second
    assert "would still be wrong" in third
    verdicts = dict(zip(found.board.table["monitor"], found.board.table["verdict"], strict=True))
    assert verdicts == {"good <i>": "better", "blind": "no measurable difference"}


def test_too_few_labels_promise_nothing() -> None:
    found = studied(40, promise=ErrorRate(most=0.05))
    assert answer(found)[0] == "Nothing can be promised yet."
    assert "it takes at least 86" in render(found)


def test_a_promise_on_average_has_its_own_words() -> None:
    found = studied(promise=ConformalRisk(most=0.05))
    assert "at most 5% of the questions are wrong, on average" in answer(found)[0]
    assert render(found)


def test_a_question_is_in_one_part_with_all_its_answers() -> None:
    scores, wrong = labels(400)
    questions = np.repeat([f"q{i}" for i in range(100)], 4)
    found = study(scores, wrong, questions, promise=ErrorRate(most=0.3), test=0.25)
    assert (found.tested_on, found.chosen_on, found.promise.labels, found.promise.left_out) == (100, 300, 75, 225)


def test_monitors_that_score_nothing_still_make_a_page() -> None:
    found = study({"silent": np.full(50, -np.inf)}, np.arange(50) % 2, promise=ErrorRate(most=0.2))
    assert "No answer of the test part has a score" in render(found)


def test_mistakes_are_told() -> None:
    scores, wrong = labels(50)
    with pytest.raises(UnknownNameError, match="monitor"):
        study(scores, wrong, promise=ErrorRate(most=0.2), monitor="goood")
    with pytest.raises(DataError, match="two questions or more"):
        study({"a": [1.0]}, [0], promise=ErrorRate(most=0.2))
