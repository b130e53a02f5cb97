"""Short titles of any number: pseudo-words whose frequency is Zipf, five to twelve per title, and queries of two to four words of a title."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.kit.zipf import zipf

WORDS = 200_000
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "er", "ol")]


def words(count: int = WORDS) -> list[str]:
    """Distinct, the frequent ones short."""
    base, made = len(SYLLABLES), []
    for number in range(base, base + count):
        syllables, left = [], number
        while left:
            left, digit = divmod(left, base)
            syllables.append(SYLLABLES[digit])
        made.append("".join(syllables))
    return made


def titles(count: int, seed: int = 0) -> pl.DataFrame:
    """`id` and `title`, and a `brand` of 200."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 13, count)
    drawn = np.searchsorted(zipf(WORDS, 1.0), rng.random(lengths.sum()))
    flat = pl.Series(words()).gather(drawn)
    rows = pl.DataFrame({"id": np.repeat(np.arange(count), lengths), "word": flat})
    joined = rows.group_by("id", maintain_order=True).agg(title=pl.col("word").str.join(" "))
    return joined.with_columns(brand=pl.Series(rng.integers(0, 200, count)).cast(pl.String))


def queries(table: pl.DataFrame, count: int, seed: int = 1) -> list[str]:
    """Two to four words of a title each."""
    rng = np.random.default_rng(seed)
    rows = table["title"].gather(rng.integers(0, len(table), count)).to_list()
    return [" ".join(rng.choice(row.split(), size=rng.integers(2, 5), replace=False)) for row in rows]
