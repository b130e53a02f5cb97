"""An encoder behind HTTP."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any, final

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field

from vitrina.base.arrays import Float32
from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.language.endpoint import web_address
from vitrina.language.sending import Line
from vitrina.search.encoder import encoded


@final
class EndpointEncoder(Config):
    """An encoder behind HTTP, by the `/embeddings` of OpenAI's protocol (extra `language`): vLLM, Ollama, a gateway, or OpenAI itself.

    Requests are made again as those of `vt.language.Endpoint` are.

    Args:
        url: up to, and without, `/embeddings`.
        model: as the endpoint calls it.
        dim: numbers of a vector; an answer with others is refused.
        key_variable: the environment variable with the key, which is read for each call and stands nowhere else.
        batch: texts of one request.
        timeout: seconds that one try may take.
        retries: tries after the first.

    Raises:
        UnreachableError: there is no answer after all tries, or the endpoint refuses.
        DataError: the answer has other vectors than were asked for.
        ParameterError: the environment variable has no key.
        MissingExtraError: httpx isn't installed.
    """

    url: Annotated[str, AfterValidator(web_address)]
    model: str
    dim: int = Field(ge=1)
    key_variable: str | None = None
    batch: int = Field(default=64, ge=1)
    timeout: float = Field(default=30.0, gt=0)
    retries: int = Field(default=4, ge=0)

    def encode(self, texts: pl.Series) -> Float32:
        """(texts, dim) of each text."""
        return encoded(texts, self.dim, self._vectors)

    def _vectors(self, texts: list[str]) -> Float32:
        key = None if self.key_variable is None else os.environ.get(self.key_variable, "").strip()
        if key == "":
            raise ParameterError(
                f"The environment variable {self.key_variable!r} has no key for {self.model}. Set it, or name another as 'key_variable'.",
                owner="EndpointEncoder",
                parameter="key_variable",
            )
        line = _line(self.url, self.timeout, self.retries)
        parts = [texts[first : first + self.batch] for first in range(0, len(texts), self.batch)]
        return np.concatenate([self._read(line.post({"model": self.model, "input": part}, key), len(part)) for part in parts])

    def _read(self, answer: Any, count: int) -> Float32:
        """The vectors of an answer, in the order of the texts."""
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], np.float32)
            places = [row["index"] for row in rows]
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"{self.url} answered {self.model} without vectors: its answer has no list 'data' of 'index' and 'embedding'."
            ) from None
        if vectors.shape != (count, self.dim) or places != list(range(count)) or not np.isfinite(vectors).all():
            raise DataError(
                f"{self.url} was asked for {count:,} vectors of {self.dim} numbers of {self.model}, and gave {vectors.shape}. Set 'dim' to what the model gives."
            )
        return vectors


@cache
def _line(url: str, timeout: float, retries: int) -> Line:
    return Line(url, timeout, retries, "/embeddings")
