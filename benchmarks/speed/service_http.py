"""What an answer of ten rows costs beside the model and the network, and of what: rows of Markdown.

    python -m benchmarks.speed.service_http [--requests 5_000] [--rounds 9]

The application is called as a server calls it, with a tenant that has its answer ready: route, key, limits, strict decoding, the answer as JSON, counting. Beside it
Starlette with msgspec, which does the decoding and the JSON alone. Seconds are the processor's, the best round of each; rounds of both take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.kit.machine import machine
from vitrina.service.app import Application
from vitrina.service.auth import Auth
from vitrina.service.decoding import canonical, decoded
from vitrina.service.metrics import Metrics
from vitrina.service.routes import API
from vitrina.service.settings import Key, ScenarioSettings, Settings, hash_of
from vitrina.wire import RecommendAnswer, RecommendedItem, RecommendRequest

BODY = b'{"user": "u123", "k": 10, "scenario": "default"}'
KEY = "vt_of_the_benchmark"
ANSWER = RecommendAnswer("r-1", "default", "v-1", [RecommendedItem(f"item-{i}", i, 1 / i, "model", f"Title {i}") for i in range(1, 11)])
DECODER, encode = msgspec.json.Decoder(RecommendRequest), msgspec.json.Encoder().encode
HEADERS = [
    (b"host", b"localhost:8000"), (b"user-agent", b"python-httpx/0.28"), (b"accept", b"*/*"), (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(BODY)), (b"x-api-key", KEY.encode()),
]  # fmt: skip


def ours(folder: Path, keys: int = 3) -> Application:
    """The application over a tenant that has its answer ready."""

    async def recommend(request: RecommendRequest) -> tuple[RecommendAnswer, None]:
        return ANSWER, None

    known = {f"k{i}": Key(hash=hash_of(KEY if i == 0 else f"{KEY}{i}")) for i in range(keys)}
    settings = Settings(scenarios={"default": ScenarioSettings(artifact=folder)}, keys=known, state=folder)
    tenant: Any = SimpleNamespace(recommend=recommend, scenarios={"default": None})
    service: Any = SimpleNamespace(settings=settings, tenants={"default": tenant}, metrics=Metrics())
    return Application(service, API, Auth.of(settings), None)


def bare() -> Starlette:
    """A route of Starlette that decodes and answers."""

    async def recommend(request: Request) -> Response:
        DECODER.decode(await request.body())
        return Response(encode(ANSWER), media_type="application/json")

    return Starlette(routes=[Route("/v1/recommend", recommend, methods=["POST"])])


async def asked(app: Any, requests: int) -> None:
    """So many requests, one after the other."""
    statuses = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        statuses.add(message.get("status", 200))

    for _ in range(requests):
        scope = {
            "type": "http", "method": "POST", "path": "/v1/recommend", "raw_path": b"/v1/recommend", "query_string": b"", "headers": HEADERS,
            "root_path": "", "state": {},
        }  # fmt: skip
        await app(scope, receive, send)
    assert statuses == {200}, statuses


def microseconds(works: dict[str, Callable[[], Any]], requests: int, rounds: int) -> dict[str, float]:
    """Of the processor per request, the best round of each; rounds take turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            best[name] = min(best[name], (time.process_time() - start) / requests * 1e6)
    return best


def repeated(call: Callable[[], Any], requests: int) -> None:
    for _ in range(requests):
        call()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = ours(Path(folder))
        auth, metrics = Auth.of(app.service.settings), Metrics()
    whole = {"the service": app, "Starlette + msgspec": bare()}
    parts: dict[str, Callable[[], Any]] = {
        "decoding, strictly": lambda: canonical(decoded(BODY, DECODER, 16)),
        "JSON of the answer": lambda: encode(ANSWER),
        "key, of three": lambda: auth.caller({b"x-api-key": KEY.encode()}),
        "counting": lambda: metrics.request("/v1/recommend", 200, 0.01),
    }
    n = options.requests
    works = {name: partial(lambda one: asyncio.run(asked(one, n)), one) for name, one in whole.items()}
    works |= {name: partial(repeated, call, n) for name, call in parts.items()}
    found = microseconds(works, n, options.rounds)
    print(f"{n:,} requests, the best of {options.rounds} rounds. {machine()}.\n")
    print("| what | microseconds of the processor per answer of 10 rows | of Starlette + msgspec |")
    print("|---|---|---|")
    for name, one in sorted(found.items(), key=lambda row: row[0] not in whole):
        print(f"| {name if name in whole else f'of it {name}'} | {one:.1f} | {one / found['Starlette + msgspec']:.2f} |")


if __name__ == "__main__":
    main()
