"""Where a judge is unjust: to what is long, shown first, repeated, full of the query's words, or of its own hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import UnknownNameError
from vitrina.base.printing import short_interval
from vitrina.judge.clusters import Estimate, estimate, mean_of, sums_by
from vitrina.judge.comparisons import Comparisons
from vitrina.judge.judge import Judge
from vitrina.types import Float64

FEWEST = 20  # queries, below whom no bias is ruled out or in

CHANGES: Mapping[str, Callable[[str, str], str]] = {
    "repetition": lambda query, text: f"{text}\n{text}",
    "keywords": lambda query, text: f"{text}\n{query} {query} {query}",
}


@final
@dataclass(frozen=True)
class Bias:
    """One thing that a judge should not care for.

    Args:
        name: "length", "order", "own style", or of a probe.
        estimate: how far it moves the labels, in grades, or for order the share of first minus second; 0 for who doesn't care.
        what: what the number is.
    """

    name: str
    estimate: Estimate
    what: str

    @property
    def verdict(self) -> str:
        """ "biased" where the interval leaves 0 out, "none seen" where it holds it, "too few" below twenty queries."""
        e = self.estimate
        if e.clusters < FEWEST or np.isnan(e.low):
            return "too few"
        return "biased" if e.low > 0 or e.high < 0 else "none seen"

    @property
    def sentence(self) -> str:
        e = self.estimate
        number = short_interval(e.value, e.low, e.high)
        if self.verdict == "too few":
            return f"{self.name}: {e.clusters} queries are too few to tell; {FEWEST} or more are needed."
        end = "this is a bias" if self.verdict == "biased" else "no bias is seen, and none larger than the interval's ends is likely"
        return f"{self.name}: {self.what} is {number}; {end}."


def probe(
    judge: Judge, items: pl.DataFrame, change: str, *, folder: str | Path | None = None, workers: int = 1, confidence: float = 0.95
) -> Bias:
    """Judge items as they are and with something done to them that makes none better: by how many grades the labels rise.

    Args:
        judge: who is probed.
        items: as in `Judge.judge`.
        change: "repetition" says the whole text twice, "keywords" adds the words of the query three times.
        folder, workers: as in `Judge.judge`.
    Raises:
        UnknownNameError: there is no such change.
    Cost: two calls per item.
    """
    if change not in CHANGES:
        raise UnknownNameError.of("change", change, CHANGES)
    words = "query_text" if "query_text" in items.columns else "query"
    texts = [CHANGES[change](str(query), text) for query, text in items.select(words, "text").iter_rows()]
    plain = judge.judge(items, folder=folder, workers=workers)
    changed = judge.judge(items.with_columns(text=pl.Series(texts, dtype=pl.String)), folder=folder, workers=workers)
    moved = pl.DataFrame({"query": items["query"], "moved": changed.table["label"] - plain.table["label"]}).drop_nulls()
    return Bias(change, mean_of(moved["moved"], moved["query"], confidence), "the rise of the label")


def biases_of(rows: pl.DataFrame, model: str, comparisons: Comparisons | None, confidence: float) -> list[Bias]:
    """What labels beside people's, and comparisons, show by themselves.

    Args:
        rows: query, error (the judge's place on the scale minus the mean of people's) and, where they are there, text and writer.
        model: the judge's, whose own texts are those of this writer.
    """
    found = []
    if "text" in rows.columns:
        found.append(Bias("length", _slope(rows, confidence), "what the judge adds to people's label when a text is twice as long"))
    if "writer" in rows.columns and 0 < (own := (rows["writer"] == model).fill_null(False)).sum() < len(rows):
        what = "what the judge adds to people's label of its own texts, beyond those of others,"
        found.append(Bias("own style", _gap(rows, own.to_numpy(), confidence), what))
    if comparisons is not None:
        what = "the share of answers for what is shown first minus that for the second"
        found.append(Bias("order", comparisons.order_bias(confidence), what))
    return found


def _slope(rows: pl.DataFrame, confidence: float) -> Estimate:
    """Least squares of the error on the logarithm (base 2) of the letters, with a constant."""
    x = np.log2(np.maximum(rows["text"].str.len_chars().to_numpy().astype(np.float64), 1))
    x, y = x - x.mean(), rows["error"].to_numpy()
    sums = sums_by(np.stack([np.ones(len(x)), x, y, x * y, x * x], 1), rows["query"])

    def slope(s: Float64) -> Float64:
        n, sx, sy, sxy, sxx = s.T
        spread = sxx - sx * sx / np.maximum(n, 1)
        return np.divide(sxy - sx * sy / np.maximum(n, 1), spread, out=np.full(len(n), np.nan), where=spread > 1e-9)

    return estimate(sums, slope, len(x), confidence)


def _gap(rows: pl.DataFrame, mine: np.ndarray, confidence: float) -> Estimate:
    """The mean error of some rows minus that of the others."""
    y, own = rows["error"].to_numpy(), mine.astype(np.float64)
    sums = sums_by(np.stack([own, own * y, 1 - own, (1 - own) * y], 1), rows["query"])

    def gap(s: Float64) -> Float64:
        some = (s[:, 0] > 0) & (s[:, 2] > 0)
        return np.where(some, s[:, 1] / np.maximum(s[:, 0], 1) - s[:, 3] / np.maximum(s[:, 2], 1), np.nan)

    return estimate(sums, gap, len(y), confidence)
