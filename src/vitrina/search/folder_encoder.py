"""An encoder that lies in a folder, as sentence-transformers writes it."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.arrays import Float32
from vitrina.base.config import Config
from vitrina.base.errors import DataError, MissingExtraError
from vitrina.search.encoder import batches, encoded, padded
from vitrina.search.packaged import session_of, tokenizer_of

GRAPHS = ("onnx/model.onnx", "model.onnx", "onnx/model_quantized.onnx", "onnx/model_qint8_avx512.onnx", "onnx/model_quint8_avx2.onnx")
NAMES = ("input_ids", "attention_mask", "token_type_ids")


@final
class FolderEncoder(Config):
    """An encoder in a folder of sentence-transformers: by its ONNX graph where there is one (extra `encoder`), else by that library, which reads safetensors.

    How the states of the tokens become one vector stands in `1_Pooling/config.json`: their mean, or the first.

    Args:
        path: the folder; an artifact that is read elsewhere needs it in the same place.
        tokens: of a text that are read; None takes what the folder says, at most 512.
        batch: tokens that are worked on at a time.
        threads: of the processor that one call uses.

    Raises:
        DataError: the folder holds no such model; says which file is missing.
        MissingExtraError: onnxruntime and tokenizers aren't installed, or sentence-transformers where there is no graph.
    """

    path: str
    tokens: int | None = Field(default=None, ge=8)
    batch: int = Field(default=512, ge=1)
    threads: int = Field(default=1, ge=1)

    @property
    def dim(self) -> int:
        return _loaded(self.path, self.tokens, self.threads).dim

    def encode(self, texts: pl.Series) -> Float32:
        """(texts, dim) of each text."""
        return encoded(texts, self.dim, self._vectors)

    def _vectors(self, texts: list[str]) -> Float32:
        model = _loaded(self.path, self.tokens, self.threads)
        if model.library is not None:
            return np.asarray(model.library.encode(texts, show_progress_bar=False), np.float32)
        rows = [found.ids for found in model.tokenizer.encode_batch(texts)]
        out = np.empty((len(texts), model.dim), np.float32)
        wanted = {one.name for one in model.session.get_inputs()}
        for part in batches([len(row) for row in rows], self.batch):
            numbers, mask = padded([rows[at] for at in part])
            given = dict(zip(NAMES, (numbers, mask, np.zeros_like(numbers)), strict=True))
            states = model.session.run(None, {name: given[name] for name in wanted})[0]
            out[part] = states[:, 0] if model.first else (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]
        return out


class _Loaded(NamedTuple):
    dim: int
    first: bool = False  # the state of the first token, and not the mean of all
    tokenizer: Any = None
    session: Any = None
    library: Any = None


@cache
def _loaded(path: str, tokens: int | None, threads: int) -> _Loaded:
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {path!r} with an encoder (looked from {Path.cwd()}). Name one that sentence-transformers wrote."
        )
    graph = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
    if graph is None:
        return _by_library(folder, tokens)
    if not (folder / "tokenizer.json").is_file():
        raise DataError(f"The encoder in {path!r} has no tokenizer.json. Save it again with a fast tokenizer.")
    try:
        import onnxruntime  # noqa: PLC0415  an extra
        from tokenizers import Tokenizer  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingExtraError.of(error.name or "onnxruntime", "encoder", "An encoder in a folder") from None
    pooling, length = _said(folder / "1_Pooling" / "config.json"), _said(folder / "sentence_bert_config.json")
    first = bool(pooling.get("pooling_mode_cls_token"))
    if pooling and not first and not pooling.get("pooling_mode_mean_tokens"):
        raise DataError(f"The encoder in {path!r} pools otherwise than by the mean or the first token, which is all that is read here.")
    session = session_of(onnxruntime, graph, threads)
    tokenizer = tokenizer_of(
        Tokenizer.from_file(str(folder / "tokenizer.json")), tokens or min(int(length.get("max_seq_length") or 512), 512)
    )
    return _Loaded(int(session.get_outputs()[0].shape[-1]), first, tokenizer, session)


def _by_library(folder: Path, tokens: int | None) -> _Loaded:
    if not (folder / "modules.json").is_file():
        raise DataError(
            f"The folder {str(folder)!r} has neither an ONNX graph nor a modules.json: it holds no encoder of sentence-transformers."
        )
    try:
        library_of = importlib.import_module("sentence_transformers").SentenceTransformer
    except ImportError:
        raise MissingExtraError(
            f"The encoder in {str(folder)!r} has no ONNX graph, and without one it needs sentence-transformers. Install it with: "
            "pip install sentence-transformers; or write the graph beside it, as onnx/model.onnx."
        ) from None
    library = library_of(str(folder), device="cpu")
    library.max_seq_length = tokens or library.max_seq_length
    return _Loaded(int(library.get_sentence_embedding_dimension()), library=library)


def _said(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
