"""The graph of an answer, and who walks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from vitrina.answers.answer import Answer, say
from vitrina.answers.context import Context
from vitrina.answers.ends import ask_back, hand_over, refuse
from vitrina.answers.enough import Coverage
from vitrina.answers.graph import Graph, Step
from vitrina.answers.guards import Guards
from vitrina.answers.items import ItemTexts
from vitrina.answers.kit import Kit, Style
from vitrina.answers.nouns import (
    Asked,
    Code,
    Draft,
    Enough,
    Found,
    Handing,
    ItemId,
    NotEnough,
    Refusal,
    Sufficiency,
    Turn,
    Unclear,
    Understood,
)
from vitrina.answers.retrieve import check, retrieve, widen
from vitrina.answers.trace import Metered
from vitrina.answers.understand import understand
from vitrina.answers.verify import verify
from vitrina.answers.write import Extraction, Select, write
from vitrina.base.codes import check_length
from vitrina.base.errors import ParameterError
from vitrina.language.protocol import LanguageModel
from vitrina.protocols import Recommender
from vitrina.types import Eligibility

ENDS: Mapping[type, str | None] = {Refusal: "refuse", Unclear: "ask back", Handing: "hand over", Answer: None}
GRAPH = Graph(
    {
        "understand": Step(understand, {**ENDS, Understood: "retrieve"}),
        "retrieve": Step(retrieve, {Found: "check", NotEnough: "widen"}),
        "check": Step(check, {Enough: "write", NotEnough: "widen"}),
        "widen": Step(widen, {**ENDS, Understood: "retrieve"}),
        "write": Step(write, {**ENDS, Draft: "verify", NotEnough: "widen"}),
        "verify": Step(verify, ENDS),
        "refuse": Step(refuse, ENDS),
        "ask back": Step(ask_back, ENDS),
        "hand over": Step(hand_over, ENDS),
    },
    "understand",
)
INSTRUCTIONS = "You answer questions by a catalogue of items."
LONGEST = 2000  # letters of a question


@final
@dataclass(frozen=True, eq=False)
class Answerer:
    """Answers questions from items that a search finds, with a citation for every sentence, or says why not.

    Without a model the answer is extracted: the best sentences of the best items. With one, the model chooses sentences by default (`Select`), so that the words are those of the items; it may write
    them (`Write`), and each is verified. Where a model fails, is over its limit or gives nonsense, the extractive answer stands in.

    Args:
        search: any recommender that reads `queries.texts`: an index, a hybrid, one of your own.
        items: a table of the items, or `ItemTexts.of(table, search.vocabulary, ...)` where columns have to be named.
        model: any language model; None for extraction.
        style: how a model answers: `Select()` or `Write()`.
        extraction: how it is answered without one.
        sufficiency: whether what was found suffices; without it `Coverage(0.5)` without a model, and with one, which can say so itself, anything that was found.
        guards: on both ends.
        instructions: to the model, in your own words: what is offered here, and to whom.
        examples: (data, answer) that the model is shown.
        hand_over: gives a question to a person and returns its number or name there. It comes with personal data masked.
        hand_over_on: reasons of refusals that are handed over instead: "not enough", "nothing found", "not said", "person wanted", ...
        k: items that are looked at, in the first round; each further one looks at twice as many.
        rounds: of searching again, at most.
        budget: tokens of one context.
        graph: the steps; `GRAPH.replaced(check=...)` has one of your own.

    Raises:
        ParameterError: a parameter is outside its domain, or the table can't be read.
        MissingExtraError: PyStemmer isn't installed.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"item_id": ["k1", "k2"], "title": ["Moka kettle", "Pour kettle"], "text": ["It boils 1.5 l of water in 4 minutes.", "A swan neck pours slowly."]})
    >>> index = vt.search.ItemIndex.build(table, id="item_id", columns=["title", "text"])
    >>> print(Answerer(index, table).answer("How fast does the Moka kettle boil water?"))
    It boils 1.5 l of water in 4 minutes. [1]
    [1] Moka kettle (k1)
    """

    search: Recommender
    items: Any
    model: LanguageModel | None = None
    style: Style = field(default_factory=Select)
    extraction: Extraction = field(default_factory=Extraction)
    sufficiency: Sufficiency | None = None
    guards: Guards = field(default_factory=Guards)
    instructions: str = INSTRUCTIONS
    examples: Sequence[tuple[str, str]] = ()
    hand_over: Callable[[Handing], str] | None = None
    hand_over_on: Sequence[Code] = ("person wanted",)
    k: int = 5
    rounds: int = 2
    budget: int = 6000
    graph: Graph = GRAPH

    def __post_init__(self) -> None:
        check_length(self.k)
        if self.rounds < 0:
            raise ParameterError(
                f"The 'rounds' of an Answerer must be 0 or more. Got {self.rounds}.",
                owner="Answerer",
                parameter="rounds",
                value=self.rounds,
            )
        texts = self.items if isinstance(self.items, ItemTexts) else ItemTexts.of(self.items, self.search.vocabulary)
        object.__setattr__(self, "items", texts)

    def kit(self, model: LanguageModel | None = None) -> Kit:
        """What the steps work with."""
        plain = Coverage(self.extraction.least if self.model is None else 0.0, self.items.weight)
        return Kit(
            search=self.search, items=self.items, model=model or self.model, style=self.style, extraction=self.extraction,
            sufficiency=plain if self.sufficiency is None else self.sufficiency, guards=self.guards, instructions=self.instructions,
            examples=tuple(self.examples), hand_over=self.hand_over, hand_over_on=frozenset(self.hand_over_on), k=self.k, rounds=self.rounds,
            budget=self.budget,
        )  # fmt: skip

    def answer(
        self,
        question: str,
        history: Sequence[ItemId] = (),
        conversation: Sequence[Turn] = (),
        *,
        person: Mapping[str, Any] | None = None,
        eligible: Eligibility | None = None,
    ) -> Answer:
        """Answer one question.

        Args:
            question: at most 2,000 letters.
            history: ids of items that the person had, oldest first, for a personal search.
            conversation: the turns before, oldest first.
            person: what is known of the person, for the model.
            eligible: what may be found at all; without it everything, also what is in the history.

        Raises:
            ParameterError: the question is no text, or too long.
        """
        asked = self._asked(question, history, conversation, person, eligible)
        meter = None if self.model is None else Metered(self.model)
        found, trace = self.graph.run(asked, self.kit(meter), meter, on_limit=_too_long)
        return replace(found, trace=trace)

    def context(
        self, question: str, history: Sequence[ItemId] = (), conversation: Sequence[Turn] = (), *, person: Mapping[str, Any] | None = None
    ) -> Context:
        """What a model would read to answer, to be printed; no model is asked.

        Raises:
            ParameterError: nothing was found, so that nothing would be read; or the style reads no context.
        """
        kit = replace(self.kit(), model=None, sufficiency=Coverage(0.0))
        record: Any = self._asked(question, history, conversation, person, None)
        for step in (understand, retrieve, check):
            record = step(record, kit)
        context = getattr(self.style, "context", None)
        if not isinstance(record, Enough) or context is None:
            raise ParameterError(
                f"There is no context: {type(record).__name__}. Ask what something is found for, with the style Select or Write."
            )
        return context(record, kit)

    def _asked(
        self,
        question: str,
        history: Sequence[ItemId],
        conversation: Sequence[Turn],
        person: Mapping[str, Any] | None,
        eligible: Eligibility | None,
    ) -> Asked:
        if not isinstance(question, str) or len(question) > LONGEST:
            got = f"{len(question):,} letters" if isinstance(question, str) else f"a {type(question).__name__}"
            raise ParameterError(f"A question must be a text of at most {LONGEST:,} letters. Got {got}.", parameter="question")
        mask = self.guards.personal.masked
        turns = tuple(replace(turn, text=mask(turn.text)[0]) for turn in conversation)
        asked = Asked(mask(question)[0], tuple(history), turns, {name: mask(str(value))[0] for name, value in (person or {}).items()})
        return asked if eligible is None else replace(asked, eligible=eligible)


def _too_long(record: Any) -> Answer:
    asked = next(own for own in _inside(record) if isinstance(own, Asked))
    return Answer(asked.question, "refused", code="too many steps", reason=say("too many steps", "en"))


def _inside(record: Any) -> list[Any]:
    """The record and those of earlier steps in it."""
    found = [record]
    for name in ("found", "understood", "asked"):
        found += [own for own in (getattr(found[-1], name, None),) if own is not None]
    return found
