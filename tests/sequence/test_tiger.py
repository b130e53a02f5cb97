"""The trie, the decoder and the beam against slow versions of their own, and the promises of the search."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.forms.windows import Sequences
from vitrina.protocols import Scorer
from vitrina.sequence.batches import Batch
from vitrina.sequence.layout import Layout
from vitrina.sequence.objectives import ShiftedSequence
from vitrina.sequence.semantic.beam import Allowed, search
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.sequence.semantic.decoder import Decoder
from vitrina.sequence.semantic.generative import Generated
from vitrina.sequence.semantic.network import Taught
from vitrina.sequence.semantic.tiger import TIGER
from vitrina.sequence.semantic.trie import Trie
from vitrina.types import Eligibility, Queries, Ragged
from vitrina.vocabulary import id_hashes


@final
class OfHash(Coder):
    """Three digits of a hash of the id; every `missing`-th item has none."""

    size: int = 5
    missing: int = 1_000_000

    def fit(self, data: Dataset, vectors=None) -> SemanticCodes:
        hashes = id_hashes(data.items)
        codes = np.stack([(hashes >> np.uint64(8 * digit)) % np.uint64(self.size) for digit in range(3)], axis=1).astype(np.int32)
        codes[~self.covers(data)] = -1
        return SemanticCodes(data.items, codes, (self.size,) * 3)

    def covers(self, data: Dataset):
        return id_hashes(data.items) % np.uint64(self.missing) != 0


SMALL = {"dim": 16, "heads": 2, "layers": 1, "training": vt.sequence.Training(epochs=2, learning_rate=1e-2)}


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=150, items=200, seed=3)


@pytest.fixture(scope="module")
def fitted(data):
    return TIGER(codes=OfHash(size=6), beam=250, **SMALL).fit(data)


def likelihood(fitted: Generated, history: list[int], item: int) -> float:
    """log p of one item, walked through with plain loops: the encoder's states, one path at a time through the whole decoder, sets of paths for the softmax."""
    trie, network = fitted.trie, fitted.network
    leaf = {int(code): place for place, code in enumerate(trie.item)}
    rows = [leaf[code] for code in history if code in leaf][-fitted.speaking.length :]
    paths = [tuple(path) for path in trie.paths.tolist()]
    wanted, total = paths[leaf[item]], 0.0
    layout = Layout(torch.tensor([len(rows)]))
    with torch.no_grad():
        memory = network.read(Batch(torch.tensor(rows), layout, torch.tensor([-1]), torch.tensor([]), torch.tensor([])))
        nodes = network.nodes[leaf[item] : leaf[item] + 1]
        states = network.decoder(memory, layout, torch.tensor([len(rows) - 1]), nodes, torch.tensor([len(wanted)]))
        vectors = network.decoder.tokens
        for level, state in enumerate(states):
            options = sorted({path[level] for path in paths if path[:level] == wanted[:level]})
            nodes = [
                int(trie.node_at[[path[: level + 1] for path in paths].index((*wanted[:level], token)), level + 1]) for token in options
            ]
            logits = [
                float(state @ (vectors.codes.weight[t] + (0 if vectors.own is None else vectors.own[n])))
                for t, n in zip(options, nodes, strict=True)
            ]
            total += logits[options.index(wanted[level])] - float(np.log(np.sum(np.exp(logits))))
    return total


@pytest.mark.parametrize("beginnings", [True, False])
def test_a_wide_beam_is_an_exhaustive_search(data, fitted, beginnings):
    fitted = fitted if beginnings else TIGER(codes=OfHash(size=6), beam=250, beginnings=False, **SMALL).fit(data)
    queries = data.queries()[:3]
    answer = fitted.recommend(queries, 200, eligible=Eligibility(repeat=True))
    for row in range(len(queries)):
        history = queries.histories()[row].tolist()
        chances = np.array([likelihood(fitted, history, int(item)) for item in fitted.trie.item])
        assert np.isclose(np.exp(chances).sum(), 1, atol=1e-4)
        expected = fitted.trie.item[np.lexsort((fitted.trie.item, -chances))]
        got = answer.items[row][~answer.fallback[row] & (answer.items[row] >= 0)]
        np.testing.assert_allclose(answer.scores[row][: len(got)], np.sort(chances)[::-1], atol=1e-4)
        assert (got == expected).mean() > 0.97  # the rest are neighbours within rounding
        assert set(got) == set(expected)


