"""Looking for items, whether they suffice, and looking again in other words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from vitrina.answers.context import build_context
from vitrina.answers.evidence import Evidence
from vitrina.answers.guards import orders_in
from vitrina.answers.items import as_sentences
from vitrina.answers.kit import Kit
from vitrina.answers.nouns import Enough, Extract, Found, NotEnough, Refusal, Understood, Verdict
from vitrina.answers.reading import terms
from vitrina.answers.sufficiency.words import content_words
from vitrina.language.errors import LanguageModelError
from vitrina.language.forms import Reasoned
from vitrina.types import Queries, Recommendations

RRF = 60  # of reciprocal rank fusion, where there are several searches
MOST_SEARCHES = 6
LONGEST = 200  # letters of what a model searches for

AGAIN = "The search for this question found too little. Say other words to search for: synonyms, the kind of thing, fewer words. One to three searches."


class Rewriting(Reasoned):
    """What a model would search for next."""

    searches: list[str] = Field(description="One to three texts to search for.")


def retrieve(understood: Understood, kit: Kit) -> Found | NotEnough:
    """The best items of all searches together, by reciprocal ranks, with their sentences. Eligibility is the search's, before its best k."""
    width = kit.k * 2**understood.round
    texts, asked = list(understood.searches), understood.asked
    queries = Queries.of_texts(kit.search.vocabulary, texts, [list(asked.history)] * len(texts))
    lists = kit.search.recommend(queries, width, eligible=asked.eligible)
    extracts: list[Extract] = []
    notes: list[str] = []
    for code, score in _fused(lists)[:width]:
        made = _extract(code, score, len(extracts) + 1, kit)
        if made is None:
            notes.append(f"{lists.vocabulary.ids[code]!r} has no text")
        else:
            extracts.append(made)
    if held := sum(extract.withheld for extract in extracts):
        notes.append(f"{held} columns that look as if they gave orders were kept back")
    found = Found(understood, tuple(extract for extract in extracts if extract.sentences), tuple(notes))
    return found if found.extracts else NotEnough(found, Verdict(False, "nothing was found", 0.0))


def _fused(lists: Recommendations) -> list[tuple[int, float]]:
    """Codes with their best score in any list; by the sum of 1 / (60 + rank), ties by code."""
    total: dict[int, float] = {}
    best: dict[int, float] = {}
    for items, scores in zip(lists.items, lists.scores, strict=True):
        for rank, (code, score) in enumerate(zip(items[items >= 0].tolist(), scores[items >= 0].tolist(), strict=True), 1):
            total[code] = total.get(code, 0.0) + 1 / (RRF + rank)
            best[code] = max(best.get(code, -np.inf), score if np.isfinite(score) else -np.inf)
    return [(code, best[code]) for code in sorted(total, key=lambda code: (-total[code], code))]


def _extract(code: int, score: float, place: int, kit: Kit) -> Extract | None:
    """What may be cited of an item. A column with one sentence that gives orders is kept back whole, as orders go on in harmless words."""
    said = kit.items.columns_of(code)
    if not said:
        return None
    orders = {name for name, lines in said if kit.guards.orders and any(orders_in(line) for line in (*lines, " ".join(lines)))}
    item = kit.search.vocabulary.ids[code]
    title = str(item) if kit.items.title in orders else kit.items.title_of(code)
    return Extract(
        item, title, as_sentences(item, place, [(name, lines) for name, lines in said if name not in orders]), score, len(orders)
    )


def check(found: Found, kit: Kit) -> Enough | NotEnough:
    """Which parts of the question can be answered by what was found, each judged alone."""
    passages = tuple(extract.passage for extract in found.extracts)
    verdicts = {part: kit.sufficiency.check(Evidence(part, passages)) for part in found.understood.parts}
    parts = tuple(part for part, verdict in verdicts.items() if verdict.enough)
    if not parts:
        return NotEnough(found, max(verdicts.values(), key=lambda verdict: -np.inf if verdict.score is None else verdict.score))
    return Enough(found, verdicts[parts[0]], parts, tuple(part for part in verdicts if part not in parts))


def widen(missed: NotEnough, kit: Kit) -> Understood | Refusal:
    """The same question with other searches and more items; refused after the last round.

    What a model asked for is searched for, else what it says when it is asked; without one first the words of the question that say something, then each of them alone.
    """
    understood = missed.found.understood
    if understood.round >= kit.rounds:
        code = "not enough" if missed.found.extracts else "nothing found"
        return Refusal(understood.asked, code, understood.language, missed.verdict.reason)
    searches, note = missed.searches or _rewritten(missed, kit), ()
    if not searches:
        words = list(dict.fromkeys(content_words(understood.question)))
        searches = (
            (" ".join(words),)
            if understood.round == 0
            else tuple(sorted(words, key=lambda word: (-max(map(kit.items.weight, terms(word))), word)))
        )
        note = ("other words: without a model",) if kit.model is None else ("other words: the model gave none",)
    short = tuple(dict.fromkeys(search[:LONGEST] for search in searches if search.strip()))[:MOST_SEARCHES]
    return replace(understood, searches=short or understood.searches, round=understood.round + 1, notes=(*understood.notes, *note))


def _rewritten(missed: NotEnough, kit: Kit) -> tuple[str, ...]:
    if kit.model is None:
        return ()
    context = build_context(
        instructions=f"{kit.instructions} {AGAIN}".strip(), question=missed.found.understood.question, form=Rewriting, budget=kit.budget
    )
    try:
        return tuple(kit.model.complete(context.messages, Rewriting).value.searches[:3])
    except LanguageModelError:
        return ()
