"""The page on prices: which should move and by how much money, profit by price, and how demand answers."""

from __future__ import annotations

from collections.abc import Callable

from vitrina.pages.frame import framed
from vitrina.pages.plan.elasticities import elasticities
from vitrina.pages.plan.making import making
from vitrina.pages.plan.prices import moves, profits
from vitrina.pages.plan.study import PriceStudy
from vitrina.plan.price.response import CHOSEN
from vitrina.report.html import Html
from vitrina.report.words import day, plural


def price_page(study: PriceStudy) -> str:
    """Prices as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: PriceStudy) -> list[str]:
    """Short facts below the title."""
    how = "prices that were chosen" if study.response.observed else "prices that were drawn"
    facts = [plural(len(study.response), "item"), how, f"{plural(study.days, 'day')} from {day(study.start)}", study.date]
    return [fact for fact in facts if fact]


def answer(study: PriceStudy) -> list[str]:
    """What the best prices bring, how sure that is, and whether the prices say it at all."""
    found = study.response if study.best is None else study.best
    told = [sentence for sentence in found.sentences if sentence != CHOSEN]
    warning = [CHOSEN] if study.response.observed else []
    return [*told[:1], *warning, *told[1:-1][:3]]


SECTIONS: tuple[tuple[str, str, Callable[[PriceStudy], Html | None]], ...] = (
    ("moves", "Prices that should move", moves),
    ("profits", "Profit by price", profits),
    ("elasticities", "How demand answers", lambda study: elasticities(study.response)),
    (
        "making",
        "How it was made",
        lambda study: making(study.settings, (*study.response.notes, *([] if study.best is None else study.best.sentences[-1:]))),
    ),
)