def test_known_pairs_have_the_chances_of_the_lists(data, fitted):
    queries = data.queries()[:20]
    answer = fitted.recommend(queries, 5, eligible=Eligibility(repeat=True))
    pairs = Ragged.of([row[::-1] for row in answer.items])
    np.testing.assert_allclose(fitted.log_chances(queries, pairs), answer.scores[:, ::-1].ravel(), atol=1e-4)


def test_the_loss_is_what_lists_say(data, fitted):
    queries = data.queries()[:20]
    histories = Sequences.of(queries, fitted.leaf_of_item)
    asked = ShiftedSequence().question(histories)
    wanted = np.random.default_rng(0).integers(0, len(fitted.trie), len(queries))
    batch = replace(asked, targets=torch.from_numpy(wanted))
    taught = Taught(fitted.trie, np.ones(len(fitted.trie), bool), torch.device("cpu"))
    chances = fitted.log_chances(queries, Ragged.of(fitted.trie.item[wanted][:, None]))
    with torch.no_grad():
        np.testing.assert_allclose(float(fitted.network.loss(batch, taught)), -chances.mean(), rtol=1e-4)
        weights = torch.rand(len(wanted))
        weighted = float(fitted.network.loss(replace(batch, weights=weights), taught))
    np.testing.assert_allclose(weighted, -np.average(chances, weights=weights.numpy()), rtol=1e-4)


def test_what_can_not_score_says_so(data, fitted):
    with pytest.raises(AttributeError, match="log_chances"):
        fitted.score(data.queries(), np.arange(3))
    assert not isinstance(fitted, Scorer)
    with pytest.raises(ParameterError, match="answers without an index"):
        vt.Indexed(model=TIGER(codes=OfHash(), **SMALL)).fit(data)


@pytest.mark.parametrize("beam", [1, 3, 20])
def test_no_list_is_short_and_nothing_else_is_shown(data, fitted, beam):
    narrow, rng = replace(fitted, beam=beam), np.random.default_rng(beam)
    queries, n = data.queries()[:30], data.n_items
    corner = Ragged.of([[int(rng.integers(n))] for _ in range(len(queries))])
    few = Ragged.of([np.sort(rng.permutation(n)[: rng.integers(1, 12)]) for _ in range(len(queries))])
    banned = Ragged.of([np.sort(rng.permutation(n)[: n - 15]) for _ in range(len(queries))])
    for eligible in (
        Eligibility(include=corner, repeat=True), Eligibility(include=few), Eligibility(exclude=banned), Eligibility(exclude=few, include=banned),
        Eligibility(include=np.arange(0, n, 9)), Eligibility(),
    ):  # fmt: skip
        for k in (1, 10, n):
            answer = narrow.recommend(queries, k, eligible=eligible)
            seen = queries.histories()
            for row in range(len(queries)):
                include, exclude = (part[row] if isinstance(part, Ragged) else part for part in (eligible.include, eligible.exclude))
                may = set(fitted.catalogue.items.tolist())
                may &= may if include is None else set(include.tolist())
                may -= set() if exclude is None else set(exclude.tolist())
                may -= set() if eligible.repeat else set(seen[row].tolist())
                got = answer.items[row][answer.items[row] >= 0].tolist()
                assert len(got) == len(set(got)) == min(k, len(may), answer.items.shape[1])
                assert set(got) <= may
                assert not answer.fallback[row, : min(len(got), len(may & set(fitted.trie.item.tolist())))].any()


