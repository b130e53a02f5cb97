"""Requests that wait are answered together: the thread of the model takes what has come while it was busy."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import final

from vitrina.base.errors import VitrinaError
from vitrina.service.pipeline.answered import Answered
from vitrina.service.pipeline.pipeline import Pipeline
from vitrina.wire import RecommendRequest, SimilarRequest

MOST, FEW = 32, 8  # requests that are answered together; at first, while nobody knows how long they take


class TooBusyError(VitrinaError):
    """More requests wait for the model than may: come back in `retry_after` seconds."""

    def __init__(self, waiting: int, retry_after: float) -> None:
        super().__init__(f"{waiting:,} requests wait for an answer already. Try again in {retry_after:g} s.")
        self.retry_after = retry_after


Waiting = tuple[RecommendRequest, bool, asyncio.Future[Answered]]


@final
class Batcher:
    """The way to one pipeline, for a loop: a batch is answered by this pipeline and no other.

    There is no waiting for a batch to fill: where the thread is free a request goes alone. A batch has at most 32 requests, and no more than take half of the budget that
    its sources have, by how long the last ones took: else many requests at once would leave out the sources that answer them one by one.

    Args:
        pipeline: answers.
        thread: of one worker; several batchers may share it.
        waiting: requests that may wait at most.
    """

    def __init__(self, pipeline: Pipeline, thread: Executor, *, waiting: int = 1000) -> None:
        self.pipeline, self._thread, self._most_waiting = pipeline, thread, waiting
        self._waiting: deque[Waiting] = deque()
        self._running: asyncio.Task[None] | None = None
        self._most = FEW

    @property
    def depth(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def ask(self, request: RecommendRequest, *, traced: bool = False) -> Answered:
        """The answer of one request.

        Raises:
            TooBusyError: too many wait.
            VitrinaError: the request can't be answered as it is.
        """
        if len(self._waiting) >= self._most_waiting:
            raise TooBusyError(len(self._waiting), 1.0)
        mine: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, traced, mine))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        answered = await mine
        if answered.error is not None:
            raise answered.error
        return answered

    async def look(self, requests: Sequence[RecommendRequest]) -> list[Answered]:
        """The answers of several requests, however long sources take: for who compares models. What can't be answered has its `error`."""
        answer = partial(self.pipeline.answer, requests, patient=True)
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    async def similar(self, request: SimilarRequest) -> Answered:
        """Items like one.

        Raises:
            VitrinaError: the request can't be answered as it is.
        """
        answered = await asyncio.get_running_loop().run_in_executor(self._thread, self.pipeline.similar, request)
        if answered.error is not None:
            raise answered.error
        return answered

    async def _run(self) -> None:
        """Answer until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
            batch = [one for one in batch if not one[2].done()]  # who went away
            for traced in (False, True):
                part = [one for one in batch if one[1] == traced]
                if part:
                    await self._answer(loop, part, traced=traced)

    def _timed(self, requests: Sequence[RecommendRequest], *, traced: bool) -> tuple[list[Answered], float]:
        began = time.perf_counter()
        return self.pipeline.answer(requests, traced=traced), time.perf_counter() - began

    def _learn(self, seconds: float, requests: int) -> None:
        """How many requests may go together, by what the last ones took: up to twice as many as did, down to one."""
        budget = self.pipeline.budget
        fit = MOST if budget is None else int(budget / 2 * requests / max(seconds, 1e-6))
        self._most = max(1, min(fit, 2 * requests if fit < MOST else MOST, MOST))

    async def _answer(self, loop: asyncio.AbstractEventLoop, batch: Sequence[Waiting], *, traced: bool) -> None:
        try:
            requests = [request for request, _, _ in batch]
            answers, seconds = await loop.run_in_executor(self._thread, partial(self._timed, requests, traced=traced))
        except BaseException as error:
            for _, _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        if not traced:
            self._learn(seconds, len(batch))
        for (_, _, future), answered in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answered)
