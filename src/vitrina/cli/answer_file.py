"""The file of an answerer: a TOML with the language model, how it answers, and what it may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vitrina.cli import build, parts
from vitrina.cli.model_part import made_model
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.toml import TomlFile

if TYPE_CHECKING:
    from vitrina.answers import Answerer, ItemTexts
    from vitrina.protocols import Recommender

EXAMPLE = 'A whole one: [model] url = "http://localhost:8000/v1", model = "NAME"; [answer] style = "Select". Both may be left out.'
STYLE = parts.Kind(
    "style", '{type = "Select", sentences = 3}', lambda cls: hasattr(cls, "draft") and hasattr(cls, "context"), "vitrina.answers"
)


class AnswerSection(Section):
    """How questions are answered."""

    style: Any = Field(default="Select", description='How the model answers: "Select" sentences of items, or "Write" them.')
    columns: list[str] | None = Field(default=None, description="Columns of the items that may be cited; all when left out.")
    instructions: str | None = Field(default=None, description="To the model: what is offered here, and to whom.")
    k: int = Field(default=5, ge=1, description="Items that are looked at, in the first round.")
    rounds: int = Field(default=2, ge=0, description="How often it is searched again, at most.")
    budget: int = Field(default=6000, ge=200, description="Tokens that the model reads at most.")
    sentences: int = Field(default=3, ge=1, description="Of an answer without a model, for each part of the question.")
    least: float = Field(default=0.5, ge=0, le=1, description="Without a model: share of the question's words that one item must have.")


class GuardsSection(Section):
    """What is kept out on both ends."""

    orders: bool = Field(default=True, description="Keep back texts of items that look as if they gave orders to a model.")
    blocked: dict[str, list[str]] = Field(default={}, description="Topics that are refused: {name = [words that tell it]}.")
    to_person: dict[str, list[str]] = Field(default={}, description="Topics that a person answers, likewise.")
    about: str = Field(default="", description="What questions should be about, for a model that decides.")


class Settings(Section):
    """The whole file."""

    model: dict[str, Any] | None = Field(default=None, description="The language model; without one the answer is extracted.")
    answer: AnswerSection = AnswerSection()
    guards: GuardsSection = GuardsSection()


@dataclass(frozen=True)
class AnswerJob:
    """A checked file: its parts are built."""

    file: TomlFile
    settings: Settings
    model: Any
    style: Any

    def answerer(self, search: Recommender, items: ItemTexts) -> Answerer:
        """What answers from a search."""
        from vitrina.answers import Answerer as Answerer_
        from vitrina.answers import Extraction, Guards, Topics
        from vitrina.answers.answerer import INSTRUCTIONS

        given, kept = self.settings.answer, self.settings.guards
        with build.located(self.file, ("guards",)):
            topics = Topics(blocked=_words(kept.blocked), to_person=_words(kept.to_person), about=kept.about)
            guards = Guards(orders=kept.orders, topics=topics)
        with build.located(self.file, ("answer",)):
            return Answerer_(
                search, items, self.model, self.style, extraction=Extraction(sentences=given.sentences, least=given.least), guards=guards,
                instructions=given.instructions or INSTRUCTIONS, k=given.k, rounds=given.rounds, budget=given.budget,
            )  # fmt: skip


def _words(topics: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(words) for name, words in topics.items()}


def read_answer_file(path: Path | None, *, trust: bool = False) -> AnswerJob:
    """Read and check the file of an answerer; without one, everything is as when left out.

    Raises:
        UnknownNameError: a key, a model, a style or a parameter is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
    """
    file = TomlFile(Path("answer.toml"), {}, {}, trust) if path is None else TomlFile.read(path, trust=trust, remedy=EXAMPLE)
    settings = settings_of(file, Settings, EXAMPLE)
    model = None if settings.model is None else made_model(file, settings.model)
    return AnswerJob(file, settings, model, parts.made(file, ("answer", "style"), settings.answer.style, STYLE))
