"""The body of a sequence model as ONNX, so that it answers where there is no PyTorch."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.forms.onnx_encoded import TIMED, UNTIMED, session_of
from vitrina.sequence.layout import Layout
from vitrina.sequence.network import CosineSimilarity, DotProduct
from vitrina.sequence.objectives import ItemMasking, Objective
from vitrina.sequence.recommender import Encoded

OPSET = 17
SAME = 1e-5  # of the largest part of a state
DAY = 86_400_000_000


def graphs(encoded: Encoded) -> Mapping[str, bytes]:
    """A fitted sequence model as ONNX graphs: (windows, width, dim) vectors of tokens and (windows,) lengths to (windows, dim) states.

    One where times don't matter; where they do (`HSTU`), one for histories with times and one for those without. What a graph says is compared with
    what PyTorch says, over several widths and numbers of windows, before it is given out.

    Raises:
        ParameterError: a part of the model can't be exported: features of persons, and parts of your own that say more than a graph takes.
        MissingExtraError: onnx isn't installed.

    Cost: half a second per layer.
    """
    reason = why_not(encoded)
    if reason is not None:
        raise ParameterError(f"This sequence model can't be written as ONNX: {reason} It answers by PyTorch.")
    _require_onnx()
    kinds = (TIMED, UNTIMED) if encoded.answering.block.needs_time else (UNTIMED,)
    return {kind: _checked(encoded, _exported(encoded, kind), kind) for kind in kinds}


def why_not(encoded: Encoded) -> str | None:
    """What of a model a graph can't say, as far as that is known before one is tried."""
    answering = encoded.answering
    if encoded.users is not None:
        return "it reads features of persons, which are looked up in tables of the fit."
    if type(answering.similarity) not in (DotProduct, CosineSimilarity):
        return f"its {type(answering.similarity).__name__} is none of Vitrina's."
    if type(answering.objective).question not in (Objective.question, ItemMasking.question):
        return f"its {type(answering.objective).__name__} asks visitors in a way of its own."
    return None


@final
class Rectangle(Layout):
    """Windows that stand in their rectangle already: token t of window w is token w * width + t, and tokens behind the end of a window are none.

    So every block of packed tokens is a graph over rectangles, without another way of writing it.
    """

    def __init__(self, lengths: Tensor, width: Any, times: Tensor | None = None, asked_at: Tensor | None = None) -> None:
        super().__init__(lengths, times, asked_at)
        object.__setattr__(self, "_width", width)

    @property
    def width(self) -> Any:  # type: ignore[override]  # a number of the graph, not of this call
        return self.__dict__["_width"]

    @property
    def full(self) -> bool:  # type: ignore[override]
        return False

    @cached_property
    def starts(self) -> Tensor:
        return torch.arange(self.lengths.shape[0]) * self.width

    @cached_property
    def window(self) -> Tensor:
        return torch.arange(self.lengths.shape[0])[:, None].expand(-1, self.width).reshape(-1)

    @cached_property
    def place(self) -> Tensor:
        return torch.arange(self.width).expand(self.lengths.shape[0], -1).reshape(-1)

    @cached_property
    def from_end(self) -> Tensor:
        return (self.lengths[:, None] - 1 - torch.arange(self.width)).clamp(min=0).reshape(-1)

    def pad(self, packed: Tensor) -> Tensor:
        cells = packed.reshape(self.lengths.shape[0], self.width, *packed.shape[1:])
        real = self.real.reshape(self.lengths.shape[0], self.width, *[1] * (cells.dim() - 2))
        return torch.where(real, cells, torch.zeros((), dtype=cells.dtype))

    def pack(self, padded: Tensor) -> Tensor:
        return padded.reshape(-1, *padded.shape[2:])


@final
class _Asked(nn.Module):
    """The last token of each window, through body and similarity."""

    def __init__(self, encoded: Encoded) -> None:
        super().__init__()
        self.body, self.answering = encoded.body, encoded.answering

    def forward(self, vectors: Tensor, lengths: Tensor, times: Tensor | None = None, asked_at: Tensor | None = None) -> Tensor:
        width, dim = vectors.shape[1:]
        moments = [None if given is None else given.reshape(-1) for given in (times, asked_at)]
        layout = Rectangle(lengths, width, *moments)
        states = self.body.states(vectors.reshape(-1, dim), layout, layout.last, self.answering.objective.causal)
        return self.answering.similarity.states(states)


def _exported(encoded: Encoded, kind: str) -> bytes:
    example = _example(encoded, np.array([3, 1]), kind, np.random.default_rng(0))
    names = list(example)
    axes = {name: {0: "windows"} if name == "lengths" else {0: "windows", 1: "width"} for name in names}
    out: Any = io.BytesIO()  # which the exporter that is asked for takes
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer warns of every size that it takes for a constant; `_checked` sees those that are none
        torch.onnx.export(
            _Asked(encoded).eval(), tuple(map(torch.from_numpy, example.values())), out, dynamo=False, opset_version=OPSET,
            input_names=names, output_names=["states"], dynamic_axes=axes,
        )  # fmt: skip
    return out.getvalue()


def _checked(encoded: Encoded, graph: bytes, kind: str) -> bytes:
    """The graph, where it says what PyTorch says.

    Raises:
        ParameterError: it doesn't.
    """
    rng, asked, most = np.random.default_rng(1), _Asked(encoded).eval(), encoded.answering.length
    session = session_of(graph)
    for lengths in (np.array([1]), np.array([most]), rng.integers(1, most + 1, 7), rng.integers(1, 3, 33)):
        inputs = _example(encoded, lengths, kind, rng)
        with torch.inference_mode():
            expected = asked(*map(torch.from_numpy, inputs.values())).numpy()
        apart = float(np.abs(session.run(None, inputs)[0] - expected).max())
        if not apart <= SAME * max(float(np.abs(expected).max()), 1.0):
            raise ParameterError(
                f"This sequence model can't be written as ONNX: its graph is off by {apart:.2g} for {len(lengths)} windows. It answers by PyTorch."
            )
    return graph


def _example(encoded: Encoded, lengths: Any, kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """Inputs of a graph that mean nothing."""
    shape = len(lengths), int(lengths.max())
    scale = float(encoded.table.std()) or 1.0 if encoded.table.size else 1.0
    inputs: dict[str, Any] = {
        "vectors": (rng.standard_normal((*shape, encoded.answering.dim)) * scale).astype(np.float32),
        "lengths": lengths.astype(np.int64),
    }
    if kind == TIMED:
        times = np.sort(rng.integers(0, 100 * DAY, shape), axis=1)
        inputs |= {"times": times, "asked_at": np.append(times[:, 1:], times[:, -1:] + DAY, axis=1)}
    return inputs


def _require_onnx() -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        import onnx  # noqa: F401, PLC0415  an extra
        import onnxruntime  # noqa: F401, PLC0415
    except ImportError:
        raise MissingExtraError.of("onnx and onnxruntime", "onnx", "Writing a sequence model as ONNX") from None
