"""Features of what was typed beside what items say of themselves, for the rankers of `vt.TwoStage`."""

from __future__ import annotations

from typing import Annotated, Any, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.errors import DataError
from vitrina.base.kernels import kernel
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.search.analysis import TextAnalysis
from vitrina.types import Float64, Int64
from vitrina.vocabulary import hashes

Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


@final
class TextOverlap(FeatureGroup):
    """How much of what was typed the texts of an item hold; missing where nothing was typed.

    For each column C: "C: share of the terms asked" that it holds, "C: the same by rarity", where a term that n of N items have weighs
    log(1 + (N - n + 0.5) / (n + 0.5)), "C: share of its terms that are asked", and "C: holds the phrase", 1 where the terms stand in it side by side in
    their order. And "terms asked"; "numbers asked that it has", the share of those with a digit (models, sizes) that any column holds, missing where none
    was asked; "brand is asked", the share of the terms of the item's brand that were typed.

    Args:
        columns: of the item table.
        brand: the column of brands; None where there is none.
        analysis: how texts become terms; that of the index.

    Raises:
        DataError: the log has no item table, or that has no such column.

    Cost: 12 bytes per term of a text; some 50 ns per pair, column and term asked.
    """

    columns: Names = ("title",)
    brand: str | None = None
    analysis: TextAnalysis = TextAnalysis()

    @property
    def read(self) -> tuple[str, ...]:
        """The columns, and that of brands."""
        return self.columns if self.brand is None else (*self.columns, self.brand)

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        learned: dict[str, Any] = {}
        known = []
        for number, column in enumerate(texts_of(data, self.read)):
            rows, terms = self.analysis.texts(column)
            numbers = hashes(terms)[rows.values]
            learned |= {f"{number}-rows": rows.indptr, f"{number}-terms": numbers}
            known.append((rows.row_of, numbers))
        rows, terms = (np.concatenate(part) for part in zip(*known, strict=True))
        pairs = np.unique(np.stack([terms, rows.astype(np.uint64)], axis=1), axis=0)
        names, counts = np.unique(pairs[:, 0], return_counts=True)
        return learned | {"names": names, "rarity": np.log1p((data.n_items - counts + 0.5) / (counts + 0.5)).astype(np.float32)}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        asked = self._asked(pairs.queries.texts, len(pairs.queries))
        terms, has_digit = asked
        rarity = _rarity(learned, terms.values)
        found: dict[str, Any] = {}
        any_of = np.zeros(len(pairs), np.float64)
        nothing = terms.lengths[pairs.rows] == 0
        for number, name in enumerate(self.read):
            out = np.zeros((len(pairs), 5))
            _overlap(
                pairs.rows,
                pairs.codes,
                terms.indptr,
                terms.values,
                rarity,
                has_digit,
                learned[f"{number}-rows"],
                learned[f"{number}-terms"],
                out,
            )
            out[nothing] = np.nan
            if number == len(self.columns):
                found["brand is asked"] = out[:, 2]
                continue
            named = ("share of the terms asked", "the same by rarity", "share of its terms that are asked", "holds the phrase")
            found |= {f"{name}: {what}": out[:, place] for place, what in enumerate(named)}
            any_of = np.fmax(any_of, out[:, 4])
        numbers = np.bincount(terms.row_of, has_digit, minlength=len(terms))[pairs.rows]
        found["terms asked"] = np.where(nothing, np.nan, terms.lengths[pairs.rows])
        found["numbers asked that it has"] = np.where(numbers > 0, any_of, np.nan)
        return found

    def _asked(self, texts: pl.Series | None, queries: int) -> tuple[_Terms, Float64]:
        """Terms of each query in their order, and which have a digit."""
        if texts is None:
            return _Terms(np.zeros(queries + 1, np.int64), np.empty(0, np.uint64)), np.empty(0)
        rows, terms = self.analysis.texts(texts)
        digits = terms.str.contains(r"\d").to_numpy().astype(np.float64) if len(terms) else np.empty(0)
        return _Terms(rows.indptr, hashes(terms)[rows.values]), digits[rows.values]


class _Terms:
    """Hashes of terms, a row per query; as a Ragged, whose values are codes."""

    def __init__(self, indptr: Int64, values: Any) -> None:
        self.indptr, self.values = indptr, values
        self.lengths = np.diff(indptr)
        self.row_of = np.repeat(np.arange(len(self.lengths)), self.lengths)

    def __len__(self) -> int:
        return len(self.lengths)


