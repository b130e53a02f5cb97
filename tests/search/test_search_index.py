"""The index against BM25 counted word by word, and the laws of what is added, changed and deleted."""

import math
from collections import Counter
from dataclasses import replace
from functools import cached_property

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.search.analysis import words
from vitrina.testing.cases import Case, contract_data
from vitrina.testing.contract import held_to
from vitrina.testing.laws import LAWS

WORDS = [f"w{n}" for n in range(60)]


def table(items, seed=0, first=0):
    rng = np.random.default_rng(seed)
    draw = lambda most: " ".join(rng.choice(WORDS, rng.integers(0, most), p=np.arange(60, 0, -1) / 1830))  # noqa: E731
    return pl.DataFrame(
        {
            "id": [f"i{n}" for n in range(first, first + items)],
            "title": [draw(8) for _ in range(items)],
            "about": [None if n % 5 == 0 else draw(40) for n in range(items)],
            "brand": rng.choice(["A", "B", "C"], items),
        }
    )


def oracle(rows, text, k1=1.5, b=0.75, weights=(3, 1)):
    """BM25 of each row that has a word of the text: the title is there three times."""
    documents = {row["id"]: (row["title"].split() * weights[0] + (row["about"] or "").split() * weights[1]) for row in rows}
    mean = sum(map(len, documents.values())) / len(documents)
    df = Counter(word for document in documents.values() for word in set(document))
    scores = {}
    for item, document in documents.items():
        shared = [word for word in text.split() if word in document]
        if shared:
            norm = k1 * (1 - b + b * len(document) / mean)
            parts = [
                math.log(1 + (len(documents) - df[w] + 0.5) / (df[w] + 0.5)) * document.count(w) / (document.count(w) + norm)
                for w in shared
            ]
            scores[item] = sum(parts)
    return scores


def index_of(rows, **settings):
    return vt.search.ItemIndex.build(rows, id="id", columns={"title": 3, "about": 1}, language=None, **settings)


def agree(index, rows):
    texts = ["w0 w1 w2", "w50 w3 w50", "w59", "nothing", "", None, "w7 w8 w9 w10 w11 w12"]
    lists = index.recommend(vt.Queries.of_texts(index.vocabulary, texts), 200)
    for text, items, scores in zip(texts, lists.items, lists.scores, strict=True):
        exact = oracle(rows.to_dicts(), text or "")
        found = index.vocabulary.decode(items[items >= 0]).to_list()
        assert set(found) == set(exact)
        np.testing.assert_allclose(scores[: len(found)], [exact[item] for item in found], rtol=2e-6)
        assert (np.diff(scores[: len(found)]) <= 0).all()


def test_scores_are_those_of_bm25():
    agree(index_of(table(150)), table(150))


def test_changes_give_what_a_new_index_would_give():
    rows, index = table(120), index_of(table(120))
    rng = np.random.default_rng(1)
    for step in range(12):
        new, first = table(7, 10 + step, 1000 * (step + 1)), index
        index = index.add(new)
        rows = pl.concat([rows, new])
        changed = table(9, 40 + step).with_columns(id=pl.Series(rng.choice(rows["id"].to_list(), 9, replace=False)))
        index = index.update(changed.drop("brand"))
        rows = rows.join(changed.select("id", "title", "about"), on="id", how="anti")
        rows = pl.concat([rows, changed])
        gone = rng.choice(rows["id"].to_list(), 15, replace=False).tolist()
        index = index.delete(gone)
        rows = rows.filter(~pl.col("id").is_in(gone))
        assert len(first.vocabulary) < len(index.vocabulary)
        assert index.vocabulary.ids.head(len(first.vocabulary)).equals(first.vocabulary.ids)
        if step % 4 == 3:
            agree(index, rows)
    assert index.inverted.documents == len(rows)
    assert len(index.inverted.parts) < 8
    back = index.add(table(1, 3).with_columns(id=pl.Series([gone[0]])))
    assert back.vocabulary.encode([gone[0]]) == index.vocabulary.encode([gone[0]])


