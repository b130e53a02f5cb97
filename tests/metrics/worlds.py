"""Random lists and truths with everything that can be odd about them."""

import numpy as np

from vitrina.catalogue import Catalogue
from vitrina.metrics import Judged
from vitrina.types import Events, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

N_ITEMS = 30


def world(seed: int = 0, queries: int = 60, k: int = 12) -> Judged:
    """Repeated items, pads, empty lists, empty and repeated truth, items outside the catalogue, histories."""
    rng = np.random.default_rng(seed)
    items = rng.integers(0, N_ITEMS, (queries, k)).astype(np.int32)
    items[np.arange(k) >= rng.integers(0, k + 1, queries)[:, None]] = -1
    truth = Ragged.of([rng.integers(0, N_ITEMS + 3, rng.integers(0, 16)) for _ in range(queries)])
    users = rng.integers(0, 40, N_ITEMS)
    users[:4] = 0
    vocabulary = Vocabulary.of(range(N_ITEMS + 3))
    history = Ragged.of([rng.integers(0, N_ITEMS, rng.integers(0, 10)) for _ in range(queries)])
    asked = Queries(Events(history.values), history.indptr[:-1], history.indptr[1:], vocabulary, np.arange(queries, dtype=np.int32))
    vectors = rng.normal(size=(N_ITEMS, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7] = 0
    catalogue = Catalogue(users * 2, users, 50, vectors=vectors)
    lists = Recommendations(items, np.zeros(items.shape, np.float32), vocabulary)
    return Judged(lists, truth, catalogue, asked)


def rows(judged: Judged) -> list[tuple[list[int], set[int]]]:
    """Each list (None where an item is repeated or missing) and each truth, in plain Python."""
    out = []
    for q in range(len(judged)):
        plain, seen = [], set()
        for item in judged.recommendations.items[q].tolist():
            plain.append(None if item < 0 or item in seen else item)
            seen.add(item)
        out.append((plain, set(judged.truth[q].tolist())))
    return out
