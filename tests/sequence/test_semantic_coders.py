"""Coders against slow NumPy: k-means, residual and product quantisation, the autoencoder; and the report on codes."""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import DataError, ParameterError
from vitrina.batch import aligned
from vitrina.data.features import FeatureTable
from vitrina.sequence.semantic.kmeans import kmeans, lloyd, nearest, start
from vitrina.sequence.semantic.rqvae import Autoencoder
from vitrina.vocabulary import Vocabulary

s = vt.sequence
REAL = Path(os.environ.get("VITRINA_DATA", Path(__file__).parents[3] / "shared" / "data")) / "amazon-beauty"
RNG = np.random.default_rng(7)
CENTRES = RNG.normal(size=(6, 8)) * 4
VECTORS = (CENTRES[RNG.integers(6, size=300)] + RNG.normal(size=(300, 8)) * 0.7).astype(np.float32)


def slow_nearest(x, centroids):
    return int(np.argmin([((x.astype(float) - c.astype(float)) ** 2).sum() for c in centroids]))


def slow_lloyd(vectors, centroids, rounds):
    centroids = centroids.astype(float)
    for _ in range(rounds):
        place = np.array([slow_nearest(x, centroids) for x in vectors])
        centroids = np.array([vectors[place == k].astype(float).mean(axis=0) for k in range(len(centroids))])
    return centroids


def error_of(vectors, centroids):
    return float(np.mean([((x - centroids[slow_nearest(x, centroids)]) ** 2).sum() for x in vectors]))


def test_lloyd_is_the_slow_one():
    begin = VECTORS[:7]
    for rounds in (1, 2, 12):
        np.testing.assert_allclose(lloyd(VECTORS, begin, rounds), slow_lloyd(VECTORS, begin, rounds), atol=1e-4)
    errors = [error_of(VECTORS, lloyd(VECTORS, begin, rounds)) for rounds in range(6)]
    assert (np.diff(errors) <= 1e-6).all()
    place, distance = nearest(VECTORS, begin)
    assert place.tolist() == [slow_nearest(x, begin) for x in VECTORS]
    np.testing.assert_allclose(distance, ((VECTORS - begin[place]) ** 2).sum(axis=1), atol=1e-3)


def test_an_empty_cluster_takes_the_vector_that_is_worst_served():
    begin = np.vstack([VECTORS[:3], np.full((4, 8), 1e3, np.float32)])
    place, _ = nearest(VECTORS, lloyd(VECTORS, begin, 50))
    assert len(np.unique(place)) == 7
    few = np.repeat(VECTORS[:2], 5, axis=0)  # there are no more different ones: the others stay empty, and nothing breaks
    assert len(np.unique(nearest(few, kmeans(few, 4, np.random.default_rng(0)))[0])) == 2


def test_the_start_draws_by_squared_distance():
    points = np.array([[0.0], [1.0], [3.0]], np.float32)
    drawn = [tuple(start(points, 2, np.random.default_rng(seed)).ravel()) for seed in range(4000)]
    first = [second for first, second in drawn if first == 0]
    assert abs(np.mean(np.array(first) == 3) - 9 / 10) < 4 * np.sqrt(0.09 / len(first))
    assert all(one != other for one, other in drawn)


def test_residual_codes_are_greedy_and_each_digit_takes_error_away():
    coder = s.ResidualKMeans(sizes=(6, 5, 4))
    books = coder.learn(VECTORS)
    for x, code in zip(VECTORS[:50], books.encode(VECTORS[:50]), strict=True):
        left, slow = x.copy(), []
        for centroids in books.centroids:
            slow.append(slow_nearest(left, centroids))
            left = left - centroids[slow[-1]]
        assert slow == code.tolist()
        np.testing.assert_allclose(x - books.decode(code[None])[0], left, atol=1e-5)
    errors = []
    for digits in (1, 2, 3):
        parts = books.encode(VECTORS)[:, :digits]
        errors.append(((VECTORS - sum(books.centroids[d][parts[:, d]] for d in range(digits))) ** 2).sum(axis=1).mean())
    assert errors[0] > errors[1] > errors[2]


def product_errors(coder):
    """The error after each round."""
    return [
        ((VECTORS - (b := coder.model_copy(update={"rounds": rounds}).learn(VECTORS)).decode(b.encode(VECTORS))) ** 2).sum(axis=1).mean()
        for rounds in (1, 2, 4, 8, 16)
    ]


def test_a_product_without_rotation_is_k_means_of_each_part():
    coder = s.ProductQuantisation(sizes=(4, 3), rotation=False, rounds=5)
    rng = np.random.default_rng(coder.seed)
    parts = np.array_split(VECTORS, 2, axis=1)
    begun = [start(part, size, rng) for part, size in zip(parts, (4, 3), strict=True)]
    books = coder.learn(VECTORS)
    np.testing.assert_array_equal(books.rotation, np.eye(8))
    for part, begin, centroids in zip(parts, begun, books.centroids, strict=True):
        np.testing.assert_allclose(centroids, slow_lloyd(part, begin, 5), atol=1e-4)


