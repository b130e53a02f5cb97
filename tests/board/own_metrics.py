"""Metrics of one's own, as a user writes them: plain classes in a module."""

import numpy as np


class Misses:
    """How many of the first k places hold nothing that was taken. Less is better."""

    lower_is_better = True
    needs = frozenset({"truth"})
    definition = "How many of the first places hold nothing that the person took."

    def __init__(self, k=5):
        self.k = k

    @property
    def name(self):
        return f"Misses@{self.k}"

    def per_query(self, judged):
        return self.k - judged.hits[:, judged.first(self.k, self.name)].sum(axis=1).astype(np.float64)


class Distinct:
    """How many different items are on a list at all."""

    name, k, lower_is_better, needs = "Distinct", 0, False, frozenset()
    definition = "How many different items the lists hold"

    def state(self, judged):
        return frozenset(judged.items[judged.items >= 0].tolist())

    def merge(self, left, right):
        return left | right

    def value(self, state):
        return float(len(state))


class Nameless:
    """Lacks what everybody reads."""

    k, lower_is_better, needs, definition = 5, False, frozenset(), "Nothing."

    def per_query(self, judged):
        return np.zeros(len(judged))
