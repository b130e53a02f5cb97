"""How good codes are: whether they tell items apart, use what they have, and put like items together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl
from scipy import sparse, stats

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.printing import short, short_interval
from vitrina.base.showing import titled
from vitrina.data.features import FeatureTable
from vitrina.types import Float64, Int64

if TYPE_CHECKING:
    from vitrina.sequence.semantic.codes import SemanticCodes

PAIRS = 50_000  # that are drawn, of random items; and of the items of one group where there are more
MOST = 300  # items of a group whose pairs are all looked at


@final
@dataclass(frozen=True, eq=False, repr=False)
class CodeQuality:
    """What `SemanticCodes.quality` found. `sentences` say it, `table` has a row for each number of digits:

    - `digits`; `groups` of items that share so many first digits; `largest` of them; `shared`, the share of items that are not alone in theirs;
    - `used`, the share of the values of this digit that an item has; `perplexity`, how many equally frequent values would be as uneven (exp of the entropy);
    - `likeness`, the mean over items of the Jaccard index of their attributes and those of another item of their group, with its interval `low` to `high`;
      `random`, that of any two items. Null where nothing says what items are, or nobody shares a group.
    """

    table: pl.DataFrame
    items: int
    without: int  # items without a code
    confidence: float

    @property
    def sentences(self) -> tuple[str, ...]:
        first, last = self.table.row(0, named=True), self.table.row(-1, named=True)
        said = [
            f"{last['groups']:,} codes tell {self.items:,} items apart: {last['shared']:.1%} of the items share theirs, at most {last['largest']:,} one.",
            "The digits use " + ", ".join(f"{used:.0%}" for used in self.table["used"]) + " of their values, as evenly as "
            + ", ".join(f"{value:.0f}" for value in self.table["perplexity"]) + " equally frequent ones.",
        ]  # fmt: skip
        if first["likeness"] is not None:
            within = short_interval(first["likeness"], first["low"], first["high"])
            said.append(
                f"Two items with the same first digit share {within} of their attributes (Jaccard), any two {short(first['random'])}."
            )
        if self.without:
            said.append(f"{self.without:,} items have no code.")
        return tuple(said)

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)


def quality_of(
    codes: SemanticCodes, item_table: FeatureTable | None, columns: Sequence[str] | None, confidence: float, seed: int
) -> CodeQuality:
    """See `SemanticCodes.quality`."""
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    if not codes.known.any():
        raise DataError(f"Nothing can be said of {codes!r}: no item has a code.")
    attributes = None if item_table is None else _attributes(codes, item_table, columns)
    rng = np.random.default_rng(seed)
    random = None if attributes is None else _random(attributes, rng)
    rows = [
        _digit(codes, at) | _likeness(codes.prefixes(at), attributes, confidence, rng) | {"random": random}
        for at in range(1, len(codes.sizes) + 1)
    ]
    return CodeQuality(pl.DataFrame(rows, schema_overrides=dict.fromkeys(("likeness", "low", "high", "random"), pl.Float64)),
                       int(codes.known.sum()), int((~codes.known).sum()), confidence)  # fmt: skip


def _digit(codes: SemanticCodes, digits: int) -> dict[str, Any]:
    """Groups by the first digits, and the use of the last of them."""
    sizes = np.bincount(codes.prefixes(digits)[codes.known])
    counts = np.bincount(codes.codes[codes.known, digits - 1], minlength=codes.sizes[digits - 1])
    shares = counts[counts > 0] / counts.sum()
    return {
        "digits": digits, "groups": len(sizes), "largest": int(sizes.max()), "shared": float(sizes[sizes > 1].sum() / sizes.sum()),
        "used": float((counts > 0).mean()), "perplexity": float(np.exp(-(shares * np.log(shares)).sum())),
    }  # fmt: skip


def _attributes(codes: SemanticCodes, table: FeatureTable, columns: Sequence[str] | None) -> sparse.csr_matrix:
    """(items, values) 0/1: what the categories of each item are."""
    usable = [name for name in table.frame.columns if table.kinds.get(name) in ("category", "categories")]
    chosen = usable if columns is None else list(columns)
    wrong = [name for name in chosen if name not in usable]
    if wrong or not chosen:
        got = f"Got {', '.join(wrong)}." if wrong else "There is none."
        raise DataError(f"The attributes of items are columns of categories of the item table ({', '.join(usable) or 'none'}). {got}")
    if len(table.frame) != len(codes):
        raise DataError(
            f"The item table must have a row per item of the codes, {len(codes):,}. It has {len(table.frame):,}: ask codes.of(data.items), with the table of "
            "the same data."
        )
    values = [
        entries for name in chosen if not (entries := _entries(table.frame[name], name))["value"].is_unique().all() or columns is not None
    ]
    if not values:
        raise DataError(f"No two items share a value of {', '.join(chosen)}: name other 'columns', or leave the item table out.")
    entries = pl.concat(values).unique().with_columns(value=pl.col("value").rank("dense") - 1)
    rows, places = entries["item"].to_numpy().astype(np.int64), entries["value"].to_numpy().astype(np.int64)
    return sparse.csr_matrix((np.ones(len(rows), np.float64), (rows, places)), shape=(len(codes), int(places.max(initial=-1)) + 1))


def _entries(column: pl.Series, name: str) -> pl.DataFrame:
    frame = pl.DataFrame({"item": np.arange(len(column)), "value": column})
    frame = frame.explode("value") if isinstance(column.dtype, pl.List) else frame
    return frame.drop_nulls().with_columns(value=pl.lit(f"{name}=") + pl.col("value").cast(pl.String))


def _random(attributes: sparse.csr_matrix, rng: np.random.Generator) -> float | None:
    """The mean over pairs of different items that have attributes."""
    known = np.flatnonzero(np.diff(attributes.indptr))
    if len(known) < 2:
        return None
    return float(_of_pairs(attributes, *_drawn(known, PAIRS, rng)).mean())


def _drawn(items: Int64, pairs: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """So many pairs of different items."""
    first = rng.integers(len(items), size=pairs)
    second = (first + rng.integers(1, len(items), size=pairs)) % len(items)
    return items[first], items[second]


def _likeness(group: Int64, attributes: sparse.csr_matrix | None, confidence: float, rng: np.random.Generator) -> dict[str, Any]:
    """The mean over items of how like the others of their group are, those that are alone left out; the interval is over groups."""
    nothing = {"likeness": None, "low": None, "high": None}
    if attributes is None:
        return nothing
    known = np.flatnonzero((group >= 0) & (np.diff(attributes.indptr) > 0))
    order = known[np.argsort(group[known], kind="stable")]
    groups = [items for items in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(items) > 1]
    if not groups:
        return nothing
    sizes = np.array([len(items) for items in groups])
    means = np.array([_within(attributes, items, rng) for items in groups])
    mean = float(sizes @ means / sizes.sum())
    if len(groups) == 1:
        return nothing | {"likeness": mean}
    spread = float(np.sqrt(((sizes * (means - mean)) ** 2).sum() * len(groups) / (len(groups) - 1)) / sizes.sum())
    half = spread * float(stats.t.ppf((1 + confidence) / 2, len(groups) - 1))
    return {"likeness": mean, "low": max(mean - half, 0.0), "high": min(mean + half, 1.0)}


def _within(attributes: sparse.csr_matrix, items: Int64, rng: np.random.Generator) -> float:
    if len(items) > MOST:
        return float(_of_pairs(attributes, *_drawn(items, PAIRS, rng)).mean())
    first, second = np.triu_indices(len(items), 1)
    return float(_of_pairs(attributes, items[first], items[second]).mean())


def _of_pairs(attributes: sparse.csr_matrix, first: Int64, second: Int64) -> Float64:
    """(pairs,) shared attributes over those that one of the two has."""
    sizes = np.diff(attributes.indptr)
    shared = np.asarray(attributes[first].multiply(attributes[second]).sum(axis=1)).ravel()
    return shared / (sizes[first] + sizes[second] - shared)
