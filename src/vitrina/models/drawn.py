"""Random vectors that belong to ids and not to codes: the same item begins with the same vector in whatever log it stands."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from vitrina.base.hashing import mixed
from vitrina.types import Float32
from vitrina.vocabulary import Vocabulary, id_hashes

ROWS = 1 << 14  # that are drawn at a time
STEP = np.uint64(0x9E3779B97F4A7C15)


def drawn(vocabulary: Vocabulary, dim: int, seed: int, scale: float) -> Float32:
    """(ids, dim) normal numbers of the standard deviation `scale`, of the id, the place and the seed alone.

    The numbers of an id are a run of splitmix64 ([Steele et al. 2014](https://doi.org/10.1145/2714064.2660195)) that begins at its hash.

    Cost: 40 ns per number.

    >>> one, other = drawn(Vocabulary.of(["tea", "milk"]), 3, 0, 1.0), drawn(Vocabulary.of(["milk", "tea"]), 3, 0, 1.0)
    >>> bool((one == other[::-1]).all()), bool((one == drawn(Vocabulary.of(["tea", "milk"]), 3, 1, 1.0)).any())
    (True, False)
    """
    out = np.empty((len(vocabulary), dim), np.float32)
    begins = mixed(id_hashes(vocabulary) ^ mixed(np.array([seed], np.uint64)))
    for first in range(0, len(out), ROWS):
        places = begins[first : first + ROWS, None] + STEP * np.arange(1, dim + 1, dtype=np.uint64)
        uniform = ((mixed(places) >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
        out[first : first + ROWS] = scale * ndtri(uniform)
    return out
