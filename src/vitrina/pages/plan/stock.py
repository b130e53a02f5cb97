"""The page on stock: what is earned and where the rest goes, what loses money, what smaller packs would bring, and what to order today."""

from __future__ import annotations

from collections.abc import Callable

from vitrina.base.printing import short_interval
from vitrina.pages.frame import framed
from vitrina.pages.plan.losing import losing, orders, packs
from vitrina.pages.plan.making import making
from vitrina.pages.plan.money import money, shelves
from vitrina.pages.plan.study import StockStudy
from vitrina.report.html import Html
from vitrina.report.words import day, plural


def stock_page(study: StockStudy) -> str:
    """Stock as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: StockStudy) -> list[str]:
    """Short facts below the title."""
    found = study.simulated
    facts = [
        plural(len(found), "series", "series"),
        f"{plural(found.days, 'day')} from {day(study.start)}",
        plural(found.paths, "path"),
        study.date,
    ]
    return [fact for fact in facts if fact]


def answer(study: StockStudy) -> list[str]:
    """What is earned, and how that compares with today."""
    if not study.simulated.ideal.any():
        return [
            f"Nothing is wanted in these {plural(study.simulated.days, 'day')}, so that nothing can be earned. Look at the forecast before the stock."
        ]
    first, *rest = study.simulated.sentences
    asked = [] if study.diagnosis is None else study.diagnosis.sentences[:1]
    ordered = [] if study.orders is None else study.orders.sentences[:1]
    return [first, *_against(study), *asked, *ordered, *(told for told in rest[:-1] if not (asked and "lose money" in told))]


def _against(study: StockStudy) -> list[str]:
    """The difference to the rule of today, path by path."""
    if study.today is None:
        return []
    gain = study.simulated.profit.sum(axis=0) - study.today.profit.sum(axis=0)
    mean, low, high = (float(v) for v in study.simulated.interval(gain))
    told = "more than" if low > 0 else "less than" if high < 0 else "no measurable difference to"
    if told.startswith("no"):
        return [f"There is {told} the rule of today: {short_interval(mean, low, high)} on the same paths."]
    ends = (mean, low, high) if mean > 0 else (-mean, -high, -low)
    return [f"That is {short_interval(*ends)} {told} the rule of today earns on the same paths."]


SECTIONS: tuple[tuple[str, str, Callable[[StockStudy], Html | None]], ...] = (
    ("money", "Where the money goes", money),
    ("orders", "To order today", orders),
    ("losing", "What loses money", losing),
    ("packs", "Packs and deliveries", packs),
    ("shelves", "Stock over time", shelves),
    ("making", "How it was made", lambda study: making(study.settings, study.simulated.sentences[-1:])),
)