def test_turning_the_vectors_never_makes_the_error_larger_and_ends_lower():
    turned, plain = (product_errors(s.ProductQuantisation(sizes=(4, 4), rotation=rotation)) for rotation in (True, False))
    assert (np.diff(turned) <= 1e-5).all()
    assert (np.diff(plain) <= 1e-5).all()
    assert turned[-1] < plain[-1]
    books = s.ProductQuantisation(sizes=(4, 4)).learn(VECTORS)
    np.testing.assert_allclose(books.rotation @ books.rotation.T, np.eye(8), atol=1e-5)
    with pytest.raises(ParameterError, match="no more digits"):
        s.ProductQuantisation(sizes=(2,) * 9).learn(VECTORS)


def autoencoder():
    torch.manual_seed(0)
    network = Autoencoder(8, (5,), 3, (4, 3)).double()
    for book in network.books:
        torch.nn.init.normal_(book)
    return network


def test_the_loss_of_the_autoencoder_and_its_gradients():
    network, x, commitment = autoencoder(), torch.from_numpy(VECTORS[:9].astype(np.float64)), 0.25
    network.loss(x, commitment).backward()
    found = {name: weights.grad.clone() for name, weights in network.named_parameters()}
    network.zero_grad()
    total, at = 0.0, []
    for row in x:  # with the codes fixed, and what has no gradient as a constant
        z = network.encoder(row)
        left, e = z, []
        for book in network.books:
            chosen = book[int(((left.detach() - book.detach()) ** 2).sum(1).argmin())]
            total = total + ((left.detach() - chosen) ** 2).sum() + commitment * ((left - chosen.detach()) ** 2).sum()
            e.append(chosen.detach())
            left = left - chosen.detach()
        quantised = sum(e).clone().requires_grad_()
        at.append((z, quantised, ((row - network.decoder(quantised)) ** 2).sum()))
    loss = total + sum(r for *_, r in at)
    assert network.loss(x, commitment).item() == pytest.approx(loss.item() / len(x))
    loss.backward(retain_graph=True)
    for z, quantised, _ in at:  # straight through: what the decoder says of the codes is said to the encoder
        z.backward(quantised.grad, retain_graph=True)
    for name, weights in network.named_parameters():
        np.testing.assert_allclose(found[name], weights.grad / len(x), atol=1e-10, err_msg=name)


