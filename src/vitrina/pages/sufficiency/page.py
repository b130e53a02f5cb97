"""The whole page: which sections it has, in which order, and the answer in three sentences."""

from __future__ import annotations

from collections.abc import Callable

import vitrina
from vitrina.pages.frame import framed
from vitrina.pages.sufficiency.curves import monitors, promised, risk
from vitrina.pages.sufficiency.study import Study
from vitrina.report.html import Column, Html, el, name, section, table
from vitrina.report.words import between, count, fixed, percent, plural

SAID = (
    "A score orders questions; what it is worth is only what labelled answers say. The threshold, the promise and the curves hold for questions like the labelled ones, for this monitor, this model and "
    "this catalogue: when one of them changes, label again.",
    "The monitors that ask a model (evidence gain, self-consistency) measure how willing it is to answer and how much the passages move it. A model that is wrong with confidence passes "
    "them all. Whether an answer is right is known from labels alone.",
    "“Wrong” is what the labels call wrong. Two people who would label differently bound what any threshold can promise.",
)


def render(study: Study) -> str:
    """A study of monitors as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All texts of questions and answers are escaped.
    """
    parts = [(key, title, make(study)) for key, title, make in SECTIONS]
    return framed(study.title, dateline(study), answer(study), parts)


def dateline(study: Study) -> list[str]:
    """Short facts below the title."""
    parts = [
        f"{count(study.chosen_on + study.tested_on)} labelled answers",
        f"{count(study.chosen_on)} choose, {count(study.tested_on)} test",
        plural(len(study.board.table), "monitor"),
        study.date,
    ]
    return [part for part in parts if part]


def answer(study: Study) -> list[str]:
    """What to do, what the test part says of it, what to do next."""
    promise, kept = study.promise, study.kept
    if kept is None or promise.threshold is None:
        return ["Nothing can be promised yet.", promise.sentence, _best(study)]
    share = f"{percent(promise.most)} of the {'answers' if promise.unit == 'answer' else 'questions'}"
    sure = "on average" if promise.confidence is None else f"with {percent(promise.confidence)} confidence"
    first = f"Answer where {study.monitor} is {fixed(promise.threshold, 3)} or more: then at most {share} are wrong, {sure}, and {percent(promise.coverage)} of the questions are answered."
    return [first, kept.sentence, _next(study)]


def _next(study: Study) -> str:
    verdict = study.kept.verdict if study.kept is not None else "open"
    if verdict == "broken":
        return "Don’t use this threshold: the test questions are not like those that chose it. Look at the wrong answers below, label newer questions and choose again."
    if verdict == "open":
        return f"Label more test answers before you rely on it: {count(study.kept.answered if study.kept else 0)} answered ones leave the interval too wide."
    return f"Look at the answers below that would still be wrong. {_best(study)}"


def _best(study: Study) -> str:
    row = study.board.table.row(0, named=True)
    if row["verdict"] != "better":
        return (
            "No monitor can be told from one that knows nothing: no threshold on them will help before more labels, or other monitors, do."
        )
    return f"Of the monitors {row['monitor']} orders the answers best, with an area of {fixed(row['area'], 3)} where knowing nothing has {fixed(row['area'] - row['difference'], 3)}."


def wrong(study: Study) -> Html | None:
    """Section: the surest of the wrong answers. None without texts."""
    if not study.surest_wrong:
        return None
    columns = [
        Column("Question", number=False, class_="first"),
        Column("Answer", number=False, class_="explained"),
        Column("Score"),
        Column("Given", number=False),
    ]
    rows = [
        [name(one.question), name(one.answer) if one.answer else "–", fixed(one.score, 3), "yes" if one.given else "no"]
        for one in study.surest_wrong
    ]
    through = sum(one.given for one in study.surest_wrong)
    said = (
        f"{count(through)} of the {count(len(rows))} surest wrong answers of the test part would be given."
        if study.promise.made
        else "The wrong answers that the monitor is surest of."
    )
    return section(
        "wrong",
        "Wrong with confidence",
        el("p", said, class_="finding"),
        table(columns, rows, caption="Wrong answers of the test part, the surest first", class_="metrics"),
    )


def meaning(study: Study) -> Html:
    """Section: what the numbers measure, and what they don't."""
    return section("meaning", "What this says, and what it doesn’t", el("ul", *(el("li", said) for said in SAID), class_="notes"))


def making(study: Study) -> Html:
    """Section: everything that it takes to repeat the page."""
    kept = study.kept
    facts = {
        "Labels": f"{count(study.chosen_on)} answers chose the threshold, one per question ({count(study.promise.labels)} questions, {count(study.promise.left_out)} further answers left out); {count(study.tested_on)} judged it",
        "Risk and area": "the share of wrong answers among those with the highest scores, and its mean over all shares; intervals by question",
        "Promise": study.promise.sentence,
        "Check": "–" if kept is None else f"{percent(kept.rate)} {between(100 * kept.low, 100 * kept.high, 1)}: {kept.verdict}",
        "Vitrina": vitrina.__version__,
    } | dict(study.settings)
    pairs = [piece for key, value in facts.items() for piece in (el("dt", key), el("dd", value))]
    return section("making", "How it was made", el("dl", *pairs, class_="settings"))


SECTIONS: tuple[tuple[str, str, Callable[[Study], Html | None]], ...] = (
    ("risk", "Risk against coverage", risk),
    ("promise", "The threshold", promised),
    ("monitors", "The monitors", monitors),
    ("wrong", "Wrong with confidence", wrong),
    ("meaning", "What this says", meaning),
    ("making", "How it was made", making),
)
