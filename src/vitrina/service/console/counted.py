"""Numbers of what was shown and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from msgspec import Struct

from vitrina.base.time import DAY, HOUR
from vitrina.service.console.window import Window
from vitrina.service.console.words import wilson

SEEN = ("impression", "view", "show", "shown")  # kinds of event that say that something was seen, and not that it was wanted
BINS = 72  # of a line over time, at most


class Share(Struct):
    """Of so many places that were shown, how many were clicked; `low` and `high` are the ends of an interval of 95%, in which people are what is independent."""

    of: str
    position: int | None
    shown: int
    clicked: int
    people: int
    share: float
    low: float
    high: float


def kinds(window: Window) -> list[tuple[str, int]]:
    """Kinds of event with their counts, the most frequent first."""
    return window.events["kind"].value_counts().sort(["count", "kind"], descending=[True, False]).rows()  # type: ignore[return-value]


def wanted_kind(window: Window) -> str | None:
    """The kind that answers a list: "click" where there is one, else the most frequent one that says more than that it was seen."""
    named = [kind for kind, _ in kinds(window)]
    return "click" if "click" in named else next((kind for kind in named if kind not in SEEN), None)


def answered(window: Window, kind: str | None) -> pl.DataFrame:
    """The places that were shown, each with `who` saw it and whether it was `clicked`: whether an event of that kind names the answer and the item."""
    of_kind = window.events.filter(
        (pl.col("kind") == (kind or "")) & pl.col("recommendation_id").is_not_null() & pl.col("item").is_not_null()
    )
    hits = of_kind.select("recommendation_id", "item").unique().with_columns(clicked=pl.lit(1))
    places = window.shown.with_columns(who=pl.coalesce("user", "session", "recommendation_id"))
    return places.join(hits, on=["recommendation_id", "item"], how="left", maintain_order="left").with_columns(
        pl.col("clicked").fill_null(0)
    )


def shares(places: pl.DataFrame, of: str, *, by_position: bool = False, most: int = 10) -> list[Share]:
    """How often places were clicked, per value of a column, and per position up to `most`.

    The people are what is independent: of a share r of n places the variance is sum over people of (clicks - r places)^2 / n^2, and the interval is Wilson's
    for as many independent places as have this variance.
    """
    keys = [of, "position"] if by_position else [of]
    counted = places.filter(pl.col("position") <= most) if by_position else places
    people = counted.group_by(*keys, "who").agg(n=pl.len(), hits=pl.col("clicked").sum())
    rows = []
    for key, part in people.group_by(*keys):
        n, hits = part["n"].to_numpy().astype(np.float64), part["hits"].to_numpy().astype(np.float64)
        low, high = interval(n, hits)
        share = float(hits.sum() / n.sum())
        rows.append(Share(str(key[0]), key[1] if by_position else None, int(n.sum()), int(hits.sum()), len(n), share, low, high))  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: (row.of, row.position or 0))


def interval(n: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """The ends of 95% for the share of hits, n and hits of each person.

    >>> import numpy as np
    >>> [round(end, 2) for end in interval(np.ones(100), np.repeat([1.0, 0.0], 50))]  # everybody once: Wilson's
    [0.4, 0.6]
    >>> [round(end, 2) for end in interval(np.full(10, 10.0), np.repeat([10.0, 0.0], 5))]  # ten people ten times each: that of ten
    [0.24, 0.76]
    """
    total = n.sum()
    share = hits.sum() / total
    variance = ((hits - share * n) ** 2).sum() / total**2
    effective = share * (1 - share) / variance if variance > 0 else len(n)
    effective = min(effective, total)
    return wilson(float(share * effective), float(effective))


class Reach(Struct):
    """What was shown of the catalogue: distinct items, how many places the most popular 1% and 10% of the items hold, and what they hold of the log."""

    items: int
    catalogue: int
    places: int
    of_top: list[tuple[float, float, float]]  # share of the catalogue, share of the places, share of the log's events


def reach(shown: Sequence[str], events: np.ndarray, ids: pl.Series, mask: np.ndarray) -> Reach:
    """Coverage and popularity of what was shown.

    Args:
        shown: ids, one per place.
        events: of each item in the log of the fit.
        ids: of the items, as text.
        mask: which of them can be recommended.
    """
    places = pl.Series("item", shown, dtype=pl.String).value_counts()
    count = pl.DataFrame({"item": ids}).join(places, on="item", how="left", maintain_order="left")["count"].fill_null(0).to_numpy()
    order = np.argsort(-events[mask], kind="stable")
    own, held = count[mask][order], events[mask][order]
    tops = []
    for top in (0.01, 0.1):
        first = max(round(top * len(order)), 1)
        tops.append((top, float(own[:first].sum() / max(own.sum(), 1)), float(held[:first].sum() / max(held.sum(), 1))))
    return Reach(int((own > 0).sum()), len(order), int(own.sum()), tops)


def over_time(times: pl.Series, since: int, until: int) -> tuple[int, list[tuple[int, int]]]:
    """The width of a bin in microseconds, and the start of each bin with how many moments are in it; empty ones are zeros."""
    width = next(w for w in (HOUR // 12, HOUR // 4, HOUR, 3 * HOUR, 6 * HOUR, DAY) if (until - since) / w <= BINS or w == DAY)
    first, last = since // width, until // width
    counts = (
        np.bincount((times.to_numpy() // width - first).clip(0, last - first), minlength=last - first + 1)
        if len(times)
        else np.zeros(last - first + 1)
    )
    return width, [(int((first + at) * width), int(count)) for at, count in enumerate(counts)]
