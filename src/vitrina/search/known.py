"""The words that a shop knows: those of its items, and those that people searched for and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.search.analysis import TextAnalysis, words
from vitrina.types import Int64


@final
@dataclass(frozen=True, eq=False, repr=False)
class KnownWords:
    """Words with how many texts have each. A word is known where it is one of them, has the stem of one, or is a stop word: "кроссовкам" is, where "кроссовки" is.

    Args:
        words: each once, as `vitrina.search.analysis.words` cuts them.
        counts: (words,) texts that have the word.
        analysis: how words become stems.

    >>> known = KnownWords.of(["Красные кроссовки", "Кроссовки для бега"], analysis=TextAnalysis(languages=("russian",)))
    >>> known.knows("кроссовкам"), known.knows("для"), known.knows("кросовки"), known.count("кроссовки")
    (True, True, False, 2)
    """

    words: pl.Series
    counts: Int64
    analysis: TextAnalysis

    def __repr__(self) -> str:
        return f"KnownWords({len(self.words):,} words)"

    @classmethod
    def of(
        cls,
        texts: Sequence[str | None] | pl.Series,
        *,
        analysis: TextAnalysis,
        searched: Sequence[str | None] | pl.Series = (),
        fewest: int = 3,
    ) -> KnownWords:
        """Of the texts of items, and of past queries: only those that found something should be among them.

        Args:
            searched: what people typed, once for each time.
            fewest: a word that no item has is known where so many of the past queries have it; below, it may be a typing error.
        """
        own = _counted(_series(texts, "The 'texts' of known words"))
        asked = _counted(_series(searched, "The 'searched' of known words"))
        asked = asked.filter((pl.col("count") >= fewest) | pl.col("word").is_in(own["word"].implode()))
        whole = pl.concat([own, asked]).group_by("word").agg(pl.col("count").sum()).sort("word")
        return cls(whole["word"], whole["count"].to_numpy().astype(np.int64), analysis)

    @classmethod
    def of_index(cls, index: Any, *, searched: Sequence[str | None] | pl.Series = (), fewest: int = 3) -> KnownWords:
        """Of all columns that a `vt.search.ItemIndex` searches in."""
        columns = [index.item_table.frame[name].cast(pl.String) for name in index.fields.columns]
        return cls.of(
            pl.concat([column.alias("text") for column in columns]), analysis=index.fields.analysis, searched=searched, fewest=fewest
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words.to_list())}

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(self.analysis.stems(self.words.to_list()))

    def count(self, word: str) -> int:
        """How many texts have this very word."""
        place = self._place.get(word)
        return 0 if place is None else int(self.counts[place])

    def knows(self, word: str) -> bool:
        """Whether the word, in lower case, may stand as it is."""
        return word in self._place or word in self.analysis.left_out or self.analysis.stems([word])[0] in self._stems

    def state(self) -> State:
        table = pl.DataFrame({"word": self.words, "count": self.counts})
        return State({"analysis": self.analysis}, files={"words": table})

    @classmethod
    def of_state(cls, state: State) -> KnownWords:
        table = state.table("words")
        return cls(table["word"], table["count"].to_numpy(), state.config["analysis"])


def _series(texts: Any, what: str) -> pl.Series:
    if isinstance(texts, str):
        raise ParameterError(f"{what} are a list of texts. Got {texts!r}.")
    return texts.cast(pl.String) if isinstance(texts, pl.Series) else pl.Series(list(texts), dtype=pl.String)


def _counted(texts: pl.Series) -> pl.DataFrame:
    """Words and in how many of the texts they are."""
    lists = words(texts).drop_nulls().list.unique()
    flat = lists.explode(empty_as_null=False).drop_nulls().alias("word")
    return pl.DataFrame({"word": flat}).group_by("word").len("count").with_columns(pl.col("count").cast(pl.Int64))
