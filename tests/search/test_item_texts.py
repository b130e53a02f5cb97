"""Item vectors by an encoder of texts, and what takes them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.config import Config, from_plain, to_plain
from vitrina.base.errors import DataError


class Letters(Config):
    """Counts the letters of a text."""

    @property
    def dim(self):
        return 26

    def encode(self, texts: pl.Series):
        counts = np.array([[(text or "").lower().count(chr(97 + at)) for at in range(26)] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def test_the_texts_of_items_are_encoded_and_make_codes():
    data = vt.testing.toy()
    source = vt.search.OfTexts(encoder=Letters(), columns=("title",))
    titles = data.item_table.frame["title"]
    np.testing.assert_array_equal(source.vectors(data), Letters().encode(titles))
    assert source.texts(data).to_list() == titles.to_list()
    whole = vt.search.OfTexts(encoder=Letters()).texts(data)
    assert all(title in text and aisle in text for text, title, aisle in zip(whole, titles, data.item_table.frame["aisle"], strict=True))
    lists = vt.Reranked(model=vt.Popularity(), reranker=vt.MMR(vectors=source)).fit(data).recommend(data.queries(), k=2)
    assert len(lists) == 6
    assert from_plain(to_plain(vt.search.OfTexts())) == vt.search.OfTexts()
    torch = pytest.importorskip("torch")
    assert torch is not None
    codes = vt.sequence.ResidualKMeans(sizes=(4,), vectors=source).fit(data)
    assert len(np.unique(codes.codes)) == 4


def test_what_lacks_texts_is_refused():
    with pytest.raises(DataError, match="columns of the item table"):
        vt.search.OfTexts(encoder=Letters(), columns=("taste",)).vectors(vt.testing.toy())
    with pytest.raises(DataError, match="needs a table"):
        vt.search.OfTexts(encoder=Letters()).vectors(replace(vt.testing.toy(), item_table=None))
