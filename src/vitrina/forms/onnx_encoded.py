"""A sequence model that answers by ONNX: what `vitrina.sequence` fitted, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from vitrina.base.errors import ArtifactError, MissingExtraError
from vitrina.base.kernels import THREADS
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.event_codes import KnownEvents
from vitrina.forms.windowed import Windowed
from vitrina.forms.windows import Sequences, own_counts, token_batches
from vitrina.types import Float32, Int64, Queries, ranges
from vitrina.vocabulary import Vocabulary

TIMED, UNTIMED = "timed.onnx", "untimed.onnx"  # the graphs, for histories with times and without
CELLS = 512  # tokens of one call, about: more, and short windows are filled up to long ones; fewer, and calls cost more than their work
LEAST = 1e-12  # norm of a vector that is divided by it, as in torch.nn.functional.normalize


def session_of(graph: bytes) -> Any:
    """What runs a graph, from as many threads as like to; its own threads wait without spinning.

    Raises:
        MissingExtraError: onnxruntime isn't installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("onnxruntime", "onnx", "A sequence model as ONNX") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@final
@dataclass(frozen=True, eq=False, repr=False)
class OnnxEncoded(Windowed):
    """score = state(history) . item, as `vitrina.sequence.Encoded` has it; the states come from a graph. `vt.load(folder, onnx=True)` gives one.

    Args:
        mask: (1, dim) what stands behind a history where the model asks by one.
        answering: plain values of what a sequence model needs to answer.
        graphs: ONNX, by `TIMED` and `UNTIMED`.

    Cost: a query costs the graph over its last `length` events, and items x dim.
    """

    mask: Float32  # (1, dim)
    answering: Mapping[str, Any]
    graphs: Mapping[str, bytes]

    @cached_property
    def sessions(self) -> dict[str, Any]:
        return {kind: session_of(graph) for kind, graph in self.graphs.items()}

    @property
    def length(self) -> int:
        return self.answering["length"]

    @cached_property
    def vectors(self) -> Float32:  # type: ignore[override]
        if self.answering["similarity"]["name"] != "CosineSimilarity":
            return self.table
        return self.table / np.maximum(np.sqrt((self.table * self.table).sum(axis=1, keepdims=True)), np.float32(LEAST))

    @property
    def reads_now(self) -> bool:
        return TIMED in self.graphs and self.answering.get("reads_now", True)

    @property
    def counts_own(self) -> bool:
        return self.answering["personal"] is not None

    def own(self, histories: Sequences) -> tuple[Int64, Int64, Float32]:
        return own_counts(histories, self.answering["personal"]["eps"])

    def states(self, queries: Queries, histories: Sequences) -> Float32:
        """Batches of similar length, order restored."""
        out = np.zeros((len(histories), self.table.shape[1]), np.float32)
        known = np.flatnonzero(histories.lengths > 0)
        for chosen in token_batches(histories.lengths[known], CELLS, None):
            kind, inputs = self._inputs(histories.take(known[chosen]), queries.kind_names)
            out[known[chosen]] = self.sessions[kind].run(None, inputs)[0]
        return out

    def _inputs(self, windows: Sequences, kind_names: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        """Which graph, and its inputs: the windows in a rectangle, oldest first, a mask behind each where the model asks by one."""
        masked = self.answering["objective"].get("name") == "ItemMasking"
        lengths = windows.lengths + masked
        shape = len(windows), int(lengths.max())
        tokens, cells = ranges(windows.start, windows.lengths), ranges(np.arange(shape[0]) * shape[1], windows.lengths)
        vectors = np.zeros((shape[0] * shape[1], self.table.shape[1]), np.float32)
        vectors[cells] = self.table[windows.rows[tokens]]
        if self.events is not None:
            vectors[cells] += self.events.of_windows(windows, tokens, kind_names)
        last = np.arange(shape[0]) * shape[1] + lengths - 1
        if masked:
            vectors[last] = self.mask
        inputs: dict[str, Any] = {"vectors": vectors.reshape(*shape, -1), "lengths": lengths}
        if windows.times is None or TIMED not in self.graphs:
            return UNTIMED, inputs
        now = windows.times[windows.stop - 1] if windows.now is None or not self.reads_now else windows.now
        times = np.zeros(shape[0] * shape[1], np.int64)
        times[cells] = windows.times[tokens]
        asked_at = times.copy()
        if masked:
            times[last] = now
        elif self.reads_now:
            asked_at[:-1] = times[1:]
        asked_at[last] = now
        return TIMED, inputs | {"times": times.reshape(shape), "asked_at": asked_at.reshape(shape)}

    def state(self) -> State:
        raise ArtifactError("This model was read to answer by ONNX alone. To save it, read it without: vt.load(folder).")

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> OnnxEncoded:
        """Of the state of `vitrina.sequence.Encoded`, whose config is in plain values, and the graphs as files."""
        arrays, graphs = state.arrays, {name: graph for name, graph in state.files.items() if isinstance(graph, bytes)}
        return cls(
            vocabulary, catalogue, arrays["codes"], np.array(arrays["table"]), arrays["body.mask"], state.config["answering"], graphs,
            events=KnownEvents.of_state(state),
        )  # fmt: skip
