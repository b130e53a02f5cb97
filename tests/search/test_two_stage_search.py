"""Search in two stages: features against slow ones, a planted preference that the ranker finds, heads mixed when asked, histories."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.ranking import FeatureSet, Head, LambdaRank, Sources, SourceScores, UserItemCounters

KINDS = ["cable", "phone", "lamp", "chair"]
COLOURS = ["red", "blue", "green", "black", "white"]


@pytest.fixture(scope="module")
def shop():
    """400 items; people judge by kind and colour, and by price, which no source reads; dear ones are bought."""
    rng = np.random.default_rng(0)
    kind, colour = rng.integers(0, 4, 400), rng.integers(0, 5, 400)
    price = rng.uniform(1, 100, 400).round(2)
    items = pl.DataFrame({
        "item": [f"i{n}" for n in range(400)], "title": [f"{COLOURS[c]} {KINDS[k]} model {n % 37}" for n, (k, c) in enumerate(zip(kind, colour, strict=True))],
        "maker": [COLOURS[(c + 1) % 5].title() for c in colour], "price": price,
    })  # fmt: skip
    rows, texts = [], {}
    for q in range(160):
        k, c = int(rng.integers(0, 4)), int(rng.integers(0, 5))
        texts[f"q{q}"] = f"{COLOURS[c]} {KINDS[k]}"
        right = (kind == k) & (colour == c)
        for i in [*np.flatnonzero(right), *rng.choice(np.flatnonzero((kind == k) ^ (colour == c)), 15, replace=False)]:
            rows.append((f"q{q}", f"i{i}", (1 + 2 * (price[i] < 50)) if right[i] else 0, float(right[i] and price[i] > 70)))
    qrels = pl.DataFrame(rows, schema=["query", "item", "gain", "bought"], orient="row")
    return vt.split.judged(qrels, texts, items)


@pytest.fixture(scope="module")
def sources(shop):
    table = shop.train.item_table.frame.with_columns(item=shop.train.items.ids)
    index = vt.search.ItemIndex.build(table, id="item", columns=["title"], vocabulary=shop.train.items)
    return Sources.of({"words": index.lexical(), "any": vt.RandomItems().fit(shop.train)}, n={"words": 200, "any": 20})


FEATURES = (SourceScores(), vt.search.TextOverlap(columns=("title",), brand="maker"), vt.search.ItemNumbers(columns=("price",)))
RANKER = LambdaRank(trees=60, least_pairs=20, leaves=7, learning_rate=0.1)


@pytest.fixture(scope="module")
def halves(shop):
    return shop.take(np.arange(0, shop.n_queries, 2)), shop.take(np.arange(1, shop.n_queries, 2))


@pytest.fixture(scope="module")
def fitted(shop, sources, halves):
    heads = (Head(name="relevance", judged="gain"), Head(name="purchase", judged="bought", weight=0))
    return vt.TwoStage(features=FEATURES, ranker=RANKER, heads=heads, held_out=0.3).fit(shop.train, validation=halves[0], sources=sources)


def test_the_ranker_finds_what_no_source_reads(sources, halves, fitted):
    test = halves[1]
    ranked, words = (
        vt.evaluate.evaluate(engine.recommend(test.queries, 10), test, ["linear nDCG@10"], intervals=False).per_query["linear nDCG@10"]
        for engine in (fitted, sources.recommenders[0])
    )
    assert ranked.mean() > 0.9
    assert (ranked - words).mean() > 0.15, (ranked.mean(), words.mean())


def test_heads_are_mixed_when_somebody_asks(shop, halves, fitted):
    asked = halves[1].queries
    bought = vt.Queries.of_texts(shop.train.items, asked.texts.to_list())
    context = pl.DataFrame({"weight_purchase": np.full(len(asked), 30.0), "weight_relevance": np.zeros(len(asked))})
    price = shop.train.item_table.frame["price"].to_numpy()
    plain, dear = fitted.recommend(bought, 3), fitted.recommend(replace(bought, context=context), 3)
    assert price[plain.items].mean() < 45
    assert price[dear.items].mean() > 65


def test_a_search_is_never_filled_up(shop, fitted):
    lists = fitted.recommend(vt.Queries.of_texts(shop.train.items, ["red lamp"]), 400)
    assert (lists.items[0] >= 0).sum() <= 220
    assert not lists.fallback.any()
    assert np.isnan(lists.scores[0][lists.items[0] < 0]).all()


def test_it_is_saved_and_answers_the_same(tmp_path, shop, halves, fitted):
    vt.save(fitted, tmp_path / "ranked")
    again = vt.load(tmp_path / "ranked").recommender
    asked = halves[1].queries
    np.testing.assert_array_equal(again.recommend(asked, 10).items, fitted.recommend(asked, 10).items)


def test_what_does_not_fit_is_refused(shop, sources, halves):
    with pytest.raises(ParameterError, match="Got none"):
        vt.TwoStage().fit(shop.train)
    with pytest.raises(UnknownNameError, match=r"'clicked'.*gain"):
        vt.TwoStage(features=FEATURES, heads=(Head(judged="clicked"),)).fit(shop.train, validation=halves[0], sources=sources)
    with pytest.raises(ParameterError, match="judged='bought'"):
        vt.TwoStage(features=FEATURES, heads=(Head(values=True),)).fit(shop.train, validation=halves[0], sources=sources)
    log = vt.testing.synthetic()
    with pytest.raises(ParameterError, match=r"vt.split.judged"):
        vt.TwoStage(sources=(vt.ranking.Source(model=vt.Popularity()),), heads=(Head(judged="gain"),)).fit(log)


def overlap(text, asked, rarity):
    """The features of a text, term by term."""
    shared = [term for term in asked if term in text]
    phrase = any(text[at : at + len(asked)] == asked for at in range(len(text)))
    return (
        len(shared) / len(asked), sum(rarity(t) for t in shared) / sum(rarity(t) for t in asked),
        sum(term in asked for term in text) / len(text), float(phrase),
    )  # fmt: skip


def test_overlap_equals_a_slow_one(shop, sources):
    group = vt.search.TextOverlap(columns=("title",), brand="maker")
    features = FeatureSet.fit((group,), shop.train, sources)
    texts = ["red cable", "cable red", "model 12 lamp", "the chair", "zzz", None]
    pairs = sources.candidates(vt.Queries.of_texts(shop.train.items, texts))
    got = features.compute(pairs)
    frame = shop.train.item_table.frame
    terms = [group.analysis.terms(title) for title in frame["title"]]
    makers = [group.analysis.terms(maker) for maker in frame["maker"]]
    documents = {}
    for title, maker in zip(terms, makers, strict=True):
        for term in {*title, *maker}:
            documents[term] = documents.get(term, 0) + 1
    least = min(documents.values())

    def rarity(term):
        n = documents.get(term, least)
        return np.log1p((len(frame) - n + 0.5) / (n + 0.5))

    for pair in range(len(pairs)):
        text, code = texts[pairs.rows[pair]], pairs.codes[pair]
        asked = [] if text is None else group.analysis.terms(text)
        if not asked:
            assert np.isnan(got[pair]).all()
            continue
        numbers = [term for term in asked if any(letter.isdigit() for letter in term)]
        brand = sum(term in makers[code] for term in makers[code] if term in asked) / len(makers[code])
        expected = [
            *overlap(terms[code], asked, rarity), brand, len(asked),
            np.mean([term in terms[code] for term in numbers]) if numbers else np.nan,
        ]  # fmt: skip
        np.testing.assert_allclose(got[pair], expected, rtol=1e-5, err_msg=f"{text} {terms[code]} {features.names}")


def test_numbers_of_items_beside_other_candidates(shop, sources):
    features = FeatureSet.fit((vt.search.ItemNumbers(columns=("price",)),), shop.train, sources)
    pairs = sources.candidates(vt.Queries.of_texts(shop.train.items, ["red cable"]))
    got, price = features.compute(pairs), shop.train.item_table.frame["price"].to_numpy()[pairs.codes]
    np.testing.assert_allclose(got[:, 0], price, rtol=1e-6)
    expected = [(np.sum(price < own) + (np.sum(price == own) - 1) / 2) / (len(price) - 1) for own in price]
    np.testing.assert_allclose(got[:, 1], expected, rtol=1e-6)
    with pytest.raises(DataError, match=r"no column 'cost'. It has title"):
        FeatureSet.fit((vt.search.ItemNumbers(columns=("cost",)),), shop.train, sources)


class Shared(vt.search.CrossEncoder):
    """How many words a text and an item share."""

    def score(self, texts, item_texts):
        return np.array([len({*a.split()} & {*b.split()}) for a, b in zip(texts, item_texts, strict=True)], np.float32)


def test_a_cross_encoder_reads_the_first_candidates(shop, sources):
    features = FeatureSet.fit((vt.search.CrossScore(encoder=Shared(), columns=("title", "maker"), most=7),), shop.train, sources)
    texts = ["red cable", None]
    pairs = sources.candidates(vt.Queries.of_texts(shop.train.items, texts))
    got, frame = features.compute(pairs)[:, 0], shop.train.item_table.frame
    first = pairs.rows == 0
    assert np.isnan(got[~first]).all()
    assert np.isfinite(got[first]).sum() == 7
    read = np.flatnonzero(np.isfinite(got))
    assert np.nanmax(pairs.ranks[read].min(axis=1)) <= 7
    for pair in read:
        words = {*frame["title"][int(pairs.codes[pair])].split(), frame["maker"][int(pairs.codes[pair])]}
        assert got[pair] == len({"red", "cable"} & words)


def test_a_cross_encoder_behind_an_endpoint():
    import httpx

    def answer(request):
        body = json.loads(request.content)
        scores = [len(document) for document in body["documents"]]
        results = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
        return httpx.Response(
            500 if body["query"] == "down" else 200, json={"results": results[::-1] if body["query"] != "half" else results[:1]}
        )

    encoder, transport = vt.search.HttpCrossEncoder(url="http://localhost/rerank", model="mini", batch=2), httpx.MockTransport(answer)
    assert encoder.asked(["a", "b", "a", "a"], ["x", "xx", "xxx", "xxxx"], transport).tolist() == [1, 2, 3, 4]
    with pytest.raises(DataError, match="a finite relevance_score"):
        encoder.asked(["half", "half"], ["x", "xx"], transport)
    with pytest.raises(DataError, match="has not answered"):
        encoder.asked(["down"], ["x"], transport)


def test_a_cross_encoder_of_a_folder(tmp_path):
    onnx, tokenizers = pytest.importorskip("onnx"), pytest.importorskip("tokenizers")
    from onnx import TensorProto, helper

    words = {"[UNK]": 0, "red": 1, "lamp": 2, "chair": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["logits"], keepdims=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(
        nodes, "sum", [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 1])], [axes],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(tmp_path / "model.onnx"))
    scores = vt.search.OnnxCrossEncoder(folder=str(tmp_path), batch=2).score(["red lamp", "chair", "red"], ["lamp", "unknown", "chair"])
    assert scores.tolist() == [5, 3, 4]
    with pytest.raises(DataError, match=r"tokenizer.json isn't there"):
        vt.search.OnnxCrossEncoder(folder=str(tmp_path / "nowhere")).score(["a"], ["b"])


def test_a_history_makes_it_personal(shop, sources):
    """The same call: what somebody has had is a feature, and it teaches the ranker where people judged with it in mind."""
    rng = np.random.default_rng(1)
    asked, histories, rows = {}, [], []
    titles = shop.train.item_table.frame["title"].to_list()
    for q in range(120):
        kind = KINDS[int(rng.integers(0, 4))]
        own = [i for i, title in enumerate(titles) if kind in title]
        had = rng.choice(own, 5, replace=False)
        asked[f"q{q}"], _ = kind, histories.append([f"i{i}" for i in had])
        rows += [(f"q{q}", f"i{i}", 2) for i in had] + [
            (f"q{q}", f"i{i}", 0) for i in rng.choice(np.setdiff1d(own, had), 15, replace=False)
        ]
    qrels = pl.DataFrame(rows, schema=["query", "item", "gain"], orient="row")
    table = shop.train.item_table.frame.with_columns(item=shop.train.items.ids)
    split = vt.split.judged(qrels, asked, table)
    known = vt.Queries.of_texts(split.train.items, list(asked.values()), histories)
    split = split.changed(queries=known)
    groups = (SourceScores(), UserItemCounters())
    fitted = vt.TwoStage(features=groups, ranker=RANKER, held_out=0.3).fit(
        split.train, validation=split.take(np.arange(80)), sources=sources
    )
    test = split.take(np.arange(80, 120))
    ranked = vt.evaluate.evaluate(fitted.recommend(test.queries, 10, eligible=test.eligible), test, ["Recall@10"], intervals=False)
    assert ranked["Recall@10"] > 0.9
