"""The baseline of order and content: what comes soon after what, beside what is described alike, fitted in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from vitrina.board.result import Entry
from vitrina.board.tune import Search, tune
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.evaluate.significance import compare_paired
from vitrina.forms.decay import Exponential
from vitrina.forms.scale import AsIs
from vitrina.models.blend import Blend
from vitrina.models.content import ContentSimilarity
from vitrina.models.content_vectors import is_described
from vitrina.models.cooccurrence import Cooccurrence
from vitrina.models.order import LAST, near, transitions, with_content
from vitrina.models.weighting import Transitions
from vitrina.types import Float64, Int32

COUNTS, BOTH = "Transitions", "Transitions and content"
SCORES = 7e8  # queries x items that a blend, which scores every item, is asked for on a board: about a minute


def transitions_search() -> Search:
    """Where the best counts of order lie: a gap that fades fast, weak powers of the sums, a short memory; 324 configurations.

    >>> transitions_search().candidates(1)[0].last
    20
    """
    return tune(
        Cooccurrence,
        weighting=tune(Transitions, leaving=[0.3, 0.5, 0.7], arriving=[0.0, 0.1, 0.3]),
        gap=[near(half) for half in (1, 2, 4)],
        one_way=[0.5, 0.75, 1.0],
        decay=[Exponential(events=events) for events in (1, 2, 3, 5)],
        last=LAST,
    )


def content_search() -> Search:
    """The same beside a profile of descriptions that fades on its own: score = counts + weight * cosine.

    >>> len(content_search().candidates(30))
    30
    """
    profile = tune(ContentSimilarity, decay=[Exponential(events=events) for events in (1, 2, 5)])
    return tune(Blend, models=(transitions_search(), profile), weights=[(1.0, c) for c in (0.25, 0.5, 1.0, 2.0)], scale=AsIs())


def order_baseline(split: Split, *, tuned: bool) -> tuple[str, Any] | None:
    """The name and the model, or the search; None where nobody's events have an order.

    With content where the items are described and the board doesn't ask for more scores than `SCORES`.
    """
    if not has_order(split.train):
        return None
    both = is_described(split.train) and len(split.queries) * len(split.train.catalogue.items) <= SCORES
    if tuned:
        return (BOTH, content_search()) if both else (COUNTS, transitions_search())
    return (BOTH, with_content()) if both else (COUNTS, transitions())


def has_order(data: Dataset) -> bool:
    """Whether some person's events come one after the other: at different times, or without times as rows."""
    return any(data.map_shards(_has_order))


def _has_order(data: Dataset) -> bool:
    if data.n_events < 2:
        return False
    times, users = data.events.times, data.user_of
    same = users[1:] == users[:-1]
    return bool(same.any() if times is None else (same & (times[1:] != times[:-1])).any())


def reads_order(model: Any) -> bool:
    """Whether a model is of this kind: co-occurrence of every pair, or a blend that has it and no network beside it."""
    if isinstance(model, Blend):
        return "torch" not in model.needs and any(reads_order(part) for part in model.models)
    return isinstance(model, Cooccurrence) and model.weighting.every_pair


def against_order(entries: Sequence[Entry], columns: Mapping[str, Float64], users: Int32, **how: Any) -> tuple[str, pl.DataFrame | None]:
    """The name of this baseline, and the transformers of the board compared with it; "" and None where one of the two isn't there.

    Args:
        entries: of all that took part.
        columns: for each model with lists (queries,) values of the metric.
        users: (queries,) codes.
        how: as `compare_paired` takes it.
    """
    mine = next((e.name for e in entries if e.baseline and e.name.removesuffix(", baseline") in (COUNTS, BOTH) and e.name in columns), "")
    transformers = [e.name for e in entries if e.config.get("name") == "SequenceModel" and e.name in columns]
    if not (mine and transformers):
        return "", None
    return mine, compare_paired({name: columns[name] for name in (mine, *transformers)}, mine, users, **how)
