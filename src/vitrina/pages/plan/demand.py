"""The page on demand: who forecasts best, how sure the bands are, what came true and what is to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from vitrina.pages.frame import framed
from vitrina.pages.plan.ahead import ahead, fans, log
from vitrina.pages.plan.forecasters import best_of, coverage, forecasters, where
from vitrina.pages.plan.making import length, making
from vitrina.pages.plan.study import DemandStudy
from vitrina.plan.demand.demand import SOLD_OUT
from vitrina.report.html import Html
from vitrina.report.words import between, count, day, percent, plural


def demand_page(study: DemandStudy) -> str:
    """Demand and its forecasts as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: DemandStudy) -> list[str]:
    """Short facts below the title."""
    facts = [
        plural(len(study.demand), "series", "series"),
        length(study.demand.days, study.demand.step),
        f"to {day(study.demand.end - timedelta(days=1))}",
        study.date,
    ]
    return [fact for fact in facts if fact]


def answer(study: DemandStudy) -> list[str]:
    """Who forecasts best, what is to come, and what must be known of the log."""
    return [*_best(study), *_coming(study), *_known(study)] or ["Nothing was forecast: the log is all there is to see."]


def _best(study: DemandStudy) -> list[str]:
    return [] if study.board is None else [best_of(study.board)]


def _coming(study: DemandStudy) -> list[str]:
    if study.ahead is None:
        return []
    total = study.ahead.total()
    biggest = int(total.mean(axis=1).argmax())
    low, high = np.quantile(total[biggest], [0.05, 0.95])
    mean = total.mean(axis=1)
    said = (
        f"{length(study.ahead.days, study.ahead.step)} from {day(study.ahead.start)} are expected to take {count(float(mean.sum()))} units"
    )
    if len(mean) == 1:
        return [f"{said} {between(low, high, 0)}."]
    return [f"{said}; most of {study.demand.names()[biggest]}: {count(float(mean[biggest]))} {between(low, high, 0)}."]


def _known(study: DemandStudy) -> list[str]:
    states = study.demand.state
    out, known = int((states == SOLD_OUT).sum()), int((states > 0).sum())
    if out:
        return [
            f"On {percent(out / known)} of the days of an item it was sold out: what was sold then is the least of what was wanted, and no forecast learnt it as the demand."
        ]
    if not study.demand.stocked:
        return [
            "Nobody told when items were sold out: a day without a sale may be a day without stock, and forecasts are too low where it was."
        ]
    return []


SECTIONS: tuple[tuple[str, str, Callable[[DemandStudy], Html | None]], ...] = (
    ("forecasters", "Who forecasts best", forecasters),
    ("ahead", "The days to come", ahead),
    ("fans", "Forecast and truth", fans),
    ("coverage", "How sure the bands are", coverage),
    ("where", "Where each is good", where),
    ("log", "What it was learnt from", log),
    ("making", "How it was made", lambda study: making(study.settings, [] if study.board is None else study.board.sentences)),
)