@final
class ItemNumbers(FeatureGroup):
    """Numbers of the item table, such as a price: "C", and "C: place among candidates", the share of the candidates that have less, equal ones by half.

    Args:
        columns: of the item table, of numbers.

    Raises:
        DataError: the log has no item table, or that has no such column of numbers.
    """

    columns: Names

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        frame = _frame(data, self.columns)
        wrong = next((name for name in self.columns if not frame[name].dtype.is_numeric()), None)
        if wrong is not None:
            raise DataError(
                f"ItemNumbers reads columns of numbers, and {wrong!r} of the item table holds {frame[wrong].dtype}. Leave it out."
            )
        return {str(number): frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for number, name in enumerate(self.columns)}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        found: dict[str, Any] = {}
        for number, name in enumerate(self.columns):
            own = _of_items(learned[str(number)], pairs)
            share = np.full(len(pairs), np.nan)
            _shares_below(pairs.items.indptr, own, share)
            found |= {name: own, f"{name}: place among candidates": share}
        return found


def texts_of(data: Dataset, columns: tuple[str, ...]) -> list[pl.Series]:
    """(items,) columns of the item table as text.

    Raises:
        DataError: there is no item table, or it has no such column.
    """
    frame = _frame(data, columns)
    return [frame[name].list.join(" ") if isinstance(frame[name].dtype, pl.List) else frame[name].cast(pl.String) for name in columns]


def _frame(data: Dataset, columns: tuple[str, ...]) -> pl.DataFrame:
    if data.item_table is None:
        raise DataError("Features of texts read the item table, and the log has none. Give it one: read_interactions(..., items=...).")
    missing = [name for name in columns if name not in data.item_table.frame.columns]
    if missing:
        raise DataError(f"The item table has no column {missing[0]!r}. It has {', '.join(data.item_table.frame.columns)}.")
    return data.item_table.frame


def _of_items(column: Float64, pairs: Pairs) -> Float64:
    """(pairs,) of the item of each pair; NaN of one that came later."""
    inside = pairs.codes < len(column)
    return np.where(inside, column[np.where(inside, pairs.codes, 0)] if len(column) else np.nan, np.nan)


def _rarity(learned: Arrays, terms: Any) -> Float64:
    """(terms,) how rare each is; what no item has is as rare as can be."""
    names, rarity = learned["names"], learned["rarity"]
    if not len(names):
        return np.ones(len(terms))
    at = np.minimum(np.searchsorted(names, terms), len(names) - 1)
    return np.where(names[at] == terms, rarity[at], rarity.max(initial=1)).astype(np.float64)


@kernel
def _overlap(
    rows: Any, codes: Any, indptr: Any, asked: Any, rarity: Any, digits: Any, starts: Any, terms: Any, out: Any
) -> None:  # pragma: no cover
    """(pairs, 5) share of the terms, the same by rarity, share of the text, phrase, share of the numbers."""
    for p in range(len(rows)):
        first, last = indptr[rows[p]], indptr[rows[p] + 1]
        if first == last or codes[p] + 1 >= len(starts):
            continue
        begin, end = starts[codes[p]], starts[codes[p] + 1]
        weight, held, weighed, numbers, numbered = 0.0, 0, 0.0, 0.0, 0.0
        for a in range(first, last):
            there = False
            for t in range(begin, end):
                if terms[t] == asked[a]:
                    there = True
                    break
            weight += rarity[a]
            numbers += digits[a]
            if there:
                held, weighed, numbered = held + 1, weighed + rarity[a], numbered + digits[a]
        own = 0
        for t in range(begin, end):
            for a in range(first, last):
                if terms[t] == asked[a]:
                    own += 1
                    break
        for t in range(begin, end - (last - first) + 1):
            same = True
            for a in range(last - first):
                if terms[t + a] != asked[first + a]:
                    same = False
                    break
            if same:
                out[p, 3] = 1.0
                break
        out[p, 0], out[p, 1] = held / (last - first), weighed / weight
        out[p, 2] = own / (end - begin) if end > begin else 0.0
        out[p, 4] = numbered / numbers if numbers > 0 else 0.0


@kernel
def _shares_below(indptr: Any, values: Any, out: Any) -> None:  # pragma: no cover
    """(pairs,) the share of the candidates of a query that have less, equal ones by half."""
    for q in range(len(indptr) - 1):
        for p in range(indptr[q], indptr[q + 1]):
            if np.isnan(values[p]):
                continue
            known, below = 0, 0.0
            for o in range(indptr[q], indptr[q + 1]):
                if o != p and not np.isnan(values[o]):
                    known += 1
                    below += 1.0 if values[o] < values[p] else 0.5 if values[o] == values[p] else 0.0
            out[p] = below / known if known else 0.5
