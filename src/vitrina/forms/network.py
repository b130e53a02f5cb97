"""A small network as arrays: what a trained encoder does with a history, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
from scipy import sparse
from scipy.special import expit

from vitrina.base.state import Arrays, State
from vitrina.types import Float32

Activation = Literal["none", "tanh", "swish"]
TABLE = "inputs"  # what the array of the first product is called in an artifact
PARTS = ("weights", "bias", "scale", "shift")


@final
@dataclass(frozen=True, eq=False)
class Layer:
    """out = norm(activation(x weights + bias + the outputs of the layers of the run before it, where it is `residual`)).

    Args:
        bias: (out,).
        weights: (in, out); None for the first layer, whose product is the sum of rows of the network's table.
        activation: "none", "tanh", or "swish": x sigmoid(x).
        residual: whether the outputs of the layers before are added, back to the last that isn't residual.
        scale, shift: (out,) of a layer norm; None where there is none.
        eps: what the norm adds to the variance.
    """

    bias: Float32
    weights: Float32 | None = None
    activation: Activation = "none"
    residual: bool = False
    scale: Float32 | None = None
    shift: Float32 | None = None
    eps: float = 1e-5

    def __call__(self, x: Float32, before: Sequence[Float32]) -> Float32:
        out = (x if self.weights is None else x @ self.weights) + self.bias
        for other in before if self.residual else ():
            out += other
        if self.activation == "tanh":
            np.tanh(out, out=out)
        elif self.activation == "swish":
            out *= expit(out)
        if self.scale is None or self.shift is None:
            return out
        out -= out.mean(axis=1, keepdims=True)
        out /= np.sqrt(np.square(out).mean(axis=1, keepdims=True) + np.float32(self.eps))
        return out * self.scale + self.shift


@final
@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers over the sum of the table's rows of what a history holds.

    Args:
        inputs: (items, width of the first layer); zeros where an item is not known.
        layers: in their order.
        normalise: whether a history is brought to length 1 first.

    Cost: a query costs history x width, and the products of the layers.

    >>> network = Network(np.eye(2, dtype=np.float32), (Layer(np.zeros(2, np.float32)),), normalise=True)
    >>> network.outputs(sparse.csr_matrix(np.array([[3, 4]], np.float32)))[-1].tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """

    inputs: Float32
    layers: tuple[Layer, ...]
    normalise: bool = field(default=True)

    def outputs(self, histories: sparse.csr_matrix) -> list[Float32]:
        """(queries, width) what each layer gives for (queries, items) histories."""
        x, before, out = self._summed(histories), [], []
        for layer in self.layers:
            x = layer(x, before)
            before = [*before, x] if layer.residual else [x]
            out.append(x)
        return out

    def _summed(self, histories: sparse.csr_matrix) -> Float32:
        """(queries, width) the weighted sums of the table's rows."""
        sums = np.asarray(histories @ self.inputs, np.float32)
        if self.normalise:
            squares = np.asarray(histories.multiply(histories).sum(axis=1), np.float32)
            sums /= np.sqrt(np.where(squares > 0, squares, 1))
        return sums

    def state(self) -> State:
        """What an artifact keeps of it."""
        arrays: dict[str, Any] = {TABLE: self.inputs}
        for number, layer in enumerate(self.layers):
            arrays |= {f"{number}.{part}": array for part in PARTS if (array := getattr(layer, part)) is not None}
        shapes = [{"activation": layer.activation, "residual": layer.residual, "eps": layer.eps} for layer in self.layers]
        return State({"layers": shapes, "normalise": self.normalise}, arrays)

    @classmethod
    def of_state(cls, config: Any, arrays: Arrays) -> Network:
        """The inverse of `state`."""
        layers = tuple(
            Layer(**{part: arrays[name] for part in PARTS if (name := f"{number}.{part}") in arrays}, **shape)
            for number, shape in enumerate(config["layers"])
        )
        return cls(arrays[TABLE], layers, config["normalise"])
