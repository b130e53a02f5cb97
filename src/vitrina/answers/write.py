"""Making an answer of what was found: by extraction, by a model that chooses sentences, or by one that writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias, final

from pydantic import Field

from vitrina.answers.context import Context, build_context
from vitrina.answers.enough import Coverage
from vitrina.answers.kit import Kit
from vitrina.answers.nouns import Draft, Drafted, Enough, Extract, Handing, NotEnough, Refusal, Sentence, Unclear
from vitrina.answers.reading import terms
from vitrina.answers.verify import faults_of_writing
from vitrina.base.config import Config
from vitrina.language.errors import LanguageModelError
from vitrina.language.forms import Form, Reasoned

Action: TypeAlias = Literal["answer", "search_again", "ask_back", "hand_over", "refuse"]
Result: TypeAlias = Draft | NotEnough | Unclear | Refusal | Handing
TOOLS: Mapping[str, str] = {
    "answer": "the items hold the answer",
    "search_again": "they don't, and other words may find it: say them in search_for",
    "ask_back": "it may mean several of the items, and the answers differ: give one ref of each in about",
    "hand_over": "a person has to decide",
    "refuse": "the items don't hold the answer, and searching again won't help",
}
SELECT = "Answer the question by choosing the fewest sentences of the items that together answer it, in the order in which they should be read. You write nothing yourself."
WRITE = (
    "Answer the question in its own language, in a few short sentences. Each sentence says only what the cited sentences of items say, in words close to theirs, and cites them by their refs. "
    "Quote, to the letter, the words that it rests on. No addresses."
)
FAILED = "without the model, which gave no valid answer"


class Selection(Reasoned):
    """What a model chooses."""

    action: Action = Field(description="One of the tools.")
    sentences: list[str] = Field(description="Refs of the chosen sentences, such as 1.2; empty unless the action is answer.")
    search_for: str | None = Field(description="What to search for next.")
    about: list[str] = Field(description="Refs of the items that it may mean; empty unless the action is ask_back.")


class WrittenSentence(Form):
    """A sentence of a model."""

    text: str
    refs: list[str] = Field(description="Refs of the sentences that it rests on.")
    quotes: list[str] = Field(description="The words of them, to the letter.")


class Writing(Reasoned):
    """What a model writes."""

    action: Action = Field(description="One of the tools.")
    sentences: list[WrittenSentence] = Field(description="Empty unless the action is answer.")
    search_for: str | None = Field(description="What to search for next.")
    about: list[str] = Field(description="Refs of the items that it may mean; empty unless the action is ask_back.")


@final
class Extraction(Config):
    """The answer without a model: the sentences of what was found that hold most of the question, as they stand.

    Of each part of the question, sentences are taken greedily by the share of it that they hold with the title of their item, and what of it they add to the title (weights of BM25), while each adds
    a word, or is as good as the first one in another item. A part of which no item holds enough is not answered.

    Args:
        sentences: of each part at most.
        least: share of a part that one item must hold (`Coverage`).
    """

    sentences: Annotated[int, Field(ge=1)] = 3
    least: Annotated[float, Field(ge=0, le=1)] = 0.5

    def draft(self, enough: Enough, kit: Kit) -> Result:
        coverage = Coverage(self.least, kit.items.weight)
        taken: dict[str, Drafted] = {}
        answered = []
        for part in enough.parts:
            own = self._of(part, enough.found.understood.subject, enough.found.extracts, coverage, kit.items.title)
            answered += [part] if own else []
            taken |= {one.refs[0]: one for one in own}
        understood = enough.found.understood
        if not taken:
            return Refusal(understood.asked, "not enough", understood.language, "no sentence of the items holds enough of the question")
        left = (*enough.unanswered, *(part for part in enough.parts if part not in answered))
        return Draft(enough.found, tuple(taken.values()), "extraction", tuple(answered), left)

    def faults(self, sentences: tuple[Drafted, ...], cited: tuple[tuple[Sentence, ...], ...], kit: Kit) -> list[str]:
        """None: they are sentences of the items."""
        return [""] * len(sentences)

    def _of(self, part: str, subject: str, extracts: Sequence[Extract], coverage: Coverage, naming: str) -> list[Drafted]:
        if max((coverage.share(part, extract.passage.text) for extract in extracts), default=0.0) < self.least:
            return []
        rated = []
        meant = max((coverage.share(subject, extract.title) for extract in extracts), default=0.0) or 1.0
        for place, extract in enumerate(extracts):
            own = coverage.share(part, extract.title)
            about = coverage.share(subject, extract.title) / meant / 2 - 1e-3 * place
            for sentence in extract.sentences:
                both = coverage.share(part, f"{extract.title} {sentence.text}")
                if coverage.share(part, sentence.text):
                    rated.append((both + (both - own) + about, sentence.column != naming, extract, sentence))
        named = {id(extract) for _, more, extract, _ in rated if more}  # a name alone says something only where nothing else does
        rated = sorted((one for one in rated if one[1] or id(one[2]) not in named), key=lambda one: -one[0])
        chosen: list[Drafted] = []
        wanted, held, items = set(terms(part)), set(), set()
        for rate, _, extract, sentence in rated:
            there = wanted & set(terms(f"{extract.title} {sentence.text}"))
            if (there - held or (rate >= 0.95 * rated[0][0] and extract.item not in items)) and len(chosen) < self.sentences:
                chosen.append(Drafted(shown(extract, sentence), (sentence.ref,)))
                held, items = held | there, items | {extract.item}
        return chosen


@final
class Select(Config):
    """A model chooses sentences by their refs, and writes none that anybody is shown: the answer is made of the items' own words, whatever the model says.

    So no text that the model was given can put words into the answer, and none of its instructions can come out of it.

    Args:
        sentences: at most.
    """

    sentences: Annotated[int, Field(ge=1)] = 5

    def context(self, enough: Enough, kit: Kit) -> Context:
        """What the model reads."""
        return context_of(enough, kit, SELECT, Selection)

    def draft(self, enough: Enough, kit: Kit) -> Result:
        assert kit.model is not None
        context = self.context(enough, kit)
        try:
            said = kit.model.complete(context.messages, Selection).value
        except LanguageModelError as error:
            return extracted(enough, kit, f"{FAILED}: {error}")
        if said.action != "answer":
            return otherwise(said.action, said.search_for, said.about, enough, kit)
        known = {sentence.ref: (extract, sentence) for extract in enough.found.extracts for sentence in extract.sentences}
        chosen = [ref for ref in dict.fromkeys(said.sentences) if ref in known][: self.sentences]
        notes = (*context.notes, *(("refs that nobody gave were passed over",) if set(said.sentences) - set(known) else ()))
        if not chosen:
            return extracted(enough, kit, "without the model, which chose no sentence of the items")
        drafted = tuple(Drafted(shown(*known[ref]), (ref,)) for ref in chosen)
        return Draft(enough.found, drafted, kit.model.name, enough.parts, enough.unanswered, notes)

    def faults(self, sentences: tuple[Drafted, ...], cited: tuple[tuple[Sentence, ...], ...], kit: Kit) -> list[str]:
        """None: they are sentences of the items."""
        return [""] * len(sentences)


@final
class Write(Config):
    """A model writes the sentences; each has to cite refs that it was given, quote what stands there, and say nothing else.

    A sentence is removed where a ref or a quote isn't there, where its numbers or too many of its words are not in what it cites, where it has a web address or shares six words in a row
    with the instructions, and where the model, asked again, says that it doesn't follow. What the items claim, it may still claim: `Select` leaves the model less room.

    Args:
        sentences: at most.
        least_support: share of the stems of a sentence that must stand in what it cites.
        entailed: ask the model whether each sentence follows from what it cites; one call for all.
    """

    sentences: Annotated[int, Field(ge=1)] = 5
    least_support: Annotated[float, Field(ge=0, le=1)] = 0.6
    entailed: bool = True

    def context(self, enough: Enough, kit: Kit) -> Context:
        """What the model reads."""
        return context_of(enough, kit, WRITE, Writing)

    def draft(self, enough: Enough, kit: Kit) -> Result:
        assert kit.model is not None
        context = self.context(enough, kit)
        try:
            said = kit.model.complete(context.messages, Writing).value
        except LanguageModelError as error:
            return extracted(enough, kit, f"{FAILED}: {error}")
        if said.action != "answer":
            return otherwise(said.action, said.search_for, said.about, enough, kit)
        written = tuple(Drafted(" ".join(one.text.split()), tuple(one.refs), tuple(one.quotes)) for one in said.sentences[: self.sentences])
        return Draft(enough.found, written, kit.model.name, enough.parts, enough.unanswered, context.notes)

    def faults(self, sentences: tuple[Drafted, ...], cited: tuple[tuple[Sentence, ...], ...], kit: Kit) -> list[str]:
        """Why each sentence may not stand."""
        return faults_of_writing(sentences, cited, kit, least_support=self.least_support, entailed=self.entailed)


def context_of(enough: Enough, kit: Kit, instructions: str, form: type[Form]) -> Context:
    """The context of an answer, from all parts that there are."""
    asked = enough.found.understood.asked
    codes = kit.search.vocabulary.encode(list(asked.history)) if asked.history else ()
    return build_context(
        instructions=f"{kit.instructions} {instructions}".strip(), question=enough.found.understood.question, form=form, items=enough.found.extracts,
        examples=kit.examples, person=asked.person, history=[kit.items.title_of(code) for code in codes if code >= 0],
        conversation=asked.conversation, tools=TOOLS, budget=kit.budget,
    )  # fmt: skip


def write(enough: Enough, kit: Kit) -> Draft | NotEnough | Unclear | Refusal | Handing:
    """The answer before it is verified, or what the model wants instead."""
    return kit.extraction.draft(enough, kit) if kit.model is None else kit.style.draft(enough, kit)


def extracted(enough: Enough, kit: Kit, note: str) -> Result:
    """The extractive answer, where the model has none."""
    made = kit.extraction.draft(enough, kit)
    return replace(made, notes=(*made.notes, note)) if isinstance(made, Draft) else made


def otherwise(action: Action, search_for: str | None, about: Sequence[str], enough: Enough, kit: Kit) -> Result:
    """Search again while there are rounds, ask back once, hand over, or refuse. No word of the model is shown to anybody."""
    understood = enough.found.understood
    if action == "hand_over":
        return Handing(understood.asked, "person wanted", understood.language)
    if action == "search_again" and search_for and understood.round < kit.rounds:
        return NotEnough(enough.found, replace(enough.verdict, enough=False, reason="the model would search again"), (search_for,))
    if action == "ask_back":
        of = {sentence.ref: (extract.item, extract.title) for extract in enough.found.extracts for sentence in extract.sentences}
        return Unclear(understood, tuple(dict.fromkeys(of[ref] for ref in about if ref in of))[:4])
    return Refusal(understood.asked, "not said", understood.language)


def shown(extract: Extract, sentence: Sentence) -> str:
    """A sentence of an item as it can be read alone: attributes with the name of their item.

    >>> shown(Extract(7, "Moka kettle", (), 1.0), Sentence("1.2", 7, "colour", "colour: red"))
    'Moka kettle, colour: red.'
    """
    prose = sentence.text == extract.title or not sentence.text.startswith(f"{sentence.column.replace('_', ' ')}: ")
    text = sentence.text if prose else f"{extract.title}, {sentence.text}"
    return text if text.endswith((".", "!", "?", "…", "。", "！", "？")) else f"{text}."
