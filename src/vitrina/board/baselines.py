"""The models that are on every board, so that nobody is impressed by a number that a counter reaches too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any

import vitrina
from vitrina.board.contenders import Contender
from vitrina.board.order import BOTH, COUNTS, order_baseline, reads_order
from vitrina.board.tune import Range, Search, tune
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.models.popularity import DAY, Popularity

MINUTES, TRIAL_MINUTES = 1.0, 0.25  # that EASE may take: a baseline should not be what everybody waits for
WORDS = "Words"
WINDOWS = (1, 2, 7, 14, 30, 90, 180, 365)  # days that people think in


def baselines(split: Split, given: Iterable[Any] = (), *, tuned: bool = False) -> list[Contender]:
    """Popularity of all time and of late, the person's own favourites where people repeat, co-occurrence, EASE, and counts of order.

    Where something was typed, words of the items (BM25 over all columns of text) come first, and of a training part without events they are alone.
    The last are `Transitions`, or `Transitions and content` where items are described, on each log whose events have an order.
    A baseline is left out where a given model is of its class (for Popularity: also of all time, or of a window; for co-occurrence and blends:
    also with transitions, or without). Where the given models are tuned, EASE, the window of the recent popularity and the transitions are
    tuned under the same budget.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut(repeat=False))
    >>> [c.name for c in baselines(split, [vt.EASE()])]
    ['Popularity, all time', 'Popularity, last day', 'Cooccurrence', 'Transitions and content']
    """
    kinds = {_kind(model) for model in given}
    usual = [*_words(split), *(_of_events(split, tuned=tuned) if split.train.catalogue.n_users else ())]
    return [contender for contender in usual if _kind(contender.model) not in kinds]


def _words(split: Split) -> Iterator[Contender]:
    """A search by words, where there are searches and texts to find."""
    table = split.train.item_table
    if split.queries.texts is None or table is None:
        return
    texts = [name for name, kind in table.kinds.items() if kind in ("text", "category") and name in table.frame.columns]
    if texts:
        stems = ("english",) if find_spec("Stemmer") else ()
        yield Contender(WORDS, vitrina.search.TextSearch(columns=dict.fromkeys(texts, 1.0), languages=stems), baseline=True)


def _of_events(split: Split, *, tuned: bool) -> list[Contender]:
    """Those that count events."""
    usual = [Contender("Popularity, all time", Popularity(), baseline=True)]
    days = recent_days(split.train)
    if days is not None and tuned:
        windows = [d for d in WINDOWS if d <= 4 * days]
        usual.append(Contender("Popularity, recent", tune(Popularity, days=windows), baseline=True))
    elif days is not None:
        usual.append(Contender(f"Popularity, last {_span(days)}", Popularity(days=days), baseline=True))
    if split.eligible.repeat:
        usual.append(Contender("TopPersonal", vitrina.TopPersonal(), baseline=True))
    usual.append(Contender("Cooccurrence", vitrina.Cooccurrence(), baseline=True))
    ease = tune(vitrina.EASE, l2=Range(low=1, high=5000, log=True), minutes=TRIAL_MINUTES) if tuned else vitrina.EASE(minutes=MINUTES)
    usual.append(Contender("EASE", ease, baseline=True))
    ordered = order_baseline(split, tuned=tuned)
    if ordered is not None:
        usual.append(Contender(*ordered, baseline=True))
    return usual


def possible_names() -> tuple[str, ...]:
    """What the baselines of a board may be called, before the log is known."""
    windows = [f"Popularity, last {_span(days)}" for days in WINDOWS]
    names = [WORDS, "Popularity, all time", "Popularity, recent", *windows, "TopPersonal", "Cooccurrence", "EASE", COUNTS, BOTH]
    return (*names, *(f"{name}, baseline" for name in names))


def recent_days(train: Dataset) -> int | None:
    """A window for recent popularity: the familiar number of days nearest to a tenth of the log's span; None without real time."""
    if train.time_unit != "us" or train.time_span is None:
        return None
    first, last = train.time_span
    return min(WINDOWS, key=lambda days: abs(days - (last - first) / DAY / 10))


def _span(days: int) -> str:
    return "day" if days == 1 else f"{days} days"


def _kind(model: Any) -> tuple[str, bool]:
    """The class; for Popularity also whether it looks at recent events, for others whether they count transitions."""
    cls, parameters = (model.model, model.space | model.fixed) if isinstance(model, Search) else (type(model), {})
    recent = issubclass(cls, Popularity) and bool(
        {"days", "half_life"} & set(parameters) or getattr(model, "days", None) or getattr(model, "half_life", None)
    )
    one = model.candidates(1)[0] if isinstance(model, Search) else model
    return f"{cls.__module__}.{cls.__qualname__}", recent or reads_order(one)
