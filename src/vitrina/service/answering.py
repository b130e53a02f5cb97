"""Questions that are answered from what a model finds: the search on the thread of the model, the language model beside it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, final

from vitrina.answers import Answer, Answerer, ItemTexts, Turn
from vitrina.base.errors import ParameterError
from vitrina.rerank.rules.conditions import ITEM
from vitrina.service.batcher import TooBusyError
from vitrina.service.pipeline.pipeline import UNREAD
from vitrina.wire import AnswerAnswer, AnswerRequest, CitationOut, RecommendRequest, SentenceOut

if TYPE_CHECKING:
    from vitrina.service.pipeline import Pipeline
    from vitrina.service.settings import AnswerSettings

AT_ONCE = 16  # questions that language models work on; more are refused, so that threads and money don't run away
WAIT = 2.0  # seconds after which to try again


@final
class Answering:
    """The way to answers of one version of a model.

    Args:
        pipeline: finds, and says what may be shown.
        thread: of the pipeline.

    Raises:
        ParameterError: the model doesn't search, or the artifact has no table of items, or none with text.
    """

    def __init__(self, pipeline: Pipeline, thread: Executor, settings: AnswerSettings) -> None:
        if not pipeline.searches:
            raise ParameterError(UNREAD.format(model=f"The model {pipeline.recommender!r}"))
        table = pipeline.columns.table
        if table is None:
            raise ParameterError("Answers cite what is said of items, and this artifact has no table of them. Fit or build it with one.")
        ids = pipeline.recommender.vocabulary.as_text().ids
        frame = table.frame.with_columns(ids.alias(ITEM))
        texts = ItemTexts.of(
            frame, pipeline.recommender.vocabulary, id=ITEM, title=settings.title or table.title,
            columns=settings.columns or [name for name in table.frame.columns if name != ITEM],
        )  # fmt: skip
        answerer = Answerer(pipeline.whole, texts, settings.model, k=settings.k, rounds=settings.rounds, budget=settings.budget)
        self.answerer = answerer if settings.instructions is None else replace(answerer, instructions=settings.instructions)
        self._pipeline, self._thread, self._running = pipeline, thread, 0
        self._pool = ThreadPoolExecutor(AT_ONCE, "vitrina-answers")  # of its own: a language model that takes a minute holds up nobody else

    async def answer(self, request: AnswerRequest, *, traced: bool = False) -> AnswerAnswer:
        """What comes of a question.

        Raises:
            TooBusyError: too many questions are being answered.
            VitrinaError: the request can't be answered as it is.
        """
        if self._running >= AT_ONCE:
            raise TooBusyError(self._running, WAIT)
        self._running += 1
        try:
            asked = RecommendRequest(
                user=request.user, history=request.history, candidates=request.candidates, where=request.where, exclude=request.exclude,
                text=request.question, repeat=True,
            )  # fmt: skip
            history, eligible, notes = await asyncio.get_running_loop().run_in_executor(self._thread, self._pipeline.within, asked)
            turns = [Turn(turn.role, turn.text, turn.status) for turn in request.conversation]
            answer = partial(self.answerer.answer, request.question, history, turns, eligible=eligible)
            found = await asyncio.get_running_loop().run_in_executor(self._pool, answer)
        finally:
            self._running -= 1
        return told(found, self._pipeline.version, notes, traced=traced)


def told(found: Answer, version: str, notes: list[str], *, traced: bool) -> AnswerAnswer:
    """An answer as it goes over the wire. Notes on the way to it may hold words of the language model that nobody verified, and go with the trace."""
    sentences = [
        SentenceOut(cited.text, [CitationOut(str(one.item), one.title, one.quote) for one in cited.citations]) for cited in found.sentences
    ]
    return AnswerAnswer(
        found.status, found.text, [str(item) for item in found.items], sentences, found.code, [str(item) for item, _ in found.options],
        list(found.unanswered), found.language, found.by, version, found.ticket,
        [*notes, *(found.notes if traced else ())], found.trace.plain() if traced else None,
    )  # fmt: skip
