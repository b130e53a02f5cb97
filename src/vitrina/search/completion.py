"""What somebody is about to type, from what others typed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.search.reading import plain, series_of
from vitrina.types import Float64

LONGEST = 200  # letters of a query that is kept


@final
@dataclass(frozen=True, eq=False, repr=False)
class Completion:
    """Past queries that begin with what is typed so far, those that count most first.

    A query counts sum over its times of 2^(-age / half_life); without times, how often it was typed. Capital letters, ё and е, and blanks make no difference, as in all of search.

    Args:
        texts: past queries, each once, sorted.
        weights: (queries,) how much each counts, at the moment `at`.
        at: the moment of the weights, in the unit of the times that made them.
        half_life: after which one time counts half, in the same unit; None never.

    Cost: a search in a sorted list and a look at what begins so: microseconds from the third letter on, some milliseconds for the first of a million queries.

    >>> completion = Completion.of(["кроссовки", "Кроссовки", "крем", "тушь"])
    >>> completion.complete("Кр")["text"].to_list()
    ['кроссовки', 'крем']
    """

    texts: pl.Series
    weights: Float64
    at: float = 0.0
    half_life: float | None = None

    def __repr__(self) -> str:
        return f"Completion({len(self.texts):,} queries)"

    @classmethod
    def of(
        cls,
        texts: Sequence[str | None] | pl.Series,
        *,
        times: Sequence[float] | None = None,
        half_life: float | None = None,
        at: float | None = None,
    ) -> Completion:
        """Of past queries, once for each time.

        Args:
            times: when each was typed, any unit.
            half_life: in the unit of the times.
            at: the moment from which ages count; None is the latest of the times.

        Raises:
            ParameterError: times and texts are not as many, `half_life` is not above 0 or has no times, or a time is after `at`.
        """
        return cls(pl.Series("text", [], pl.String), np.empty(0), 0.0 if at is None else float(at), _half_life(half_life, times)).after(
            texts, times=times, at=at
        )

    def after(
        self, texts: Sequence[str | None] | pl.Series, *, times: Sequence[float] | None = None, at: float | None = None
    ) -> Completion:
        """The same with later queries: what was there decays to the new moment."""
        if self.half_life is not None and times is None and len(texts):
            raise ParameterError("Queries that decay are added with their times: after(texts, times=...).", parameter="times")
        given = series_of(texts, "The 'texts' of a Completion")
        moments = np.zeros(len(given)) if times is None else np.asarray(times, np.float64)
        if len(moments) != len(given) or not np.isfinite(moments).all():
            raise ParameterError(
                f"The 'times' of a Completion are a finite number per text. Got {len(moments)} for {len(given)}.", parameter="times"
            )
        now = float(
            max(moments.max(initial=self.at if len(self.texts) else -np.inf), self.at)
            if at is None and times is not None
            else self.at
            if at is None
            else at
        )
        if (times is not None and (moments > now).any()) or (len(self.texts) and now < self.at):
            raise ParameterError(f"The moment 'at' of a Completion is not before any of its queries. Got {now}.", parameter="at")
        own = np.ones(len(given)) if self.half_life is None else 0.5 ** ((now - moments) / self.half_life)
        before = self.weights if self.half_life is None else self.weights * 0.5 ** ((now - self.at) / self.half_life)
        table = pl.DataFrame({
            "text": pl.concat([self.texts, pl.Series("text", [None if text is None else plain(text)[:LONGEST] for text in given], pl.String)]),
            "weight": np.concatenate([before, own]),
        })  # fmt: skip
        table = (
            table.filter(pl.col("text").is_not_null() & (pl.col("text") != "")).group_by("text").agg(pl.col("weight").sum()).sort("text")
        )
        return Completion(table["text"], table["weight"].to_numpy(), now, self.half_life)

    def without(self, texts: Sequence[str] | pl.Series) -> Completion:
        """The same without some queries, such as those that find nothing, or that nobody should be shown."""
        gone = {plain(text) for text in texts}
        kept = np.array([text not in gone for text in self.texts], bool)
        return Completion(self.texts.filter(pl.Series(kept)), self.weights[kept], self.at, self.half_life)

    def complete(self, prefix: str, k: int = 10) -> pl.DataFrame:
        """The k queries that begin with the prefix and count most: text, weight. Equal ones by the alphabet; nothing for an empty prefix."""
        start = plain(prefix, strip_end=False)
        if not start.strip() or k < 1:
            return pl.DataFrame({"text": [], "weight": []}, schema={"text": pl.String, "weight": pl.Float64})
        first, last = bisect_left(self._sorted, start), bisect_left(self._sorted, start + "\U0010ffff")
        weights = self.weights[first:last]
        some = np.argpartition(-weights, k - 1)[:k] if len(weights) > k else np.arange(len(weights))
        if len(weights) > k:  # all of the last place's equals, so that the alphabet decides
            some = np.flatnonzero(weights >= weights[some].min())
        order = first + some[np.lexsort((some, -weights[some]))][:k]
        return pl.DataFrame({"text": self.texts.gather(order), "weight": self.weights[order]})

    @cached_property
    def _sorted(self) -> list[str]:
        return self.texts.to_list()

    def state(self) -> State:
        return State(
            {"at": self.at, "half_life": self.half_life}, files={"queries": pl.DataFrame({"text": self.texts, "weight": self.weights})}
        )

    @classmethod
    def of_state(cls, state: State) -> Completion:
        table = state.table("queries")
        return cls(table["text"], table["weight"].to_numpy(), float(state.config["at"]), state.config["half_life"])


def _half_life(half_life: float | None, times: Sequence[float] | None) -> float | None:
    if half_life is not None and (not half_life > 0 or not np.isfinite(half_life)):
        raise ParameterError(
            f"The 'half_life' of a Completion must be above 0, or None for no decay. Got {half_life!r}.", parameter="half_life"
        )
    if half_life is not None and times is None:
        raise ParameterError("A 'half_life' of a Completion needs the 'times' of its queries.", parameter="times")
    return half_life
