"""The page on ways to search: what it says of systems whose worth is known; whole and escaped."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vitrina.evaluate import compare_pairs
from vitrina.pages.search import Study, render
from vitrina.pages.search.page import answer

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def study() -> Study:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.8, 60)
    values = {"words": base, HOSTILE: base + 0.1 + rng.normal(0, 0.02, 60), "twin": base}
    base[7] = values[HOSTILE][7] = values["twin"][7] = 0.0
    rows = [{"system": name, "value": v.mean(), "low": v.mean() - 0.05, "high": v.mean() + 0.05, "MRR@10": 0.5, "empty": 2, "ms": None} for name, v in values.items()]  # fmt: skip
    pairs = compare_pairs(values, [(HOSTILE, "words"), ("twin", "words")], np.arange(60))
    queries = pl.DataFrame({"query": [f"q{n} {HOSTILE}" for n in range(60)], **values})
    return Study("linear nDCG@10", pl.DataFrame(rows, schema_overrides={"ms": pl.Float64}), pairs, queries, (HOSTILE,), 60, 500, 1000)


def test_the_best_comes_first_and_differences_are_called(study: Study) -> None:
    said = answer(study)
    assert said[0].startswith(f"The highest linear nDCG@10 is that of {HOSTILE}: 0.")
    assert said[1].startswith(f"{HOSTILE} against words: better by 0.")
    assert said[2] == "twin against words: the same on every query."
    assert study.worst["query"][0] == f"q7 {HOSTILE}"
    assert study.more == ["MRR@10"]


def test_the_page_is_whole_escaped_and_the_same_each_time(study: Study) -> None:
    page = render(study)
    assert page == render(study)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert all(f'id="{key}"' in page for key in ("systems", "differences", "worst", "making"))
    assert "http://" not in page.replace("http://www.w3.org", "")
