"""Limits beside slow and obvious oracles."""

import asyncio
import random

import httpx
import pytest
from fake_service import fake_service

from vitrina.service.app import application
from vitrina.service.limits import Bucket, Deadlines, Gate
from vitrina.service.problems import RefusedError
from vitrina.service.settings import Limits


@pytest.mark.parametrize("seed", range(200))
def test_a_bucket_beside_one_that_drips(seed):
    """Oracle: tokens drip in steps of 1 ms, and are counted as whole thousandths."""
    draw = random.Random(seed)
    rate, burst = draw.randint(1, 50), draw.randint(1, 10)
    bucket = Bucket(rate, burst, 0.0)
    thousandths, now = burst * 1000, 0
    for _ in range(100):
        step = draw.choice([0, 1, 10, 100, 1000])
        now += step
        for _ in range(step):
            thousandths = min(burst * 1000, thousandths + rate)
        wait = bucket.wait(now / 1000)
        if thousandths >= 1000:
            assert wait < 1e-9
            thousandths -= 1000
        else:
            assert wait == pytest.approx((1000 - thousandths) / rate / 1000, abs=1e-6)


def test_a_gate_lets_in_as_many_as_it_says():
    gate = Gate(1)
    with gate, pytest.raises(RefusedError, match="1 requests wait"), gate:
        raise AssertionError
    with gate:
        assert gate.inside == 1


def test_deadlines_end_what_is_late_and_nothing_else():
    async def work():
        deadlines = Deadlines(0.2)

        async def one(seconds):
            await asyncio.sleep(seconds)
            return seconds

        found = await asyncio.gather(
            *(asyncio.create_task(deadlines.within(one(s))) for s in (0.0, 5.0, 0.1, 5.0, 0.15)), return_exceptions=True
        )
        assert [type(one) for one in found] == [float, TimeoutError, float, TimeoutError, float]
        assert len(deadlines) == 0
        stopped = asyncio.create_task(deadlines.within(one(5.0)))
        await asyncio.sleep(0.01)
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.create_task(deadlines.within(one(5.0)))

    asyncio.run(work())


def test_who_comes_while_too_many_wait_and_who_waits_too_long_is_told_so(tmp_path):
    service = fake_service(tmp_path, limits=Limits(waiting=2, seconds=0.3))

    async def slow(request, *, traced=False):
        await asyncio.sleep(60)

    async def work():
        service.tenants["default"].recommend = slow
        transport = httpx.ASGITransport(application(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={"X-API-Key": "vt_all"}) as client:
            answers = await asyncio.gather(*(client.post("/v1/recommend", json={}) for _ in range(5)))
            assert (await client.get("/v1/models")).status_code == 200
        return answers

    answers = asyncio.run(work())
    assert {answer.status_code for answer in answers} == {503}
    assert sorted("wait for the model" in answer.text for answer in answers) == [False, False, True, True, True]
    assert all(answer.headers["retry-after"] == "1" for answer in answers)
    assert len([answer for answer in answers if "within 0.3 s" in answer.text]) == 2
