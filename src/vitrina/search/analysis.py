"""From a text to terms: the same for what is indexed and for what is typed."""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import Annotated, Any, final

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field

from vitrina.base.arrays import Ragged
from vitrina.base.config import Config, Names
from vitrina.base.errors import MissingExtraError, UnknownNameError
from vitrina.base.hashing import IdTable
from vitrina.search.words import STOP_WORDS

WORD = r"\w+"
PLAIN = re.compile(r"[\x00-\x7fА-Яа-яЁё]*")  # of such a text Python makes the same words as Polars, ten times as quickly
PLAIN_WORD = re.compile(r"[0-9A-Za-zА-Яа-яЁё_]+")


def _known_languages(languages: tuple[str, ...]) -> tuple[str, ...]:
    known = _stemmer_library().algorithms() if languages else ()
    for language in languages:
        if language not in known:
            raise ValueError(str(UnknownNameError.of("language", language, known)))
    return languages


@final
class TextAnalysis(Config):
    """How a text becomes terms: NFKC, lower case, ё as е, runs of letters and digits, without stop words, stemmed by [Snowball](https://snowballstem.org).

    Args:
        languages: whose stemmers are applied, one after the other: a Russian one leaves Latin letters alone, and an English one Cyrillic ones, so
            that ("russian", "english") is right for a shop with both. None of them: words stay as they are.
        stop_words: words that are left out; None takes those that are known of the languages (English and Russian; none of others).
        stem: whether words are stemmed at all.

    Raises:
        MissingExtraError: PyStemmer isn't installed.
        ParameterError: there is no such language; lists the closest.

    >>> TextAnalysis(languages=("russian", "english")).terms("Красные кроссовки для бега, running shoes")
    ['красн', 'кроссовк', 'бег', 'run', 'shoe']
    """

    languages: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_known_languages)] = ("english",)
    stop_words: Names | None = None
    stem: bool = True

    @cached_property
    def left_out(self) -> frozenset[str]:
        """The stop words."""
        if self.stop_words is not None:
            return frozenset(word for text in self.stop_words for word in words(pl.Series([text]))[0].to_list())
        return frozenset().union(*(STOP_WORDS.get(language, frozenset()) for language in self.languages))

    def stems(self, distinct: list[str]) -> list[str]:
        """The terms of words, one each."""
        for language in self.languages if self.stem else ():
            distinct = stemmer(language).stemWords(distinct)
        return distinct

    def terms(self, text: str | None) -> list[str]:
        """The terms of one text, in its order; empty for a text that isn't there.

        Cost: some ten microseconds, and half a millisecond for letters beside Latin and Cyrillic ones.
        """
        if not text:
            return []
        found = PLAIN_WORD.findall(text.lower().replace("ё", "е")) if PLAIN.fullmatch(text) else words(pl.Series([text]))[0].to_list()
        return self.stems([word for word in found if word not in self.left_out])

    def texts(self, texts: pl.Series) -> tuple[Ragged, pl.Series]:
        """The terms of many texts.

        Returns:
            A row per text of numbers of terms, in the order of the text, and the terms that the numbers stand for.

        Cost: a microsecond per ten words; each distinct word is stemmed once.
        """
        lists = words(texts)
        lengths = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
        flat = lists.explode(empty_as_null=False, keep_nulls=False)
        table = IdTable()
        codes, first = table.add(flat)
        distinct = flat.gather(first).to_list()
        kept = np.array([word not in self.left_out for word in distinct], bool)
        stems = pl.Series(self.stems([word for word, own in zip(distinct, kept, strict=True) if own]), dtype=pl.String)
        term_of, place = IdTable().add(stems)
        rows = Ragged.of_lengths(lengths, codes)
        rows = rows.keep(kept[rows.values]) if len(kept) else rows
        return Ragged(rows.indptr, term_of[(np.cumsum(kept) - 1)[rows.values]]), stems.gather(place)


def words(texts: pl.Series) -> pl.Series:
    """The words of each text, as lists; null of a text that isn't there.

    >>> words(pl.Series(["Ёлка, 2 шт.", None])).to_list()
    [['елка', '2', 'шт'], None]
    """
    return texts.cast(pl.String).str.normalize("NFKC").str.to_lowercase().str.replace_all("ё", "е", literal=True).str.extract_all(WORD)


@cache
def stemmer(language: str) -> Any:
    """The stemmer of a language, which one thread may use at a time under the lock of the interpreter."""
    return _stemmer_library().Stemmer(language)


def _stemmer_library() -> Any:
    try:
        import Stemmer  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("PyStemmer", "search", "Search by words") from None
    return Stemmer
