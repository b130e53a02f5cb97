"""The whole page: which sections it has, in which order."""

from __future__ import annotations

from collections.abc import Callable

from vitrina.pages.frame import framed
from vitrina.pages.policy.answer import answer, dateline
from vitrina.pages.policy.checks import checks
from vitrina.pages.policy.exploring import exploring
from vitrina.pages.policy.making import making, rules, tails
from vitrina.pages.policy.segments import segments
from vitrina.pages.policy.spend import spend
from vitrina.pages.policy.study import Study
from vitrina.pages.policy.values import claims, values
from vitrina.pages.policy.view import View
from vitrina.report.html import Html

SECTIONS: tuple[tuple[str, str, Callable[[View], Html | None]], ...] = (
    ("checks", "Can the log answer?", checks),
    ("values", "What each policy is worth", values),
    ("claims", "Claimed and proved", claims),
    ("spend", "Who comes first", spend),
    ("segments", "Who gets what", segments),
    ("rules", "The policy as rules", rules),
    ("tails", "A few large rewards", tails),
    ("exploring", "A random share", exploring),
    ("making", "How it was made", making),
)


def render(study: Study) -> str:
    """A study of policies as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    view = View(study)
    return framed(study.title, dateline(view), answer(view), [(key, title, make(view)) for key, title, make in SECTIONS])
