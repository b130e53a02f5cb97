"""Cross-encoders: a model that reads what was typed and a text of an item together; their score is one feature of a ranker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import DataError, MissingExtraError, ParameterError
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.features.scores import places_in_lists
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.search.features import Names, texts_of
from vitrina.types import Float32


class CrossEncoder(Config, ABC):
    """The base of a cross-encoder: a frozen config with one method. One of your own stands at the top of a module, as a model does.

    >>> import numpy as np, vitrina as vt
    >>> class Shared(vt.search.CrossEncoder):
    ...     def score(self, texts, item_texts):
    ...         return np.array([len(set(a.split()) & set(b.split())) for a, b in zip(texts, item_texts)], np.float32)
    >>> Shared().score(["green tea"], ["tea, green"]).tolist()
    [1.0]
    """

    @abstractmethod
    def score(self, texts: Sequence[str], item_texts: Sequence[str]) -> Float32:
        """(pairs,) how well each item answers each text, on any scale."""


@final
class HttpCrossEncoder(CrossEncoder):
    """A cross-encoder behind an endpoint of the form that Jina, Cohere, vLLM and text-embeddings-inference share (extra `language`).

    One request per text and `batch` items: `{"model", "query", "documents"}`, answered by `{"results": [{"index", "relevance_score"}]}`.

    Args:
        url: of the endpoint, such as http://localhost:8000/v1/rerank.
        model: what the endpoint calls the model.
        key_variable: the variable of the environment that holds the key; None sends none.
        batch: items per request.
        seconds: that a request may take.

    Raises:
        DataError: the endpoint fails, or doesn't answer with a finite score for each item.
        MissingExtraError: httpx isn't installed.
    """

    url: str = Field(pattern=r"^https?://")
    model: str = ""
    key_variable: str | None = None
    batch: int = Field(default=64, ge=1)
    seconds: float = Field(default=10.0, gt=0)

    def score(self, texts: Sequence[str], item_texts: Sequence[str]) -> Float32:
        return self.asked(texts, item_texts)

    def asked(self, texts: Sequence[str], item_texts: Sequence[str], transport: Any = None) -> Float32:
        """The same, over another transport of httpx."""
        httpx = _httpx()
        out = np.empty(len(texts), np.float32)
        with httpx.Client(timeout=self.seconds, headers=self._headers(), transport=transport) as client:
            for rows in _of_one_text(texts, self.batch):
                body = {"query": texts[rows[0]], "documents": [item_texts[row] for row in rows]} | (
                    {"model": self.model} if self.model else {}
                )
                try:
                    answer = client.post(self.url, json=body)
                    answer.raise_for_status()
                    told = answer.json()
                except (httpx.HTTPError, ValueError) as error:
                    raise DataError(
                        f"The cross-encoder at {self.url} has not answered: {error}. See whether it runs and what it logs."
                    ) from None
                out[rows] = self._read(told, len(rows))
        return out

    def _headers(self) -> dict[str, str]:
        if self.key_variable is None:
            return {}
        import os  # noqa: PLC0415

        key = os.environ.get(self.key_variable)
        if key is None:
            raise ParameterError(
                f"The key of {self.url} is read from the variable {self.key_variable}, which isn't set.", parameter="key_variable"
            )
        return {"Authorization": f"Bearer {key}"}

    def _read(self, told: Any, wanted: int) -> Float32:
        scores = np.full(wanted, np.nan, np.float32)
        results = told.get("results") if isinstance(told, dict) else told
        for one in results if isinstance(results, list) else ():
            index, score = one.get("index"), one.get("relevance_score", one.get("score"))
            if isinstance(index, int) and 0 <= index < wanted and isinstance(score, (int, float)):
                scores[index] = score
        if not np.isfinite(scores).all():
            raise DataError(
                f"The cross-encoder at {self.url} must give each of {wanted} items a finite relevance_score. Got {str(told)[:200]}."
            )
        return scores


@final
class OnnxCrossEncoder(CrossEncoder):
    """A cross-encoder as a folder with `model.onnx` and `tokenizer.json`, as sentence-transformers exports them (extra `search`).

    The score is the logit of the first output; of several classes the last one's less the first one's.

    Args:
        folder: with both files.
        tokens: of a pair, at most; what is longer is cut.
        batch: pairs at a time.
        threads: that a pair may use.

    Raises:
        DataError: a file is missing.
        MissingExtraError: onnxruntime or tokenizers isn't installed.
    """

    folder: str
    tokens: int = Field(default=256, ge=8)
    batch: int = Field(default=32, ge=1)
    threads: int = Field(default=1, ge=1)

    def score(self, texts: Sequence[str], item_texts: Sequence[str]) -> Float32:
        tokenizer, session = _loaded(self.folder, self.tokens, self.threads)
        wanted = {given.name for given in session.get_inputs()}
        out = np.empty(len(texts), np.float32)
        for first in range(0, len(texts), self.batch):
            rows = slice(first, first + self.batch)
            coded = tokenizer.encode_batch(list(zip(texts[rows], item_texts[rows], strict=True)))
            columns = {
                "input_ids": [one.ids for one in coded], "attention_mask": [one.attention_mask for one in coded],
                "token_type_ids": [one.type_ids for one in coded],
            }  # fmt: skip
            logits = session.run(None, {name: np.array(column, np.int64) for name, column in columns.items() if name in wanted})[0]
            logits = np.asarray(logits, np.float32).reshape(len(coded), -1)
            out[rows] = logits[:, 0] if logits.shape[1] == 1 else logits[:, -1] - logits[:, 0]
        return out


@final
class CrossScore(FeatureGroup):
    """What a cross-encoder says of the first candidates: "cross-encoder: score"; missing of the others, and where nothing was typed.

    Args:
        encoder: says it.
        columns: of the item table, whose texts it reads one after the other.
        most: candidates per query that it reads, those that stand highest in any list: it is by far the slowest feature.

    Cost: `most` calls of the encoder per query; the texts of all items.
    """

    encoder: CrossEncoder
    columns: Names = ("title",)
    most: int = Field(default=50, ge=1)

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        joined = pl.select(pl.concat_str(texts_of(data, self.columns), separator=" ", ignore_nulls=True)).to_series()
        bodies = [text.encode() for text in joined.to_list()]
        starts = np.append(0, np.cumsum([len(body) for body in bodies])).astype(np.int64)
        return {"starts": starts, "bytes": np.frombuffer(b"".join(bodies), np.uint8)}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        scores = np.full(len(pairs), np.nan, np.float32)
        texts, starts, body = pairs.queries.texts, learned["starts"], learned["bytes"]
        if texts is None or not len(pairs):
            return {"cross-encoder: score": scores}
        typed = texts.is_not_null().to_numpy()[pairs.rows] & (pairs.codes + 1 < len(starts))
        best = np.fmin.reduce(places_in_lists(pairs), axis=1)
        order = np.lexsort((pairs.codes, np.where(typed, best, np.inf), pairs.rows))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order)) - pairs.items.indptr[pairs.rows[order]]
        read = np.flatnonzero(typed & (place < self.most))
        asked = texts.gather(pairs.rows[read].astype(np.uint32)).to_list()
        codes = pairs.codes[read]
        said = [bytes(body[start:stop]).decode() for start, stop in zip(starts[codes], starts[codes + 1], strict=True)]
        found = np.asarray(self.encoder.score(asked, said), np.float32) if len(read) else np.empty(0, np.float32)
        if found.shape != (len(read),) or not np.isfinite(found).all():
            raise ParameterError(
                f"The 'score' of {type(self.encoder).__name__} must be a finite number per pair, ({len(read)},). Got the shape {found.shape}."
            )
        scores[read] = found
        return {"cross-encoder: score": scores}


def _of_one_text(texts: Sequence[str], most: int) -> list[list[int]]:
    """Rows of one text each, at most so many at a time."""
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows.setdefault(text, []).append(row)
    return [own[first : first + most] for own in rows.values() for first in range(0, len(own), most)]


@cache
def _loaded(folder: str, tokens: int, threads: int) -> tuple[Any, Any]:
    """The tokenizer and the model of a folder."""
    try:
        import onnxruntime  # noqa: PLC0415  an extra
        from tokenizers import Tokenizer  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError.of("onnxruntime and tokenizers", "search", "A cross-encoder in ONNX") from None
    files = [Path(folder, name) for name in ("tokenizer.json", "model.onnx")]
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise DataError(
            f"A cross-encoder is a folder with model.onnx and tokenizer.json, and {missing} isn't there. Export the model to ONNX there."
        )
    tokenizer = Tokenizer.from_file(str(files[0]))
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return tokenizer, onnxruntime.InferenceSession(str(files[1]), options, providers=["CPUExecutionProvider"])


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("httpx", "language", "A cross-encoder behind an endpoint") from None
    return httpx
