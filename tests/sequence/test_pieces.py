"""The vocabulary of ActionPiece against a slow version that counts everything again after each merge."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from vitrina.sequence.semantic.pieces import Pieces


class Slow:
    """Histories as plain lists of sets and slots: nodes[2 i] is a set, nodes[2 i + 1] the slot behind it."""

    def __init__(self, histories):
        self.rows = []
        for history in histories:
            nodes = []
            for tokens in history:
                nodes += [set(tokens), None]
            self.rows.append(nodes[:-1])

    def weights(self):
        out = Counter()
        for nodes in self.rows:
            for at in range(0, len(nodes), 2):
                tokens = sorted(nodes[at])
                for place, one in enumerate(tokens):
                    for other in tokens[place + 1 :]:
                        out[one, other] += Fraction(2, len(tokens))
                if at + 1 < len(nodes):
                    left, middle, right = nodes[at], nodes[at + 1], nodes[at + 2]
                    for a, b in [(left, right)] if middle is None else [(left, {middle}), ({middle}, right)]:
                        for one in a:
                            for other in b:
                                out[min(one, other), max(one, other)] += Fraction(1, len(a) * len(b))
        return out

    @staticmethod
    def stands(nodes, at, one, other):
        """The two nodes of the first way in which the pair stands at a set, with the token that each loses."""
        here = nodes[at]
        if one != other and one in here and other in here:
            return [(at, one), (at, other)]
        if at + 1 == len(nodes):
            return None
        middle, right = nodes[at + 1], nodes[at + 2]
        if middle is None:
            for a, b in ((one, other), (other, one)):
                if a in here and b in right:
                    return [(at, a), (at + 2, b)]
            return None
        for side in (at, at + 2):
            for a, b in ((one, other), (other, one)):
                if a == middle and b in nodes[side]:
                    return [(side, b)]
        return None

    def merge(self, one, other, new):
        while self.weights()[one, other]:
            for nodes in self.rows:
                places = [nodes[at] for at in range(0, len(nodes), 2) if self.stands(nodes, at, one, other)]
                for place in places:
                    while True:
                        at = next((i for i in range(0, len(nodes), 2) if nodes[i] is place), None)
                        found = None if at is None else self.stands(nodes, at, one, other)
                        if found is None:
                            break
                        for node, token in found:
                            nodes[node].discard(token)
                        if [node for node, _ in found] == [at, at]:
                            nodes[at].add(new)
                        else:
                            nodes[at + 1] = new
                            for empty in (at + 2, at):
                                self.settle(nodes, empty)

    @staticmethod
    def settle(nodes, at):
        if nodes[at]:
            return
        for slot in (at - 1, at + 1):
            if 0 <= slot < len(nodes) and nodes[slot] is not None:
                nodes[at].add(nodes[slot])
                nodes[slot] = None
                return
        gone = slice(at, at + 2) if at + 1 < len(nodes) else slice(at - 1, at + 1)
        del nodes[gone]

    def learn(self, base, size, least):
        tokens, pairs, heavy = {}, [], []
        while base + len(pairs) < size:
            weights = {pair: weight for pair, weight in self.weights().items() if weight > 0}
            if not weights or max(weights.values()) < least:
                break
            pair = min(weights, key=lambda pair: (-weights[pair], pair))
            if pair not in tokens:
                tokens[pair] = base + len(pairs)
                pairs.append(pair)
                heavy.append(float(weights[pair]))
            self.merge(*pair, tokens[pair])
        return pairs, heavy


def log(rng, kinds, values, histories, longest, uneven):
    sets = []
    lengths = rng.integers(1, longest + 1, histories)
    for _ in range(lengths.sum()):
        features = (rng.zipf(1.6, kinds) - 1) % values + values * np.arange(kinds)
        kept = features[rng.random(kinds) < 0.7] if uneven else features
        sets.append(list(kept if len(kept) else features[:1]))
    padded = np.full((len(sets), kinds), -1, np.int32)
    for row, features in zip(padded, sets, strict=True):
        row[: len(features)] = features
    return padded, np.concatenate([[0], np.cumsum(lengths)])


@pytest.mark.parametrize("seed", range(12))
def test_merges_are_those_of_counting_everything_again(seed):
    rng = np.random.default_rng(seed)
    kinds, values = int(rng.integers(1, 6)), int(rng.integers(2, 6))
    sets, indptr = log(rng, kinds, values, histories=8, longest=7, uneven=bool(seed % 2))
    base, least = kinds * values, 0.0 if seed % 3 else 1.0
    histories = [[[t for t in row.tolist() if t >= 0] for row in sets[a:b]] for a, b in pairwise(indptr)]
    pairs, heavy = Slow(histories).learn(base, base + 60, least)
    pieces = Pieces.learn(sets, indptr, base, base + 60, least)
    assert pieces.pairs.tolist() == [list(pair) for pair in pairs]
    np.testing.assert_allclose(pieces.weights, heavy, rtol=1e-12)
    assert len(pairs) > 5


def slow_segment(tokens, pieces):
    rank = {tuple(pair): number for number, pair in enumerate(pieces.pairs.tolist())}
    tokens = list(tokens)
    while True:
        found = [(rank.get((min(a, b), max(a, b)), 10**9), at) for at, (a, b) in enumerate(pairwise(tokens))]
        best, at = min(found, default=(10**9, 0))
        if best == 10**9:
            return tokens
        tokens[at : at + 2] = [pieces.base + best]


def slow_spelling(features, pieces):
    tokens = set(features)
    for number, (one, other) in enumerate(pieces.pairs.tolist()):
        if one != other and {one, other} <= tokens:
            tokens = tokens - {one, other} | {pieces.base + number}
    return sorted((t for t in tokens if t >= pieces.base), reverse=True) + sorted(t for t in tokens if t < pieces.base)


@pytest.fixture(scope="module")
def learned():
    sets, indptr = log(np.random.default_rng(0), 4, 6, histories=60, longest=9, uneven=True)
    return sets, indptr, Pieces.learn(sets, indptr, 24, 120)


def test_a_set_alone_is_spelled_in_the_order_of_the_merges(learned):
    sets, _, pieces = learned
    spelled = pieces.spelled(sets)
    assert [[t for t in row if t >= 0] for row in spelled.tolist()] == [
        slow_spelling([t for t in row if t >= 0], pieces) for row in sets.tolist()
    ]
    of_token = pieces.features
    for row, features in zip(spelled, sets, strict=True):  # nothing is lost, and no other set reads the same
        assert sorted(np.concatenate([of_token[t] for t in row[row >= 0]])) == sorted(features[features >= 0])


def test_a_segmentation_is_that_of_the_features_in_the_order_drawn(learned):
    sets, indptr, pieces = learned
    keys, others = (np.random.default_rng(seed).random(sets.shape, np.float32) for seed in (3, 4))
    drawn = pieces.segmented(sets, indptr, keys)
    for row, (start, stop) in enumerate(pairwise(indptr)):
        order = [sets[at, place] for at in range(start, stop) for place in np.argsort(-keys[at]) if sets[at, place] >= 0]
        assert drawn[row].tolist() == slow_segment(order, pieces)
    assert not np.array_equal(pieces.segmented(sets, indptr, others).values, drawn.values)


def test_the_order_of_the_histories_changes_no_merge(learned):
    sets, indptr, pieces = learned
    order = np.random.default_rng(1).permutation(len(indptr) - 1)
    moved = np.concatenate([sets[indptr[h] : indptr[h + 1]] for h in order])
    again = Pieces.learn(moved, np.concatenate([[0], np.cumsum(np.diff(indptr)[order])]), 24, 120)
    assert np.array_equal(again.pairs, pieces.pairs)
