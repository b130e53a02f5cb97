"""The networks of the autoencoders while they are trained: each gives the loss of a batch, and its fitted form."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.autoencoders.bags import Bags
from vitrina.autoencoders.output import Columns, focal, multinomial
from vitrina.forms.autoencoder import Autoencoder, SigmoidProduct
from vitrina.forms.base import Form
from vitrina.forms.network import Activation, Layer, Network
from vitrina.sequence.fitting import Known
from vitrina.types import Float32, Int32

if TYPE_CHECKING:
    from vitrina.autoencoders.multvae import MultVAE
    from vitrina.autoencoders.recvae import RecVAE
    from vitrina.autoencoders.vasp import VASP

LOG_2PI = math.log(2 * math.pi)
UNIFORM_LOG_VARIANCE = 10.0  # of the widest part of RecVAE's prior
FIRST_STD = 0.01  # of the entries of VASP's linear map at the start


class Dense(nn.Module):
    """A layer of `Stack`; the first product is done outside, with the table."""

    def __init__(
        self, inputs: int | None, outputs: int, activation: Activation, *, residual: bool = False, eps: float | None = None
    ) -> None:
        super().__init__()
        self.linear = None if inputs is None else nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.norm = None if eps is None else nn.LayerNorm(outputs, eps=eps)
        self.activation: Activation = activation
        self.residual = residual
        if self.linear is not None:
            nn.init.xavier_normal_(self.linear.weight)

    def forward(self, x: Tensor, before: list[Tensor]) -> Tensor:
        out = self.bias + (x if self.linear is None else self.linear(x))
        for other in before if self.residual else ():
            out = out + other
        out = {"none": lambda v: v, "tanh": torch.tanh, "swish": F.silu}[self.activation](out)
        return out if self.norm is None else self.norm(out)

    def array_layer(self) -> Layer:
        """The same for `vitrina.forms.network`."""
        weights = None if self.linear is None else array_of(self.linear.weight.t())
        if self.norm is None:
            return Layer(array_of(self.bias), weights, self.activation, self.residual)
        scale, shift = array_of(self.norm.weight), array_of(self.norm.bias)
        return Layer(array_of(self.bias), weights, self.activation, self.residual, scale, shift, self.norm.eps)


@final
class Stack(nn.Module):
    """Dense layers, of which each residual one adds the outputs of those of the run before it."""

    def __init__(self, *layers: Dense) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @classmethod
    def residual(cls, inputs: int | None, width: int, count: int, eps: float) -> Stack:
        """`count` layers of swish and layer norm."""
        rest = [Dense(width, width, "swish", residual=True, eps=eps) for _ in range(count - 1)]
        return cls(Dense(inputs, width, "swish", eps=eps), *rest)

    def forward(self, x: Tensor) -> Tensor:
        before: list[Tensor] = []
        for layer in self.layers:
            x = layer(x, before)
            before.append(x)
        return x

    def array_layers(self) -> tuple[Layer, ...]:
        return tuple(layer.array_layer() for layer in self.layers)  # type: ignore[operator]


@final
class Gaussian(nn.Module):
    """Encoder: a table of items, a stack, and the mean and log variance of a state."""

    def __init__(self, items: int, stack: Stack, width: int, dim: int) -> None:
        super().__init__()
        self.inputs = nn.Parameter(torch.empty(items, width))
        self.stack, self.mean, self.log_variance = stack, Dense(width, dim, "none"), Dense(width, dim, "none")
        nn.init.xavier_normal_(self.inputs)

    def forward(self, bags: Bags, weights: Tensor) -> tuple[Tensor, Tensor]:
        """(people, dim) both; `weights` (entries,) are those of the history."""
        x = self.stack(F.embedding_bag(bags.targets, self.inputs, bags.indptr[:-1], mode="sum", per_sample_weights=weights))
        return self.mean(x, []), self.log_variance(x, [])

    def array_layers(self) -> tuple[Layer, ...]:
        """The layers to the mean."""
        return (*self.stack.array_layers(), self.mean.array_layer())


@final
class Scores(nn.Module):
    """The last product: vectors and biases of items."""

    def __init__(self, items: int, dim: int) -> None:
        super().__init__()
        self.table, self.bias = nn.Parameter(torch.empty(items, dim)), nn.Parameter(torch.zeros(items))
        nn.init.xavier_normal_(self.table)

    def of_items(self, codes: Int32, n_items: int) -> Float32:
        """(items, dim + 1) over the whole vocabulary, biases last."""
        return spread(torch.cat([self.table, self.bias[:, None]], 1), codes, n_items)


class VariationalNet(nn.Module, ABC):
    """What the trainer asks of a network."""

    phases: tuple[str, ...] = ("",)  # of the passes over the people that are an epoch

    @abstractmethod
    def loss(self, bags: Bags) -> Tensor:
        """The mean over the people of what they pay."""

    @abstractmethod
    def form(self, known: Known, codes: Int32) -> Form:
        """What the present weights answer; `codes` are those of the rows of the tables."""


@final
class MultVAENet(VariationalNet):
    """See `vitrina.autoencoders.multvae`."""

    def __init__(self, model: MultVAE, items: int) -> None:
        super().__init__()
        hidden, dim = model.sizes(items)
        self.model, self.items = model, items
        self.encoder = Gaussian(items, Stack(Dense(None, hidden, "tanh")), hidden, dim)
        self.decoder = Stack(Dense(dim, hidden, "tanh"))
        self.scores = Scores(items, hidden)

    def loss(self, bags: Bags) -> Tensor:
        mean, log_variance = self.encoder(bags, F.dropout(bags.unit_weights(), self.model.dropout))
        states = self.decoder(drawn(mean, log_variance))
        share = min(1.0, bags.epoch / self.model.annealing) if self.model.annealing else 1.0
        distance = standard_divergence(mean, log_variance).sum()
        columns = Columns.drawn(bags.targets, self.items, self.model.sample(self.items))
        return (multinomial(states, self.scores.table, self.scores.bias, bags, columns) + self.model.beta * share * distance) / len(bags)

    def form(self, known: Known, codes: Int32) -> Autoencoder:
        n = len(known.items)
        layers = (*self.encoder.array_layers(), *self.decoder.array_layers())
        network = Network(spread(self.encoder.inputs, codes, n), layers)
        return Autoencoder(known.items, known.catalogue, network, self.scores.of_items(codes, n))


@final
class RecVAENet(VariationalNet):
    """See `vitrina.autoencoders.recvae`."""

    phases = ("encoder", "encoder", "encoder", "decoder")

    def __init__(self, model: RecVAE, items: int) -> None:
        super().__init__()
        hidden, dim = model.sizes(items)
        self.model, self.items = model, items
        self.encoder = Gaussian(items, Stack.residual(None, hidden, 5, eps=0.1), hidden, dim)
        self.old = copy.deepcopy(self.encoder).requires_grad_(False)
        self.scores = Scores(items, dim)
        self.phase = "encoder"

    def loss(self, bags: Bags) -> Tensor:
        encoding = bags.phase == "encoder"
        if not encoding and self.phase == "encoder":
            self.old.load_state_dict(self.encoder.state_dict())
        self.phase = bags.phase
        unit = bags.unit_weights()
        with torch.set_grad_enabled(encoding):
            mean, log_variance = self.encoder(bags, F.dropout(unit, self.model.dropout) if encoding else unit)
            states = drawn(mean, log_variance)
        columns = Columns.drawn(bags.targets, self.items, self.model.sample(self.items))
        table, bias = self.scores.table, self.scores.bias
        if not encoding:
            return multinomial(states, table, bias, bags, columns) / len(bags)
        paid = multinomial(states, table.detach(), bias.detach(), bags, columns)
        amount = torch.zeros(len(bags), device=unit.device, dtype=unit.dtype).index_add_(0, bags.people, bags.weights)
        distance = normal(states, mean, log_variance) - self.prior(states, bags, unit)
        return (paid + self.model.gamma * (amount * distance).sum()) / len(bags)

    def prior(self, states: Tensor, bags: Bags, unit: Tensor) -> Tensor:
        """(people,) the log density of the composite prior: a standard normal, what the encoder said before, and a wide normal."""
        with torch.no_grad():
            mean, log_variance = self.old(bags, unit)
        zeros = torch.zeros_like(mean)
        parts = [normal(states, zeros, zeros), normal(states, mean, log_variance), normal(states, zeros, zeros + UNIFORM_LOG_VARIANCE)]
        shares = torch.tensor(self.model.prior, device=states.device, dtype=states.dtype).log()
        return torch.logsumexp(torch.stack(parts, 1) + shares, 1)

    def form(self, known: Known, codes: Int32) -> Autoencoder:
        n = len(known.items)
        network = Network(spread(self.encoder.inputs, codes, n), self.encoder.array_layers())
        return Autoencoder(known.items, known.catalogue, network, self.scores.of_items(codes, n))


@final
class VASPNet(VariationalNet):
    """See `vitrina.autoencoders.vasp`."""

    def __init__(self, model: VASP, items: int) -> None:
        super().__init__()
        hidden, dim = model.sizes(items)
        self.model, self.items = model, items
        self.encoder = Gaussian(items, Stack.residual(None, hidden, 7, eps=1e-3), hidden, dim)
        self.decoder = Stack.residual(dim, hidden, 5, eps=1e-3)
        self.deep, self.direct = Scores(items, hidden), Scores(items, dim)
        self.linear = nn.Parameter(FIRST_STD * torch.randn(items, min(model.rank, items)))

    def loss(self, bags: Bags) -> Tensor:
        weights = F.dropout(bags.weights, self.model.dropout)
        mean, log_variance = self.encoder(bags, weights)
        states = drawn(mean, log_variance)
        gates = ((self.decoder(states), self.deep.table, self.deep.bias), (states, self.direct.table, self.direct.bias))
        sums = F.embedding_bag(bags.targets, self.linear, bags.indptr[:-1], mode="sum", per_sample_weights=weights)
        columns = Columns.drawn(bags.targets, self.items, self.model.sample(self.items))
        paid = focal(gates, (sums, self.linear, weights), self.model.focal_alpha, self.model.focal_gamma, bags, columns)
        distance = standard_divergence(mean, log_variance).mean(1).sum()  # the mean over the dimensions, as the authors' program has it
        return (paid + distance) / len(bags)

    def form(self, known: Known, codes: Int32) -> SigmoidProduct:
        n = len(known.items)
        of_encoder = self.encoder.array_layers()
        layers = (*of_encoder, *self.decoder.array_layers())
        network = Network(spread(self.encoder.inputs, codes, n), layers, normalise=False)
        vectors = (self.deep.of_items(codes, n), self.direct.of_items(codes, n))
        return SigmoidProduct(
            known.items, known.catalogue, network, (len(layers) - 1, len(of_encoder) - 1), vectors, spread(self.linear, codes, n)
        )


def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw of each person's state."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def standard_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(people, dim) the Kullback-Leibler divergence of normals from the standard one."""
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance)


def normal(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """(people,) the log density of independent normals."""
    return -0.5 * (log_variance + LOG_2PI + (x - mean) ** 2 / log_variance.exp()).sum(1)


def array_of(value: Tensor) -> Float32:
    """A tensor as an array of its own."""
    return np.ascontiguousarray(value.detach().cpu().float().numpy()).copy()


def spread(table: Tensor, codes: Int32, n_items: int) -> Float32:
    """Rows of a table at the codes of their items; zeros elsewhere."""
    out = np.zeros((n_items, table.shape[1]), np.float32)
    out[codes] = table.detach().cpu().numpy()
    return out
