"""One route in a framework on a server: a request for 10 recommendations is decoded and checked, and 10 rows are answered. Run by `benchmarks.speed.service_frameworks`.

python web_frameworks.py starlette|litestar|fastapi uvicorn|granian PORT
"""

from __future__ import annotations

import sys
from typing import Any

ITEMS = [f"item-{n:06d}" for n in range(10)]


def starlette() -> Any:
    """Starlette with msgspec: as the service is built."""
    import msgspec
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    Asked, Row, Answer = _structs()
    decoder, encoder = msgspec.json.Decoder(Asked), msgspec.json.Encoder()

    async def recommend(request: Request) -> Response:
        asked = decoder.decode(await request.body())
        rows = [Row(item=item, rank=rank, score=1 / rank, source="model") for rank, item in enumerate(ITEMS[: asked.k], 1)]
        return Response(encoder.encode(Answer(recommendation_id="r", items=rows)), media_type="application/json")

    return Starlette(routes=[Route("/v1/recommend", recommend, methods=["POST"])])


def litestar() -> Any:
    from litestar import Litestar, post

    Asked, Row, Answer = _structs()

    async def recommend(data: Asked) -> Answer:  # type: ignore[valid-type]
        rows = [Row(item=item, rank=rank, score=1 / rank, source="model") for rank, item in enumerate(ITEMS[: data.k], 1)]
        return Answer(recommendation_id="r", items=rows)

    recommend.__annotations__ = {"data": Asked, "return": Answer}
    return Litestar(route_handlers=[post("/v1/recommend", status_code=200)(recommend)], openapi_config=None)


def fastapi() -> Any:
    from fastapi import FastAPI
    from pydantic import BaseModel, Field

    class Asked(BaseModel):
        user: str | None = None
        k: int = Field(10, ge=1, le=1000)
        scenario: str = "default"
        exclude: list[str] = []

    class Row(BaseModel):
        item: str
        rank: int
        score: float | None
        source: str

    class Answer(BaseModel):
        recommendation_id: str
        items: list[Row]

    async def recommend(asked: Asked) -> Answer:
        rows = [Row(item=item, rank=rank, score=1 / rank, source="model") for rank, item in enumerate(ITEMS[: asked.k], 1)]
        return Answer(recommendation_id="r", items=rows)

    recommend.__annotations__ = {"asked": Asked, "return": Answer}
    app = FastAPI()
    app.post("/v1/recommend")(recommend)
    return app


def _structs() -> tuple[Any, Any, Any]:
    from typing import Annotated

    from msgspec import Meta, Struct, defstruct

    Asked = defstruct(
        "Asked",
        [
            ("user", str | None, None),
            ("k", Annotated[int, Meta(ge=1, le=1000)], 10),
            ("scenario", str, "default"),
            ("exclude", list[str], []),
        ],
    )
    Row: type[Struct] = defstruct("Row", [("item", str), ("rank", int), ("score", float | None), ("source", str)])
    return Asked, Row, defstruct("Answer", [("recommendation_id", str), ("items", list[Row])])


APPS = {"starlette": starlette, "litestar": litestar, "fastapi": fastapi}


def main() -> None:
    framework, server, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if server == "uvicorn":
        import uvicorn

        uvicorn.run(APPS[framework](), host="127.0.0.1", port=port, log_level="warning", access_log=False, loop="uvloop", http="httptools")
        return
    import asyncio

    import uvloop
    from granian.constants import Interfaces
    from granian.server.embed import Server  # in this process, so that ending it ends everything

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(Server(APPS[framework](), address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False).serve())


if __name__ == "__main__":
    main()
