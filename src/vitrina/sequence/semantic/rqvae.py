"""Codes by an autoencoder whose middle is quantised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.coder import VectorCoder
from vitrina.sequence.semantic.residual import ResidualCodebooks, Sizes, residual_centroids
from vitrina.types import Float32, Int32

EVERY = 10  # epochs: how often codes that nobody has are given another place
SETTLING = 0.2  # share of the epochs at the end in which they stay
START_ROUNDS = 20  # of the k-means that the codebooks start from


@final
class RQVAE(VectorCoder):
    """Residual quantisation in the middle of an autoencoder. [Lee et al. 2022](https://arxiv.org/abs/2203.01941); as codes of items [TIGER](https://arxiv.org/abs/2305.05065).

    z = encoder(x); codes and centroids e_d of z as in `ResidualKMeans`; the loss is
    |x - decoder(sum_d e_d)|^2 + sum_d |sg(r_d) - e_d|^2 + commitment |r_d - sg(e_d)|^2 with sg the stop of the gradient, which the encoder gets straight through the
    choice of the codes. Codebooks start from k-means of the encoder's output; a code that no item has moves to the residual of an item drawn at random.

    Args:
        sizes: how many codes each digit has.
        hidden: widths of the encoder's layers; the decoder has them in reverse.
        dim: of the space that is quantised.
        commitment: how strongly the encoder is drawn to the codes.
        epochs: passes over the items.
        learning_rate: of Adam.
        batch: items of a step.
        vectors: where the items' vectors come from.
        seed: of the weights, the start and the order of items.

    Raises:
        ParameterError: the training diverged.

    Cost: epochs x items x weights of both networks x 6 operations.

    >>> import vitrina as vt
    >>> coder = vt.sequence.RQVAE(sizes=(2, 2), hidden=(8,), dim=2, epochs=2, vectors=vt.similarity.OfContent(dim=3))
    >>> coder.fit(vt.testing.toy()).sizes
    (2, 2)
    """

    sizes: Sizes = (256, 256, 256)
    hidden: Sizes = (256, 128)
    dim: int = Field(default=32, gt=0)
    commitment: float = Field(default=0.25, ge=0)
    epochs: int = Field(default=100, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    batch: int = Field(default=256, ge=1)

    def learn(self, vectors: Float32) -> AutoencoderCodebooks:
        """Trained on the processor: the networks are small."""
        scale = float(1 / np.sqrt(np.mean(np.asarray(vectors, np.float64) ** 2)))  # numbers of about 1
        rng, x = np.random.default_rng(self.seed), torch.from_numpy(np.asarray(vectors, np.float32) * np.float32(scale))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = Autoencoder(x.shape[1], self.hidden, self.dim, self.sizes)
        network.begin(x, rng)
        optimiser = torch.optim.Adam(network.parameters(), self.learning_rate)
        for epoch in range(1, self.epochs + 1):
            order = rng.permutation(len(x))
            for first in range(0, len(x), self.batch):
                optimiser.zero_grad()
                loss = network.loss(x[torch.from_numpy(order[first : first + self.batch])], self.commitment)
                loss.backward()
                optimiser.step()
            if epoch % EVERY == 0 and epoch <= (1 - SETTLING) * self.epochs:
                network.revive(x, rng)
        if not all(torch.isfinite(weights).all() for weights in network.parameters()):
            raise ParameterError(
                f"The training of RQVAE diverged: take a smaller 'learning_rate' than {self.learning_rate:g}.",
                owner="RQVAE", parameter="learning_rate", value=self.learning_rate,
            )  # fmt: skip
        return network.codebooks(scale)


@final
class Autoencoder(nn.Module):
    """Encoder, codebooks and decoder."""

    def __init__(self, width: int, hidden: Sequence[int], dim: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.encoder = _layers([width, *hidden, dim])
        self.decoder = _layers([dim, *reversed(hidden), width])
        self.books = nn.ParameterList(torch.zeros(size, dim) for size in sizes)

    @torch.no_grad()
    def begin(self, x: Tensor, rng: np.random.Generator) -> None:
        """Codebooks by k-means of what the encoder makes of the vectors."""
        start = residual_centroids(self.encoder(x).numpy(), [len(book) for book in self.books], rng, START_ROUNDS)
        for book, centroids in zip(self.books, start, strict=True):
            book.copy_(torch.from_numpy(centroids))

    def loss(self, x: Tensor, commitment: float) -> Tensor:
        """Mean over the vectors of the sum over their numbers."""
        z = self.encoder(x)
        left, quantised, loss = z, torch.zeros_like(z), z.new_zeros(())
        for book in self.books:
            chosen = F.embedding(_nearest(left, book), book)
            loss = loss + _squares(left.detach() - chosen) + commitment * _squares(left - chosen.detach())
            quantised, left = quantised + chosen.detach(), left - chosen.detach()
        return loss + _squares(x - self.decoder(z + (quantised - z).detach()))

    @torch.no_grad()
    def revive(self, x: Tensor, rng: np.random.Generator) -> None:
        """Codes that no vector has move to what the digits before leave over of one drawn at random."""
        left = self.encoder(x)
        for book in self.books:
            place = _nearest(left, book)
            dead = torch.nonzero(torch.bincount(place, minlength=len(book)) == 0).flatten()
            book[dead] = left[torch.from_numpy(rng.integers(len(x), size=len(dead)))]
            left = left - book[place]

    def codebooks(self, scale: float) -> AutoencoderCodebooks:
        def layers(network: nn.Sequential) -> tuple[tuple[Float32, Float32], ...]:
            linear: list[Any] = [layer for layer in network if isinstance(layer, nn.Linear)]
            return tuple((layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear)

        centroids = tuple(book.detach().numpy().copy() for book in self.books)
        return AutoencoderCodebooks(scale, layers(self.encoder), layers(self.decoder), ResidualCodebooks(centroids))


def _layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for first, second in pairwise(widths):
        layers += [nn.Linear(first, second), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _nearest(left: Tensor, book: Tensor) -> Tensor:
    with torch.no_grad():
        return ((book**2).sum(1) - 2 * left @ book.t()).argmin(1)


def _squares(x: Tensor) -> Tensor:
    return (x**2).sum(1).mean()


@final
@dataclass(frozen=True, eq=False)
class AutoencoderCodebooks(FittedCoder):
    """What `RQVAE` learns: weights and biases of the layers, ReLU between them, and the codebooks in the middle. Needs no PyTorch to encode.

    Args:
        scale: what vectors are multiplied with before the encoder, and divided by after the decoder.
    """

    scale: float
    encoder: tuple[tuple[Float32, Float32], ...]
    decoder: tuple[tuple[Float32, Float32], ...]
    codebooks: ResidualCodebooks

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.codebooks.sizes

    def encode(self, vectors: Float32) -> Int32:
        return self.codebooks.encode(_passed(np.asarray(vectors, np.float32) * np.float32(self.scale), self.encoder))

    def decode(self, codes: Int32) -> Float32:
        return _passed(self.codebooks.decode(codes), self.decoder) / np.float32(self.scale)

    def state(self) -> State:
        named = {"encoder": self.encoder, "decoder": self.decoder}
        arrays = {f"{name}.{at}.{what}": array for name, layers in named.items() for at, layer in enumerate(layers) for what, array in zip(("weight", "bias"), layer, strict=True)}  # fmt: skip
        return State({"scale": self.scale, "layers": len(self.encoder)}, arrays, children={"codebooks": self.codebooks})

    @classmethod
    def of_state(cls, state: State) -> AutoencoderCodebooks:
        def layers(name: str) -> tuple[tuple[Float32, Float32], ...]:
            return tuple((state.arrays[f"{name}.{at}.weight"], state.arrays[f"{name}.{at}.bias"]) for at in range(state.config["layers"]))

        return cls(state.config["scale"], layers("encoder"), layers("decoder"), state.children["codebooks"])


def _passed(x: Float32, layers: tuple[tuple[Float32, Float32], ...]) -> Float32:
    for at, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        x = np.maximum(x, 0) if at < len(layers) - 1 else x
    return x
