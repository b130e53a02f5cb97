"""The answer: cited sentences, or why there are none; and the sentences that we say ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from vitrina.answers.nouns import Cited, Code, ItemId, Status
from vitrina.answers.trace import Trace, plain_of

SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "empty": "There is no question in it.",
        "blocked": "Questions about this are not answered here: {detail}.",
        "orders": "There is nothing in it that can be answered.",
        "off topic": "This is not about what is offered here.",
        "nothing found": "Nothing was found for it.",
        "not enough": "What was found says too little about it.",
        "not said": "What was found doesn't say it.",
        "unclear": "It isn't clear what is meant.",
        "not verified": "No sentence of an answer could be verified.",
        "person wanted": "There is nobody here to hand over to.",
        "too many steps": "It took too long to find an answer.",
        "which": "Which one do you mean?",
        "which of": "Which one do you mean: {options}?",
        "or": " or ",
        "handed over": "A person will answer this.",
        "unanswered": "Not answered: {detail}",
    },
    "ru": {
        "empty": "Здесь нет вопроса.",
        "blocked": "На вопросы об этом здесь не отвечают: {detail}.",
        "orders": "Здесь нет ничего, на что можно ответить.",
        "off topic": "Это не о том, что здесь предлагается.",
        "nothing found": "Ничего не найдено.",
        "not enough": "В найденном об этом сказано слишком мало.",
        "not said": "В найденном этого не сказано.",
        "unclear": "Непонятно, что имеется в виду.",
        "not verified": "Ни одно предложение ответа не удалось проверить.",
        "person wanted": "Передать вопрос здесь некому.",
        "too many steps": "Поиск ответа занял слишком много времени.",
        "which": "О чём именно вы спрашиваете?",
        "which of": "Что вы имеете в виду: {options}?",
        "or": " или ",
        "handed over": "На это ответит человек.",
        "unanswered": "Без ответа: {detail}",
    },
}


def say(what: str, language: str, **values: str) -> str:
    """One of our own sentences, in English or Russian; English for other languages."""
    return SAID.get(language, SAID["en"])[what].format(**values)


@final
@dataclass(frozen=True)
class Answer:
    """What came of a question. Prints with its citations.

    Args:
        question: as it was asked, without personal data.
        status: "answered", "refused", "asked" (one question back) or "handed over".
        sentences: each with what it rests on; none unless it was answered.
        code: why it was refused or handed over, as one of few words; "" otherwise.
        reason: the same as a sentence for who asked; of "asked" the question back.
        language: of the question.
        by: who chose or wrote the sentences: the name of a model, or "extraction".
        options: of a question back, items (id, title) to choose from.
        unanswered: parts of the question that nothing was found for.
        ticket: what the hand-over gave.
        notes: what happened on the way, for whoever runs the shop.
        trace: every step. It holds the instructions, and is not for visitors; `plain(trace=False)` leaves both out.
    """

    question: str
    status: Status
    sentences: tuple[Cited, ...] = ()
    code: Code = ""
    reason: str = ""
    language: str = "en"
    by: str = ""
    options: tuple[tuple[ItemId, str], ...] = ()
    unanswered: tuple[str, ...] = ()
    ticket: str | None = None
    notes: tuple[str, ...] = ()
    trace: Trace = field(default_factory=Trace, repr=False, compare=False)

    @property
    def items(self) -> tuple[ItemId, ...]:
        """Ids of the items that are cited, in the order of their numbers."""
        return tuple(dict.fromkeys(citation.item for cited in self.sentences for citation in cited.citations))

    @property
    def text(self) -> str:
        """The answer as one text, with numbers of the items; of an answer that isn't one the reason."""
        number = {item: at for at, item in enumerate(self.items, 1)}
        marks = ["".join(f"[{n}]" for n in dict.fromkeys(number[c.item] for c in cited.citations)) for cited in self.sentences]
        said = " ".join(f"{cited.text} {mark}" for cited, mark in zip(self.sentences, marks, strict=True))
        rest = say("unanswered", self.language, detail=" ".join(self.unanswered)) if self.unanswered else ""
        return f"{said} {rest}".strip() if said else self.reason

    def plain(self, *, trace: bool = True) -> dict[str, Any]:
        """Values that JSON has; without the trace and the notes, which may have words of the model, for visitors."""
        made = plain_of(self) | {"text": self.text, "items": list(self.items)}
        return made | {"trace": self.trace.plain()} if trace else {name: value for name, value in made.items() if name != "notes"}

    def __str__(self) -> str:
        titles = {citation.item: citation.title for cited in self.sentences for citation in cited.citations}
        sources = [
            f"[{at}] {titles[item]} ({item})" if titles[item] != str(item) else f"[{at}] {item}" for at, item in enumerate(self.items, 1)
        ]
        return "\n".join([self.text, *sources])