def test_what_was_made_of_an_index_stays_as_it_was():
    rows = table(60)
    index = index_of(rows)
    source = index.lexical()
    asked = vt.Queries.of_texts(index.vocabulary, ["w0 w1 w2"])
    before = source.recommend(asked, 60)
    changed = index.delete(rows["id"].to_list()[:30]).add(table(50, 9, 500))
    after = source.recommend(asked, 60)
    assert np.array_equal(before.items, after.items)
    assert np.array_equal(before.scores, after.scores, equal_nan=True)
    now = changed.recommend(asked, 60)
    assert not set(changed.vocabulary.decode(now.items[now.items >= 0]).to_list()) & set(rows["id"].to_list()[:30])


def test_eligibility_goes_before_the_best_and_ties_to_the_lower_code():
    rows = pl.DataFrame({"id": range(9), "title": ["red shoe"] * 4 + ["red"] * 5, "price": [5.0, 15, 25, 35, 5, 15, 25, 35, None]})
    index = vt.search.ItemIndex.build(rows, id="id", columns=["title"])
    assert index.search(["red shoe"], 9).items[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    few = vt.Queries.of_texts(index.vocabulary, ["red shoe", "red"], [[0], [4, 5]])
    assert index.recommend(few, 3).items.tolist() == [[1, 2, 3], [6, 7, 8]]
    assert index.search(["shoe red"], 3, where={"price": {"above": 20}}).items[0].tolist() == [2, 3, 6]
    own = vt.Eligibility(include=vt.Ragged.of([[8, 3], [1]]), repeat=True)
    assert index.recommend(few, 3, eligible=own).items.tolist() == [[3, 8, -1], [1, -1, -1]]
    every = index.lexical(match="all").recommend(vt.Queries.of_texts(index.vocabulary, ["red shoe", "red boat"]), 9)
    assert every.items.tolist() == [[0, 1, 2, 3, -1, -1, -1, -1, -1], [-1] * 9]
    assert not every.fallback.any()
    with pytest.raises(UnknownNameError, match="Did you mean 'price'"):
        index.eligible({"pric": 5})


def test_facets_count_eligible_matches():
    rows = table(80).with_columns(colours=pl.Series([["red", "blue"] if n % 2 else ["red"] for n in range(80)]))
    index = index_of(rows)
    where, asked = {"brand": ["A", "B"]}, vt.Queries.of_texts(index.vocabulary, ["w5 w6", "nothing"], [["i3"], []])
    counts = index.facets(asked, ["brand", "colours"], eligible=index.eligible(where))
    found = set(oracle(rows.to_dicts(), "w5 w6")) - {"i3"}
    kept = rows.filter(pl.col("id").is_in(found) & pl.col("brand").is_in(["A", "B"]))
    brands, colours = Counter(kept["brand"].to_list()), Counter(kept["colours"].explode().to_list())
    expected = [("brand", *pair) for pair in brands.most_common()] + [("colours", *pair) for pair in colours.most_common()]
    assert counts.drop("query").rows() == expected
    assert set(counts["query"]) == {0}


def test_russian_words_in_any_form():
    rows = pl.DataFrame({"id": [1, 2, 3], "title": ["Красные кроссовки для бега", "Ёлка искусственная 180 см", "Кружка «Nike» running"]})
    index = vt.search.ItemIndex.build(rows, id="id", columns=["title"], language=("russian", "english"))
    for text, item in {"красная кроссовка": 1, "елки": 2, "ЁЛКУ": 2, "кружку nike": 3, "run": 3}.items():
        assert index.search([text], 3).to_frame()["id"].to_list() == [item], text
    assert index.search(["для", "и", "the"], 3).items.max() == -1  # of stop words alone


def test_one_text_and_many_give_the_same_terms():
    texts = ["Café № 5, USB-C don't_stop", "Ёлка и ёж", "", "the of", "ＦＵＬＬ ﬁ 12", "Straße naïve", "ไทย हिन्दी", "x" * 300]
    for analysis in (
        vt.search.TextAnalysis(),
        vt.search.TextAnalysis(languages=("russian",), stem=False),
        vt.search.TextAnalysis(stop_words=("x",)),
    ):
        rows, names = analysis.texts(pl.Series([*texts, None]))
        assert [names.gather(rows[at]).to_list() for at in range(len(texts))] == [analysis.terms(text) for text in texts]
    assert words(pl.Series(["A-b 1"])).to_list() == [["a", "b", "1"]]


def test_odd_documents():
    rows = pl.DataFrame({"id": [1, 2, 3, 4], "title": ["", None, "the and", "word " * 200_000 + "rare"]})
    index = vt.search.ItemIndex.build(rows, id="id", columns=["title"])
    assert index.search(["rare word", "the"], 4).items.tolist() == [[3, -1, -1, -1], [-1] * 4]
    assert len(index.catalogue.items) == 4
    empty = index.delete([1, 2, 3, 4])
    assert empty.search(["rare"], 4).items.max() == -1
    assert empty.add(rows).search(["rare"], 1).items.tolist() == [[3]]


def test_what_is_wrong_is_said():
    rows = table(5)
    with pytest.raises(DataError, match="each id once"):
        index_of(pl.concat([rows, rows]))
    with pytest.raises(UnknownNameError, match="Did you mean 'title'"):
        vt.search.ItemIndex.build(rows, id="id", columns=["titel"])
    with pytest.raises(ParameterError, match="Did you mean 'russian'"):
        vt.search.ItemIndex.build(rows, id="id", columns=["title"], language="rusian")
    with pytest.raises(ParameterError, match="above 0"):
        vt.search.ItemIndex.build(rows, id="id", columns={"title": 0})
    index = index_of(rows)
    with pytest.raises(ParameterError, match=r"'i0' is in the index already.* 4 more"):
        index.add(rows)
    with pytest.raises(ParameterError, match="'i7' is not in the index"):
        index.update(table(1, first=7))
    with pytest.raises(ParameterError, match="'i7' is not in the index"):
        index.delete(["i7"])
    with pytest.raises(ParameterError, match="no vectors"):
        index.semantic()
    with pytest.raises(ParameterError, match="'match'"):
        index.lexical(match="some")


def test_pandas_and_numbers_as_ids():
    rows = table(20).with_columns(id=pl.int_range(20) * 7)
    index = index_of(rows.to_pandas())
    assert index.vocabulary.ids.dtype == pl.Int64
    agree(index, rows)


def test_saved_and_loaded(tmp_path):
    index = index_of(table(40)).delete(["i3"]).add(table(5, 4, 100))
    loaded = vt.load(vt.save(index, tmp_path / "index")).recommender
    asked = vt.Queries.of_texts(index.vocabulary, ["w0 w1", "w9"])
    for one, other in ((index, loaded), (index.add(table(3, 8, 200)), loaded.add(table(3, 8, 200)))):
        before, after = (each.recommend(asked, 20) for each in (one, other))
        assert np.array_equal(before.items, after.items)
        assert np.array_equal(before.scores, after.scores, equal_nan=True)
    assert loaded.item_table.frame.equals(index.item_table.frame)
    source = vt.load(vt.save(index.lexical(b=0.3), tmp_path / "source")).recommender
    assert np.array_equal(source.recommend(asked, 20).items, index.lexical(b=0.3).recommend(asked, 20).items)


class Typed(Case):
    """The laws of recommenders with something typed in each question."""

    @cached_property
    def queries(self):
        queries = self.data.queries()
        titles = self.data.item_table.title_column.drop_nulls().to_list()
        return replace(queries, texts=pl.Series([titles[q % len(titles)] if q % 7 else None for q in range(len(queries))]))


def test_the_laws_of_recommenders():
    laws = ["config", "lists", "scores", "ties", "prefix", "batch", "seen", "score", "again", "shards", "saved", "data", "lean"]
    data = contract_data()
    columns = {name: 2.0 for name, kind in data.item_table.kinds.items() if kind in ("text", "category")} | {data.item_table.title: 1.0}
    model = vt.search.TextSearch(columns=columns)
    assert len(held_to(LAWS, laws, Typed(model, data), "TextSearch", "recommender").kept) == len(laws)
    fitted = model.fit(data)
    cold = np.flatnonzero(data.catalogue.events == 0)
    assert set(cold) <= set(fitted.catalogue.also.tolist())
    assert fitted.notes == ()
    assert fitted.recommend(data.queries(), 5).items.max() == -1  # nothing was typed
