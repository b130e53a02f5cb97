"""Every sentence against what it cites: by form, by words, and by a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from pydantic import Field

from vitrina.answers.answer import Answer
from vitrina.answers.context import DATA, as_data
from vitrina.answers.guards import ADDRESS, orders_in
from vitrina.answers.kit import Kit
from vitrina.answers.nouns import Citation, Cited, Draft, Drafted, Enough, Extract, Refusal, Sentence, Verdict
from vitrina.answers.reading import clean, sentences_of, shingles, terms
from vitrina.language.errors import LanguageModelError
from vitrina.language.forms import Reasoned, form_text
from vitrina.language.protocol import Message

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
ENTAIL = "For each numbered sentence say whether it follows from the texts that it cites: supported, contradicted, or not said. One verdict per sentence, in their order."


class Entailment(Reasoned):
    """What a model says of each sentence."""

    verdicts: list[Literal["supported", "contradicted", "not said"]] = Field(description="One for each sentence, in their order.")


def verify(draft: Draft, kit: Kit) -> Answer | Refusal:
    """The answer of those sentences that stand; the extractive one where none of a model's does; refused where that has none either.

    By form: a sentence cites at least one ref, each of the items that were found, and quotes what stands there. By content: as the style has it. What is shown has neither personal data nor addresses.
    """
    kept, faults = _standing(draft, kit)
    understood = draft.found.understood
    if not kept and draft.by != "extraction":
        again = kit.extraction.draft(Enough(draft.found, Verdict(True), understood.parts), kit)
        if isinstance(again, Draft):
            return verify(replace(again, notes=(*draft.notes, *faults, "without the model, of which no sentence stood")), kit)
    if not kept:
        return Refusal(understood.asked, "not verified", understood.language, "; ".join(dict.fromkeys(faults)))
    personal = kit.guards.personal
    cited = tuple(_masked(one, personal.shown) for one in kept)
    return Answer(
        understood.asked.question, "answered", cited, language=understood.language, by=draft.by,
        unanswered=tuple(personal.shown(part) for part in draft.unanswered), notes=(*draft.notes, *faults),
    )  # fmt: skip


def _standing(draft: Draft, kit: Kit) -> tuple[list[Cited], list[str]]:
    """The sentences that stand, with their citations, and the faults of the others."""
    known = {sentence.ref: (extract, sentence) for extract in draft.found.extracts for sentence in extract.sentences}
    formal = [_formal_fault(one, known) for one in draft.sentences]
    left = tuple(one for one, fault in zip(draft.sentences, formal, strict=True) if not fault)
    style = kit.extraction if draft.by == "extraction" else kit.style
    of_content = style.faults(left, tuple(tuple(known[ref][1] for ref in one.refs) for one in left), kit) if left else []
    kept = [_cited(one, known) for one, fault in zip(left, of_content, strict=True) if not fault]
    return kept, [f"a sentence was removed: {fault}" for fault in (*formal, *of_content) if fault]


def _formal_fault(one: Drafted, known: dict[str, tuple[Extract, Sentence]]) -> str:
    if not one.text.strip():
        return "it is empty"
    if not one.refs:
        return "it cites nothing"
    if any(ref not in known for ref in one.refs):
        return "it cites what it wasn't given"
    texts = [_loose(known[ref][1].text) for ref in one.refs]
    if any(not _loose(quote) or not any(_loose(quote) in text for text in texts) for quote in one.quotes):
        return "it quotes what doesn't stand there"
    return ""


def _loose(text: str) -> str:
    """For comparing quotes: no difference of case, blanks and marks."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _cited(one: Drafted, known: dict[str, tuple[Extract, Sentence]]) -> Cited:
    pairs = [known[ref] for ref in dict.fromkeys(one.refs)]
    return Cited(one.text, tuple(Citation(extract.item, extract.title, sentence.column, sentence.text) for extract, sentence in pairs))


def _masked(cited: Cited, shown: Callable[[str], str]) -> Cited:
    citations = tuple(replace(own, title=shown(own.title), quote=shown(own.quote)) for own in cited.citations)
    return Cited(shown(cited.text), citations)


def faults_of_writing(
    sentences: tuple[Drafted, ...], cited: tuple[tuple[Sentence, ...], ...], kit: Kit, *, least_support: float, entailed: bool
) -> list[str]:
    """Why each sentence that a model wrote may not stand; "" where it may.

    Args:
        sentences: in right form.
        cited: what each cites.
        kit: with the model that is asked whether they follow.
        least_support: share of the stems that must stand in what is cited.
        entailed: whether the model is asked.
    """
    told = shingles(f"{kit.instructions} {DATA} {form_text(Entailment)}") | {run for own in (kit.instructions,) for run in shingles(own)}
    faults = [_fault(one, own, kit, told, least_support) for one, own in zip(sentences, cited, strict=True)]
    left = [place for place, fault in enumerate(faults) if not fault]
    if not entailed or not left or kit.model is None:
        return faults
    verdicts = _entailed([sentences[place] for place in left], [cited[place] for place in left], kit)
    for place, verdict in zip(left, verdicts, strict=True):
        faults[place] = "" if verdict == "supported" else f"the model finds it {verdict}"
    return faults


def _fault(one: Drafted, cited: Iterable[Sentence], kit: Kit, told: set[tuple[str, ...]], least: float) -> str:
    there = " ".join(f"{sentence.text} {kit.items.title_of(_code(kit, sentence))}" for sentence in cited)
    stems = set(terms(one.text))
    faults = {
        "it is no plain sentence": clean(one.text) != one.text or len(sentences_of(one.text)) > 2,
        "it has a web address": ADDRESS.search(one.text) is not None,
        "it looks as if it gave orders": kit.guards.orders and orders_in(one.text) is not None,
        "it repeats the instructions": bool(shingles(one.text) & told),
        "it has a number that isn't there": bool(set(NUMBER.findall(one.text)) - set(NUMBER.findall(there))),
        "it says what isn't there": not stems or len(stems & set(terms(there))) < least * len(stems),
    }
    return next((why for why, holds in faults.items() if holds), "")


def _code(kit: Kit, sentence: Sentence) -> int:
    return int(kit.search.vocabulary.encode([sentence.item])[0])


def _entailed(sentences: list[Drafted], cited: list[tuple[Sentence, ...]], kit: Kit) -> list[str]:
    """What the model says of each; "not said" of all where its answer can't be used."""
    assert kit.model is not None
    lines = [
        as_data(number=at, sentence=one.text, cites=[own.text for own in of])
        for at, (one, of) in enumerate(zip(sentences, cited, strict=True), 1)
    ]
    messages = (Message("system", f"{ENTAIL}\n{DATA}\n\n{form_text(Entailment)}"), Message("user", "\n".join(lines)))
    try:
        verdicts = kit.model.complete(messages, Entailment).value.verdicts
    except LanguageModelError:
        return ["not said"] * len(sentences)
    return list(verdicts) if len(verdicts) == len(sentences) else ["not said"] * len(sentences)