def test_the_autoencoder_finds_the_clusters_and_leaves_no_code_dead():
    coder = s.RQVAE(sizes=(6, 4), hidden=(16,), dim=4, epochs=60, batch=50, learning_rate=1e-2)
    books = coder.learn(VECTORS)
    codes = books.encode(VECTORS)
    left = ((VECTORS - books.decode(codes)) ** 2).sum(axis=1).mean()
    assert left < 0.35 * ((VECTORS - VECTORS.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert [len(np.unique(codes[:, digit])) for digit in range(2)] == [6, 4]
    network = autoencoder().float()
    with torch.no_grad():
        network.books[0][1:] = 1e6  # nobody's
        network.revive(torch.from_numpy(VECTORS), np.random.default_rng(0))
        assert network.books[0].abs().max() < 1e3
    with pytest.raises(ParameterError, match="learning_rate"):
        coder.model_copy(update={"learning_rate": 1e30, "epochs": 3}).learn(VECTORS)


CODERS = [
    s.ResidualKMeans(sizes=(4, 3)),
    s.ProductQuantisation(sizes=(4, 3)),
    s.RQVAE(sizes=(4, 3), hidden=(8,), dim=3, epochs=10),
]


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: type(coder).__name__)
def test_every_coder_keeps_the_laws(coder, tmp_path):
    data = vt.testing.synthetic(users=30, items=40)
    vectors = VECTORS[: data.n_items].copy()
    vectors[3] = 0
    codes = coder.fit(data, vectors)
    assert codes.known.tolist() == [item != 3 for item in range(data.n_items)]
    assert codes.sizes == (4, 3)
    again = vt.load(vt.save(codes, tmp_path / "codes")).codes
    np.testing.assert_array_equal(again.codes, codes.codes)
    np.testing.assert_array_equal(again.coder.encode(VECTORS), codes.coder.encode(VECTORS))  # further items
    np.testing.assert_allclose(again.coder.decode(codes.codes[:3]), codes.coder.decode(codes.codes[:3]))
    order = np.random.default_rng(0).permutation(data.n_items)
    turned = aligned(data, Vocabulary(data.items.ids.gather(order)))
    np.testing.assert_array_equal(coder.fit(turned, vectors[order]).codes, codes.codes[order])
    assert from_plain(to_plain(coder)) == coder
    with pytest.raises(DataError, match="rows of finite numbers"):
        coder.fit(data, vectors[:-1])
    with pytest.raises(DataError, match="all 40"):
        coder.fit(data, np.zeros_like(vectors))


def test_codes_of_content_cover_what_is_described():
    data = vt.testing.toy()
    coder = s.ResidualKMeans(sizes=(2,), vectors=vt.similarity.OfContent(dim=2))
    np.testing.assert_array_equal(coder.covers(data), coder.fit(data).known)


def test_given_codes(tmp_path):
    data, path = vt.testing.toy(), str(tmp_path / "codes.parquet")
    pl.DataFrame({"item_id": ["tea", "elsewhere"], "code": [[1, 0, 5], [0, 1, 2]]}).write_parquet(path)
    codes = s.GivenCodes(path=path, column="code", digits=2).fit(data)
    assert codes.codes[data.items.encode(["tea"])[0]].tolist() == [1, 0]
    assert codes.known.sum() == s.GivenCodes(path=path, column="code").covers(data).sum() == 1
    with pytest.raises(ParameterError, match="1 to 3"):
        s.GivenCodes(path=path, column="code", digits=4).fit(data)
    with pytest.raises(ParameterError, match="no vectors"):
        s.GivenCodes(path=path, column="code").fit(data, VECTORS)
    with pytest.raises(DataError, match="can't be read"):
        s.GivenCodes(path=path + "x", column="code").fit(data)


def jaccard(one, other):
    return len(one & other) / len(one | other)


def test_the_report_is_what_slow_counting_says():
    rng = np.random.default_rng(3)
    digits = rng.integers(0, 3, size=(40, 2)).astype(np.int32)
    tags = [[f"t{digits[i, 0]}", *(f"x{t}" for t in rng.integers(0, 6, 2))] for i in range(40)]
    table = FeatureTable(pl.DataFrame({"tags": tags, "name": [f"n{i}" for i in range(40)]}), {"tags": "categories", "name": "category"})
    codes = s.SemanticCodes(Vocabulary.of([f"i{i}" for i in range(40)]), digits, (4, 3))
    quality = codes.quality(table)
    for row in quality.table.iter_rows(named=True):
        prefixes = [tuple(code[: row["digits"]]) for code in digits.tolist()]
        sizes = [prefixes.count(prefix) for prefix in prefixes]
        assert (row["groups"], row["largest"]) == (len(set(prefixes)), max(sizes))
        assert row["shared"] == pytest.approx(np.mean(np.array(sizes) > 1))
        mates = [[jaccard(set(tags[i]), set(tags[j])) for j in range(40) if j != i and prefixes[i] == prefixes[j]] for i in range(40)]
        assert row["likeness"] == pytest.approx(np.mean([np.mean(m) for m in mates if m]))
        assert row["low"] < row["likeness"] < row["high"]
        pairs = [jaccard(set(tags[i]), set(tags[j])) for i, j in combinations(range(40), 2)]
        assert row["random"] == pytest.approx(np.mean(pairs), abs=0.01)
        counts = np.bincount(digits[:, row["digits"] - 1])
        assert row["perplexity"] == pytest.approx(np.exp(-sum(c / 40 * np.log(c / 40) for c in counts)))
        assert row["used"] == pytest.approx(3 / (4 if row["digits"] == 1 else 3))
    assert "same first digit" in repr(quality)
    assert codes.quality().table["likeness"].null_count() == 2
    with pytest.raises(DataError, match="row per item"):
        codes.quality(FeatureTable(table.frame.head(5), table.kinds))
    with pytest.raises(DataError, match="columns of categories"):
        codes.quality(table, columns=["price"])


@pytest.mark.parametrize(("column", "prefixes", "largest"), [("rqvae", 11_401, 13), ("rqkmeans", 7_834, 75)])
def test_the_given_codes_of_beauty(column, prefixes, largest):
    """The counts are of a group_by of the file. Published of the same codes: 13 items per prefix at most, and a likeness of .060 of any two items."""
    if not REAL.is_dir():
        pytest.skip("Amazon Beauty is not here: set VITRINA_DATA to a folder that holds it")
    items = pl.read_parquet(REAL / "items.parquet").with_columns(pl.col("item_id").cast(pl.Int64))
    codes = s.SemanticCodes.of_table(REAL / "semantic_ids.parquet", item="item_id", column=column).of(Vocabulary.of(items["item_id"]))
    quality = codes.quality(FeatureTable(items.select("attributes"), {"attributes": "categories"}))
    third = quality.table.row(2, named=True)
    assert (third["groups"], third["largest"]) == (prefixes, largest)
    assert third["random"] == pytest.approx(0.060, abs=0.002)
    assert quality.table["likeness"][0] > 0.17
    assert quality.items == 12_088
    assert len(np.unique(codes.prefixes()[codes.known])) == 12_088
