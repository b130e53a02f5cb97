"""Requests that wait are answered together, by one version, and none hurts another."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vitrina.base.errors import ParameterError
from vitrina.service.batcher import MOST, Batcher, TooBusyError
from vitrina.service.pipeline import Answered
from vitrina.wire import RecommendRequest, SimilarRequest


class Counted:
    """A pipeline that says how many were asked together."""

    def __init__(self, version="v1", *, each=0.0, budget=None, gate=None):
        self.version, self.each, self.budget, self.gate, self.sizes, self.threads = version, each, budget, gate, [], set()

    def answer(self, requests, *, traced=False, patient=False):
        self.sizes.append(len(requests))
        self.threads.add(threading.get_ident())
        if self.gate is not None:
            self.gate.wait()
        time.sleep(self.each * len(requests))
        if any(request.user == "boom" for request in requests):
            raise RuntimeError("the thread fell over")
        return [
            Answered([], error=ParameterError("no") if request.user == "wrong" else None, notes=[str(request.user)], version=self.version)
            for request in requests
        ]

    def similar(self, request):
        return Answered([], error=ParameterError("nothing is alike") if request.item == "wrong" else None)


def ask(pipeline, users, **settings):
    async def all_of_them():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(pipeline, thread, **settings)
            return await asyncio.gather(*[batcher.ask(RecommendRequest(user=user)) for user in users], return_exceptions=True)

    return asyncio.run(all_of_them())


def test_who_waits_is_answered_together_and_each_gets_its_own():
    pipeline, users = Counted(), [f"u{n}" for n in range(100)]
    answers = ask(pipeline, users)
    assert [one.notes for one in answers] == [[user] for user in users]
    assert sum(pipeline.sizes) == 100
    assert max(pipeline.sizes) == MOST
    assert len(pipeline.threads) == 1


def test_a_wrong_request_is_its_own_affair_and_a_thread_that_falls_over_goes_on():
    answers = ask(Counted(), ["a", "wrong", "b"])
    assert [type(one) for one in answers] == [Answered, ParameterError, Answered]

    async def twice():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(Counted(), thread)
            with pytest.raises(RuntimeError):
                await batcher.ask(RecommendRequest(user="boom"))
            with pytest.raises(ParameterError):
                await batcher.similar(SimilarRequest("wrong"))
            return await batcher.ask(RecommendRequest(user="a"))

    assert asyncio.run(twice()).notes == ["a"]


def test_more_than_may_wait_are_told_to_come_back():
    gate = threading.Event()

    async def crowd():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(Counted(gate=gate), thread, waiting=5)
            first = asyncio.create_task(batcher.ask(RecommendRequest(user="first")))
            await asyncio.sleep(0.05)
            others = [asyncio.create_task(batcher.ask(RecommendRequest(user=f"u{n}"))) for n in range(5)]
            await asyncio.sleep(0)
            assert batcher.depth == 5
            with pytest.raises(TooBusyError, match="Try again") as refused:
                await batcher.ask(RecommendRequest(user="late"))
            others[0].cancel()  # who goes away is not waited for
            gate.set()
            return refused.value.retry_after, [one.notes[0] for one in await asyncio.gather(first, *others[1:])]

    assert asyncio.run(crowd()) == (1.0, ["first", "u1", "u2", "u3", "u4"])


def test_batches_are_as_large_as_the_budget_of_sources_bears():
    slow = Counted(each=0.004, budget=0.05)
    ask(slow, [f"u{n}" for n in range(90)])
    assert max(slow.sizes[1:]) <= 8  # of 4 ms each in half of 50 ms
    quick = Counted(each=0.0001, budget=0.05)
    ask(quick, [f"u{n}" for n in range(90)])
    assert MOST in quick.sizes
