"""The first step: what is asked, read with what was said before."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from vitrina.answers.context import build_context
from vitrina.answers.guards import orders_in
from vitrina.answers.kit import Kit
from vitrina.answers.nouns import Asked, Handing, Refusal, Turn, Unclear, Understood
from vitrina.answers.reading import language_of, leans_on_what_was_said, sentences_of, terms
from vitrina.answers.sufficiency.words import content_words
from vitrina.language.errors import LanguageModelError
from vitrina.language.forms import Reasoned

MOST_PARTS = 4
OWN_WORDS = 0.7  # share of the words of a part that have to be the person's own

UNDERSTAND = (
    "Rewrite the question so that it can be read without the conversation, in its own language, with nothing added that nobody said. Split it into parts that can be "
    "answered apart, in the words of the person; a simple question is one part."
)


class Understanding(Reasoned):
    """What a model makes of a question."""

    question: str = Field(description="The question, so that it can be read alone.")
    parts: list[str] = Field(description="Its parts, one to four; the whole question where it is simple.")
    on_topic: bool = Field(
        description="Whether it is about what the instructions say questions should be about; true where they say nothing."
    )
    unclear: bool = Field(description="Whether nobody could know what is meant, even with the conversation.")


def understand(asked: Asked, kit: Kit) -> Understood | Unclear | Refusal | Handing:
    """Guards of the question, its language, its parts, and what the conversation adds to it.

    A model is asked where there is a conversation, more than one part, or a topic to be kept to. Its parts have to be in the words of the person; else ours are taken.
    """
    language = language_of(asked.question)
    if (topic := kit.guards.topics.for_person(asked.question)) is not None:
        return Handing(asked, "person wanted", language, topic)
    if (topic := kit.guards.topics.blocked_by(asked.question)) is not None:
        return Refusal(asked, "blocked", language, topic)
    kept = [line for line in sentences_of(asked.question) if not (kit.guards.orders and orders_in(line))]
    if not any(letter.isalnum() for line in kept for letter in line):
        return Refusal(asked, "empty", language, "orders" if any(letter.isalnum() for letter in asked.question) else "")
    notes = ("sentences of the question that gave orders were left out",) if len(kept) < len(sentences_of(asked.question)) else ()
    question, parts = " ".join(kept), _parts(kept)
    parts = parts if len(parts) > 1 else (question,)
    subject = _subject(question, asked.conversation)
    plain = Understood(asked, question, parts, tuple(f"{part} {subject}".strip() for part in parts), language, subject, notes=notes)
    if kit.model is not None and (asked.conversation or len(parts) > 1 or kit.guards.topics.about):
        return _by_model(plain, kit)
    return plain if _can_be_read(plain) else Unclear(plain)


def _can_be_read(understood: Understood) -> bool:
    known = terms(f"{understood.question} {understood.subject}")
    return bool(known) and not (leans_on_what_was_said(understood.question) and len(known) < 2)


def _subject(question: str, conversation: tuple[Turn, ...]) -> str:
    """What the question before was about, where this one leans on it or answers a question back."""
    said = [turn for turn in conversation if turn.role == "person"]
    answers = bool(conversation) and conversation[-1].status == "asked"
    if not said or not (answers or leans_on_what_was_said(question) or len(terms(question)) < 2):
        return ""
    known = set(terms(question))
    return " ".join(dict.fromkeys(word for word in content_words(said[-1].text) if not set(terms(word)) & known))


def _parts(kept: list[str]) -> tuple[str, ...]:
    asking = [line for line in kept if line.rstrip("\"'»”) ").endswith(("?", "？")) and terms(line)]
    return tuple(asking[:MOST_PARTS])


def _by_model(plain: Understood, kit: Kit) -> Understood | Unclear | Refusal:
    assert kit.model is not None
    about = f" Questions should be about: {kit.guards.topics.about}" if kit.guards.topics.about else ""
    context = build_context(
        instructions=f"{kit.instructions} {UNDERSTAND}{about}".strip(), question=plain.question, form=Understanding,
        conversation=plain.asked.conversation, budget=kit.budget,
    )  # fmt: skip
    try:
        said = kit.model.complete(context.messages, Understanding).value
    except LanguageModelError as error:
        noted = Understood(
            plain.asked, plain.question, plain.parts, plain.parts, plain.language, notes=(*plain.notes, f"without the model: {error}")
        )
        return noted if _can_be_read(noted) else Unclear(noted)
    if not said.on_topic and kit.guards.topics.about:
        return Refusal(plain.asked, "off topic", plain.language)
    if said.unclear:
        return Unclear(plain)
    own = set(terms(plain.question)) | {stem for turn in plain.asked.conversation for stem in terms(turn.text)}
    parts = tuple(part for part in said.parts[:MOST_PARTS] if _own_words(part, own))
    question = said.question if _own_words(said.question, own) else plain.question
    parts = parts or ((question,) if len(plain.parts) == 1 else plain.parts)
    return replace(plain, question=question, parts=parts, searches=parts, subject="" if question != plain.question else plain.subject)


def _own_words(text: str, own: set[str]) -> bool:
    stems = terms(text)
    return bool(stems) and len(text) <= 600 and sum(stem in own for stem in stems) >= OWN_WORDS * len(stems)
