"""A model of your own, held to the contract, put on the board, saved and loaded. It keeps nothing of Vitrina but the contract.

    python examples/own_model.py

`Because` recommends what was bought most often directly after the last item of the history. The config is frozen and says how to
fit; `fit` returns a separate fitted object. The shared `top_k_dense` decides what may be shown, breaks ties and fills the rest of a list
from popularity, so the model only has to give scores. `state` says what is to be kept of the fitted object and `of_state` makes it again: that is
all that saving needs.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vitrina as vt
from vitrina.retrieve.top_k import top_k_dense

NO_OPINION = -np.inf


@dataclass(frozen=True)
class Because:
    """score[j] = how often j came directly after the last item of the history."""

    at_least: int = 1  # times, or there is no opinion

    def fit(self, data, *, validation=None, start=None):
        data = data.counted()  # without dislikes, and what counts for nothing
        items = data.events.items
        follows = np.zeros((data.n_items, data.n_items), np.float32)
        same_person = data.user_of[:-1] == data.user_of[1:]
        np.add.at(follows, (items[:-1][same_person], items[1:][same_person]), 1)
        follows[follows < self.at_least] = NO_OPINION
        return Fitted(data.items, data.catalogue, follows)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Keeps parameters and not the log."""

    vocabulary: vt.Vocabulary
    catalogue: object
    follows: np.ndarray  # (items, items)

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        queries = queries.counted()
        scores = np.full((len(queries), len(self.vocabulary)), NO_OPINION, np.float32)
        asked = np.flatnonzero(queries.lengths)
        last = queries.events.items[queries.stop[asked] - 1]
        known = last < len(self.vocabulary)
        scores[asked[known]] = self.follows[last[known]]
        return top_k_dense(scores, queries, k, eligible, self.catalogue, self.vocabulary)

    def state(self):
        return vt.State(arrays={"follows": self.follows})  # ids and catalogue are kept beside it

    @classmethod
    def of_state(cls, state, vocabulary, catalogue):
        return cls(vocabulary, catalogue, state.arrays["follows"])


if __name__ == "__main__":  # each model has a process of its own, which reads this file for the class
    print(vt.testing.check_model(Because()))
    split = vt.testing.synthetic().split(vt.split.GlobalTime(days=20))
    print(vt.compare([Because(), vt.Popularity()], split, baselines=False))
    folder = vt.save(Because().fit(split.train), Path(tempfile.mkdtemp()) / "because", model=Because(), data=split.train)
    print(vt.load(folder, trust=True))  # it names own_model:Fitted, so to load it is to run this file