def test_a_beam_keeps_the_best_beginnings_of_each_level(data, fitted):
    """Against a beam in plain Python, whose beginnings are scored by the walks of whole paths."""
    queries, width = data.queries()[:4], 4
    answer = replace(fitted, beam=width).recommend(queries, width, eligible=Eligibility(repeat=True))
    trie = fitted.trie
    paths = [tuple(path) for path in trie.paths.tolist()]
    for row in range(len(queries)):
        history = queries.histories()[row].tolist()
        chances = {path: likelihood(fitted, history, int(item)) for path, item in zip(paths, trie.item, strict=True)}

        def of(beginning, chances=chances):
            return np.log(np.sum([np.exp(chance) for path, chance in chances.items() if path[: len(beginning)] == beginning]))

        kept = [()]
        for level in range(trie.levels):
            longer = {path[: level + 1] for path in paths if path[:level] in kept}
            kept = sorted(longer, key=lambda beginning: -of(beginning))[:width]
        assert answer.items[row].tolist() == [int(trie.item[paths.index(path)]) for path in kept]


def test_who_is_unknown_gets_what_is_popular(data, fitted):
    answer = fitted.recommend(Queries.of_histories(data.items, [[], ["nothing like it"]]), 5)
    assert answer.fallback.all()
    assert (answer.items == fitted.catalogue.by_popularity[:5]).all()


def test_items_without_a_code_come_last():
    log = vt.testing.synthetic(users=60, items=20)
    fitted = TIGER(codes=OfHash(missing=3), **SMALL).fit(log)
    with_code = set(fitted.trie.item.tolist())
    assert 0 < len(with_code) < 20
    answer = fitted.recommend(log.queries(), 20, eligible=Eligibility(repeat=True))
    assert all(set(row[~late]) == with_code for row, late in zip(answer.items, answer.fallback, strict=True))


def test_a_log_without_codes_is_refused():
    with pytest.raises(DataError, match="two or more"):
        TIGER(codes=OfHash(missing=1), **SMALL).fit(vt.testing.synthetic(users=30, items=10))


