"""The fitted forms of autoencoders: a history through a small network to a score of every item, answered without what trained them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy import sparse
from scipy.special import log_expit

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import Form
from vitrina.forms.network import Network
from vitrina.forms.reading import Reading
from vitrina.forms.similar import vector_cosines
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import Products
from vitrina.types import Bool, Float32, Int32, Queries, ranges
from vitrina.vocabulary import Vocabulary

QUERIES = 1024  # whose outputs of all layers are there at a time
NETWORK, VECTORS = "network.", "vectors."  # what their arrays are called in an artifact


def known_history(queries: Queries, known: Bool) -> sparse.csr_matrix:
    """(queries, items) the distinct items of each history that are `known`, with the largest of their weights."""
    history = Reading().read(queries, len(known))
    place = ranges(history.start, history.counts)
    rows, items, weights = np.repeat(np.arange(len(queries)), history.counts), history.items[place], history.weights[place]
    kept = known[items]
    return sparse.csr_matrix((weights[kept], (rows[kept], items[kept])), shape=(len(queries), len(known)))


def with_one(states: Float32) -> Float32:
    """(queries, dim + 1) states with a last dimension of 1, which the biases of the items are multiplied with."""
    return np.concatenate([states, np.ones((len(states), 1), np.float32)], axis=1)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Autoencoder(Vectors):
    """score = (state of the history, 1) . (vector of the item, its bias); the state is the last output of a network over the history.

    An item counts once, with the largest of its weights. Items without an event, and queries without a known item, have no score.

    Cost: a query costs the network and items x dim; memory for 16 MB of scores.

    Args:
        network: from histories to states.
        vectors: (items, dim + 1) the last product, the bias as its last column; zeros where an item has no event.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    network: Network
    vectors: Float32

    @property
    def item_vectors(self) -> Float32:
        """(items, dim + 1) of each item."""
        return self.vectors

    @cached_property
    def known(self) -> Bool:
        """(items,) which items have a vector."""
        return np.any(self.vectors != 0, axis=1)

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim + 1) states; zeros for a history without a known item."""
        out = np.zeros((len(queries), self.vectors.shape[1]), np.float32)
        for part, block in queries.blocks(QUERIES):
            histories = known_history(block.counted(), self.known)
            some = np.diff(histories.indptr) > 0
            states = with_one(self.network.outputs(histories)[-1])
            states[~some] = 0
            out[part] = states
        return out

    def products(self, queries: Queries) -> Products:
        states = self.encode(queries)
        return Products(states, self.table_of_items, states[:, -1] != 0)

    def item_relations(self, items: Int32) -> Float32:
        """The cosines of their vectors, without the biases."""
        return vector_cosines(self.vectors[:, :-1], items)

    def state(self) -> State:
        network = self.network.state()
        return State(network.config, {"vectors": self.vectors, **{NETWORK + name: array for name, array in network.arrays.items()}})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Autoencoder:
        arrays = {name.removeprefix(NETWORK): array for name, array in state.arrays.items() if name.startswith(NETWORK)}
        return cls(vocabulary, catalogue, Network.of_state(state.config, arrays), state.arrays["vectors"])


@final
@dataclass(frozen=True, eq=False, repr=False)
class SigmoidProduct(Form):
    """score = the logarithm of a product of probabilities: of some layers of a network, and of a linear map from item to item without its diagonal.

    score[j] = sum over the taps of log sigmoid((state of the tap, 1) . vector[j]) + log sigmoid(x . (A A')[:, j] - x[j] |A[j]|^2), x the history.
    Items without an event, and queries without a known item, have no score.

    Cost: a query costs the network and items x (dims of the taps + rank); memory for two blocks of queries x items.

    Args:
        network: over the history.
        taps: the layers whose outputs are multiplied with vectors.
        vectors: for each tap (items, dim + 1), the bias as the last column.
        linear: A, (items, rank).
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    network: Network
    taps: tuple[int, ...]
    vectors: tuple[Float32, ...]
    linear: Float32

    @cached_property
    def known(self) -> Bool:
        """(items,) which items have a vector."""
        return np.any(self.linear != 0, axis=1)

    @cached_property
    def squares(self) -> Float32:
        """(items,) |A[j]|^2."""
        return np.einsum("ij,ij->i", self.linear, self.linear)

    def score_block(self, queries: Queries) -> Float32:
        histories = known_history(queries, self.known)
        scores = np.matmul(np.asarray(histories @ self.linear, np.float32), self.linear.T)
        rows = np.repeat(np.arange(len(queries)), np.diff(histories.indptr))
        scores[rows, histories.indices] -= histories.data * self.squares[histories.indices]
        log_expit(scores, out=scores)
        outputs = self.network.outputs(histories)
        room = np.empty_like(scores)
        for tap, vectors in zip(self.taps, self.vectors, strict=True):
            scores += log_expit(np.matmul(with_one(outputs[tap]), vectors.T, out=room), out=room)
        scores[:, ~self.known] = -np.inf
        scores[np.diff(histories.indptr) == 0] = -np.inf
        return scores

    def item_relations(self, items: Int32) -> Float32:
        """The cosines of the vectors of the linear map."""
        return vector_cosines(self.linear, items)

    def state(self) -> State:
        network = self.network.state()
        arrays = {NETWORK + name: array for name, array in network.arrays.items()}
        vectors = {f"{VECTORS}{tap}": array for tap, array in zip(self.taps, self.vectors, strict=True)}
        return State({**network.config, "taps": list(self.taps)}, {"linear": self.linear, **vectors, **arrays})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> SigmoidProduct:
        arrays = {name.removeprefix(NETWORK): array for name, array in state.arrays.items() if name.startswith(NETWORK)}
        taps = tuple(int(tap) for tap in state.config["taps"])
        vectors = tuple(state.arrays[f"{VECTORS}{tap}"] for tap in taps)
        return cls(vocabulary, catalogue, Network.of_state(state.config, arrays), taps, vectors, state.arrays["linear"])
