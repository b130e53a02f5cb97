"""The designed set of quick models that `diagnose` fits: one thing changed at a time around plain co-occurrence.

Two stand elsewhere, around what is strongest where order counts: every near pair over weak powers, read by a history that fades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vitrina.board.baselines import recent_days
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.combine import Max
from vitrina.forms.decay import Exponential, Window
from vitrina.models.content import ContentSimilarity
from vitrina.models.content_vectors import DESCRIBING, Content
from vitrina.models.cooccurrence import Cooccurrence
from vitrina.models.personal import TopPersonal
from vitrina.models.popularity import Popularity
from vitrina.models.weighting import ConditionalProbability, Transitions

Question = Literal["popularity", "trends", "order", "gap", "length", "fading", "content", "repeats"]

PLAIN = "plain co-occurrence"
BY_POPULARITY = "popularity^{:g} divided out"
EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
LENGTHS = (1, 2, 5, 10, 20, 50)
HALF = "the later half of the log"
FADING = "old events fade"
NEAR = "near pairs alone, each counted"


@dataclass(frozen=True)
class Variant:
    """One quick model, the question it is there for, and the variant that it is held against."""

    name: str
    question: Question
    model: Any
    against: str = PLAIN
    recent_half: bool = False

    def train(self, data: Dataset) -> Dataset:
        """What it is fitted on."""
        if not self.recent_half or data.events.times is None:
            return data
        keep = data.events.times >= np.median(data.events.times)
        return replace(data.select(keep), name=f"{data.name}, {HALF}")


def design(split: Split) -> list[Variant]:
    """The variants that these data allow: nothing about time without time, about descriptions without an item table.

    >>> import vitrina as vt
    >>> [v.name for v in design(vt.testing.toy().split(vt.split.LeaveOneOut()))][:2]
    ['plain co-occurrence', 'popularity^0 divided out']
    """
    return list(_design(split))


def _design(split: Split) -> Iterator[Variant]:
    yield Variant(PLAIN, "popularity", Cooccurrence(), against="")
    for alpha in EXPONENTS:
        weighting = ConditionalProbability(alpha=alpha)
        yield Variant(BY_POPULARITY.format(alpha), "popularity", Cooccurrence(weighting=weighting), BY_POPULARITY.format(0.0))
    yield from _trends(split)
    near = Cooccurrence(weighting=Transitions(), gap=Window(events=3), decay=Exponential(events=3))
    yield Variant("near pairs alone, forwards", "order", near.model_copy(update={"one_way": True}), NEAR)
    yield Variant("only j after i", "order", Cooccurrence(one_way=True))
    yield Variant(NEAR, "gap", near, FADING)
    yield Variant("near pairs count more", "gap", Cooccurrence(gap=Exponential(events=3)))
    longest = int(split.queries.lengths.max(initial=0))
    for last in LENGTHS:
        if last < longest:
            yield Variant(f"last {last}" if last > 1 else "the last event only", "length", Cooccurrence(last=last))
    yield Variant(FADING, "fading", Cooccurrence(decay=Exponential(events=3)))
    yield Variant("the best match counts", "fading", Cooccurrence(decay=Exponential(events=3), combine=Max()), FADING)
    table = split.train.item_table
    if table is not None and any(table.columns(kind) for kind in DESCRIBING):
        yield Variant("with descriptions", "content", Cooccurrence(content=Content(weight=0.3)))
        yield Variant("descriptions alone", "content", ContentSimilarity())
    if split.eligible.repeat:
        yield Variant("the person's own favourites", "repeats", TopPersonal())


def _trends(split: Split) -> Iterator[Variant]:
    yield Variant("popularity, all time", "trends", Popularity())
    days = recent_days(split.train)
    if days is not None:
        yield Variant(f"popularity, last {days} days", "trends", Popularity(days=days), "popularity, all time")
        yield Variant(f"co-occurrence in {HALF}", "trends", Cooccurrence(), recent_half=True)