def slow_decoder(decoder: Decoder, memory: torch.Tensor, path: list[int], depth: int) -> list[torch.Tensor]:
    """One question by itself: plain sums over tokens and heads."""

    def rms(x, norm):
        return x / (x.pow(2).mean() + torch.finfo(torch.float32).eps).sqrt() * norm.weight

    def attend(query, keys, values, heads, bias=None):
        out = []
        for h in range(heads):
            part = slice(h * len(query) // heads, (h + 1) * len(query) // heads)
            weights = torch.stack([(query[part] * key[part]).sum() for key in keys]) / (len(query) / heads) ** 0.5
            weights = weights if bias is None else weights + bias[h]
            out.append(sum(w * value[part] for w, value in zip(weights.softmax(0), values, strict=True)))
        return torch.cat(out)

    read = [rms(token, decoder.norm_memory) for token in memory]
    xs = [(decoder.start[0] + read[-1] if j == 0 else decoder.tokens.weight[path[j - 1]]) + decoder.places[j] for j in range(depth)]
    for layer in decoder.layers:
        qkv = [(layer.own.weight @ rms(x, layer.norm_own)).chunk(3) for x in xs]
        xs = [
            x + layer.own_out.weight @ attend(qkv[j][0], [p[1] for p in qkv[: j + 1]], [p[2] for p in qkv[: j + 1]], layer.heads)
            for j, x in enumerate(xs)
        ]
        pairs = [(layer.memory.weight @ token).chunk(2) for token in read]
        xs = [
            x
            + layer.read_out.weight
            @ attend(
                layer.ask.weight @ rms(x, layer.norm_read), *zip(*pairs, strict=True), layer.heads, layer.recency[:, : len(read)].flip(1)
            )
            for x in xs
        ]
        xs = [x + layer.down.weight @ F.relu(layer.up.weight @ rms(x, layer.norm_f)) for x in xs]
    return [rms(x, decoder.norm) for x in xs]


def test_the_decoder_is_its_formula_forward_and_backward():
    torch.manual_seed(0)
    decoder, layout = Decoder(12, 3, 8, 2, 2, 2, 0.0), Layout(torch.tensor([4, 1, 3]))
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    memory = torch.randn(8, 8, requires_grad=True)
    at, depths = torch.tensor([0, 2, 3, 4, 6]), torch.tensor([3, 1, 2, 3, 1])
    paths = torch.randint(12, (5, 3))
    got = decoder(memory, layout, at, paths, depths)
    expected = []
    for question, place in enumerate(at.tolist()):
        first = int(layout.starts[layout.window[place]])
        expected += slow_decoder(decoder, memory[first : place + 1], paths[question].tolist(), int(depths[question]))
    torch.testing.assert_close(got, torch.stack(expected), atol=1e-5, rtol=1e-5)
    weights = torch.randn(got.shape)
    inputs = [memory, *decoder.parameters()]
    for one, other in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((torch.stack(expected) * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_steps_of_a_search_are_the_states_of_whole_paths():
    torch.manual_seed(1)
    decoder, layout = Decoder(12, 3, 8, 2, 2, 2, 0.0).eval(), Layout(torch.tensor([2, 4]))
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    memory, paths = torch.randn(6, 8), torch.randint(12, (5, 3))
    at, beams = torch.tensor([1, 1, 5, 5, 5]), torch.tensor([2, 3])
    with torch.no_grad():
        expected = decoder(memory, layout, at, paths, torch.full((5,), 3)).view(5, 3, 8)
        reading = decoder.begin(memory, layout)
        states, past = decoder.step(reading, torch.tensor([1, 1]), None, 0, [])
        came = torch.tensor([0, 0, 1, 1, 1])
        torch.testing.assert_close(states[came], expected[:, 0], atol=1e-5, rtol=1e-5)
        past = [(k[came], v[came]) for k, v in past]
        for place in (1, 2):
            states, past = decoder.step(reading, beams, paths[:, place - 1], place, past)
            torch.testing.assert_close(states, expected[:, place], atol=1e-5, rtol=1e-5)


def test_a_trie_says_what_plain_sets_say():
    rng = np.random.default_rng(5)
    paths = np.unique(rng.integers(0, 4, (60, 3)), axis=0)
    paths = paths[rng.permutation(len(paths))]
    trie, rows = Trie.of(paths, np.arange(len(paths)) * 2), [tuple(path) for path in paths.tolist()]
    for leaf, path in enumerate(rows):
        for level in range(4):
            node = trie.node_at[leaf, level]
            under = [other for other, there in enumerate(rows) if there[:level] == path[:level]]
            assert trie.leaves[node] == len(under)
            assert trie.lowest[node] == min(under)
            following = sorted({rows[other][level] for other in under}) if level < 3 else []
            assert trie.token[list(trie.children(node))].tolist() == following
        assert trie.decisive[leaf] == min(level for level in range(4) if sum(there[:level] == path[:level] for there in rows) == 1)
    chosen = rng.random(len(rows)) < 0.3
    assert trie.counts(chosen)[trie.node_at[0, 1]] == sum(chosen[other] for other, there in enumerate(rows) if there[0] == rows[0][0])
    assert trie.leaves_of(Ragged.of([[0, 1, 2, 2], [500]]), 200).lengths.tolist() == [2, 0]


def test_paths_of_other_lengths_and_several_per_item():
    trie = Trie.of(np.array([[0, -1], [1, 2], [1, 3], [2, 0]]), np.array([4, 5, 5, 9]))
    assert trie.leaves.tolist() == [4, 1, 2, 1, 1, 1, 1]
    assert trie.leaves_of(Ragged.of([[5, 9]]), 10).values.tolist() == [1, 2, 3]

    class Flat:
        def begin(self, beams):
            return torch.zeros(int(beams.sum()), 4), []

        def go_on(self, beams, tokens, place, past):
            return torch.zeros(len(tokens), 4), past

        def first(self, place):
            return 0

    leaves, scores = search(trie, Flat(), Allowed(trie.leaves, Ragged.empty(1), None), 10)
    assert leaves.values.tolist() == [0, 3, 1, 2]  # ties go by the lower leaf
    np.testing.assert_allclose(np.exp(scores), [1 / 3, 1 / 3, 1 / 6, 1 / 6], rtol=1e-6)
    with pytest.raises(DataError, match="path of codes of its own"):
        Trie.of(np.array([[0, -1], [0, 1]]), np.arange(2))


def test_it_keeps_laws_also_where_items_have_no_code():
    some = ["lists", "scores", "batch", "full", "relabel", "shards_only", "saved"]  # all of them: tests/test_contract.py
    assert not vt.testing.check_model(TIGER(codes=OfHash(missing=9), **SMALL), laws=some).skipped
