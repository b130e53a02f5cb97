"""An index over a table of items: words and vectors, as they are at one moment."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.arrays import Float32, Int64
from vitrina.base.config import Config, Names
from vitrina.base.errors import ParameterError
from vitrina.base.state import State, Stateful
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureKind, FeatureTable
from vitrina.forms.by_index import ByIndex
from vitrina.models.indexed import NOTE
from vitrina.search.analysis import TextAnalysis
from vitrina.search.changes import put, with_rows, without
from vitrina.search.facets import counted, holding
from vitrina.search.inverted import Inverted
from vitrina.search.lexical import Lexical
from vitrina.search.rows import check_columns, read_rows
from vitrina.search.semantic import Semantic
from vitrina.search.vector_table import SEARCH, VectorTable
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.vocabulary import Vocabulary

MANY = 200_000  # vectors from which on a graph finds them, where nothing else is said


@final
class Fields(Config):
    """What of a table of items is searched in.

    Args:
        id: the column of ids.
        columns: the columns that are read, and how often each counts.
        analysis: how texts become terms.
        encoder: what makes vectors of texts, a `vt.search.TextEncoder`; None for none.
        encoded: the columns whose text the encoder reads; None takes `columns`.
    """

    id: str
    columns: Mapping[str, float]
    analysis: TextAnalysis = TextAnalysis()
    encoder: Any = None
    encoded: Names | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """What the encoder reads."""
        return tuple(self.columns) if self.encoded is None else self.encoded


@final
@dataclass(frozen=True, eq=False, repr=False)
class ItemIndex:
    """Items by the words in their descriptions, and by vectors of these; `build` makes one. It never changes: `add`, `update` and `delete` give another one.

    What was made of an index (`lexical`, `semantic`) stays as it is while newer ones come, and shares with them what didn't change, so that a service can go on
    answering while the next one is made, and take it in one step. Codes of items are only appended; an item that was deleted keeps its code, is in no
    list, and may be added again. An index is itself a recommender: its lists are those of `lexical()`.

    Args:
        vocabulary: of the items.
        catalogue: what may be found: every item of the table that wasn't deleted. Popularity fills no place.
        fields: what is searched in.
        inverted: the words.
        vectors: of the items; None without an encoder.
        item_table: what is known of the items, a row each.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"sku": ["a", "b"], "title": ["Red running shoes", "Blue shoe laces"]})
    >>> index = vt.search.ItemIndex.build(table, id="sku", columns={"title": 1})
    >>> index.search(["shoe for a runner", "laces"], k=2).to_frame().select("query", "sku").rows()
    [(0, 'a'), (0, 'b'), (1, 'b')]
    >>> index.delete(["a"]).search(["shoe"], k=2).to_frame()["sku"].to_list()
    ['b']
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    fields: Fields
    inverted: Inverted
    vectors: VectorTable | None = None
    item_table: FeatureTable | None = None
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        vectors = "" if self.vectors is None else f", vectors of {self.vectors.dim} numbers"
        return f"ItemIndex({self.inverted.documents:,} items, {', '.join(self.fields.columns)}{vectors})"

    @classmethod
    def build(
        cls,
        table: Any,
        *,
        id: str,
        columns: Mapping[str, float] | Sequence[str],
        language: str | Sequence[str] | TextAnalysis | None = "english",
        encoder: Any = None,
        encoded: Sequence[str] | None = None,
        vectors: Float32 | None = None,
        vocabulary: Vocabulary | None = None,
        kinds: Mapping[str, FeatureKind] | None = None,
        title: str | None = None,
    ) -> ItemIndex:
        """The index of a table with a row per item.

        Args:
            table: a path, or a table of Polars, pandas or Arrow.
            id: the column of ids.
            columns: those that are searched in, and how often each counts: {"title": 3, "description": 1}.
            language: whose stemmer and stop words, such as "english"; several, one after the other: ("russian", "english"); None for neither; or an `TextAnalysis`.
            encoder: what makes vectors, such as `vt.search.Packaged()`; None makes none.
            encoded: the columns whose text the encoder reads; None takes `columns`.
            vectors: (rows of the table, dim) those that the encoder made of the rows already.
            vocabulary: codes that are known, such as `data.items`; new ids are appended.
            kinds: of columns, as in `vt.read_interactions`; they are guessed where not given.
            title: the column to show to people; one that is called so, where not given.

        Raises:
            DataError: the table can't be read, or has an id twice.
            UnknownNameError: there is no such column or language; lists the closest.
            ParameterError: a weight is not above 0, or the vectors aren't a row per row of the table.

        Cost: some 10 microseconds per title of ten words, and what the encoder takes.
        """
        analysis = language if isinstance(language, TextAnalysis) else TextAnalysis(languages=_languages(language))
        fields = Fields(id=id, columns=_weights(columns), analysis=analysis, encoder=encoder, encoded=_names(encoded))
        rows = read_rows(table, id, kinds, title)
        check_columns([*fields.columns, *fields.read], rows.frame)
        ids = rows.frame[rows.id_column]
        known = Vocabulary.of(ids) if vocabulary is None else vocabulary.extended(ids)
        whole = FeatureTable.of(rows.frame, rows.id_column, known, kinds=rows.kinds, title=title)
        codes = known.encode(ids)
        none = np.zeros(len(known), np.int64)
        empty = cls(known, Catalogue(none, none, 0, fills=False), fields, Inverted(), None, whole)
        return with_rows(empty, codes, rows.frame, vectors)

    def add(self, table: Any, *, vectors: Float32 | None = None) -> ItemIndex:
        """The index with new items.

        Raises:
            ParameterError: an item is there already.
        """
        return put(self, table, vectors, new=True)

    def update(self, table: Any, *, vectors: Float32 | None = None) -> ItemIndex:
        """The index with other rows for some of its items; columns that the table lacks stay as they are.

        Raises:
            ParameterError: an item isn't there.
        """
        return put(self, table, vectors, new=False)

    def delete(self, ids: Sequence[Any] | pl.Series) -> ItemIndex:
        """The index without these items.

        Raises:
            ParameterError: one of them isn't there.
        """
        return without(self, ids)

    def lexical(self, *, k1: float = 1.5, b: float = 0.75, match: str | float = "any") -> Lexical:
        """The source that finds items by their words.

        Args:
            k1: how much the second, third time that a word is in an item counts: not at all at 0.
            b: how much a long item is held against it: not at all at 0, by its length at 1.
            match: "any" word of a query will do, "all" must be there, or what share of them, from 0 to 1.

        Raises:
            ParameterError: one is outside these bounds.
        """
        share = {"any": 0.0, "all": 1.0}.get(match, match) if isinstance(match, str) else match
        if not k1 >= 0 or not 0 <= b <= 1 or isinstance(share, str) or not 0 <= share <= 1:
            raise ParameterError(
                f"Of a lexical source 'k1' must be 0 or more, 'b' from 0 to 1, 'match' \"any\", \"all\" or a share from 0 to 1. Got {k1}, {b} and {match!r}."
            )
        return Lexical(
            self.vocabulary, self.catalogue, self.inverted, self.fields.analysis, k1, b, float(share), item_table=self.item_table
        )

    def semantic(self, *, approximate: bool | None = None) -> Semantic | ByIndex:
        """The source that finds items by vectors.

        Args:
            approximate: whether a graph finds the nearest in place of all products (usearch, extra `index`): its lists may lack one of them, and its notes say how
                many it finds. None takes the graph from 200,000 items on, where usearch is installed.

        Raises:
            ParameterError: the index has no vectors.
            MissingExtraError: a graph is wanted, and usearch isn't installed.

        Cost: none for products; for a graph a millisecond per item on one core, once for the index and those that come of it while few items change.
        """
        if self.vectors is None:
            raise ParameterError("The index has no vectors. Build it with an encoder: ItemIndex.build(..., encoder=vt.search.Packaged()).")
        exact = Semantic(self.vocabulary, self.catalogue, self.vectors, self.fields.encoder, item_table=self.item_table)
        by_size = self.inverted.documents >= MANY and importlib.util.find_spec("usearch") is not None
        if not (by_size if approximate is None else approximate):
            return exact
        graph, found = self.vectors.graph()
        note = f"{NOTE} Of the exact best 10 of some items it finds {found:.1%}."
        return ByIndex(self.vocabulary, self.catalogue, exact, graph, SEARCH, item_table=self.item_table, notes=(note,))

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The lists of `lexical()`."""
        return self.lexical().recommend(queries, k, eligible=eligible)

    def search(self, texts: Sequence[str | None], k: int = 10, *, where: Mapping[str, Any] | None = None) -> Recommendations:
        """The lists of `lexical()` for texts, of items that keep the conditions `where` alone."""
        lists = self.recommend(Queries.of_texts(self.vocabulary, texts), k, eligible=self.eligible(where))
        return replace(lists, item_column=self.fields.id)

    def eligible(self, where: Mapping[str, Any] | None, eligible: Eligibility = Eligibility()) -> Eligibility:
        """The eligibility with no other items than those that keep the conditions, which are written as those of rules and of the service are.

        Args:
            where: {"brand": ["A", "B"], "price": {"below": 100}}.

        Raises:
            ParameterError: a condition is none.
            UnknownNameError: no item has the value, or there is no such column; lists the closest.
        """
        return eligible if not where else holding(self, where, eligible)

    def facets(
        self, queries: Queries, columns: Sequence[str], *, eligible: Eligibility = Eligibility(), match: str | float = "any"
    ) -> pl.DataFrame:
        """How many eligible items that have the words of a query have which value: query, column, value, count; most first, then by value.

        An item with several values counts for each of them; what isn't known is the value null. The conditions on a column itself are best left out
        of `eligible` where its other values are to be offered still.

        Raises:
            UnknownNameError: there is no such column; lists the closest.
        """
        return counted(self, self.lexical(match=match), queries, columns, eligible)

    def frequency(self, terms: Sequence[str]) -> Int64:
        """(terms,) how many items have each term, as `fields.analysis` makes them of words."""
        numbers = self.inverted.found(pl.Series(terms, dtype=pl.String))
        return self.inverted.frequencies(numbers) if self.inverted.parts else np.zeros(len(terms), np.int64)

    def state(self) -> State:
        """What an artifact keeps of it."""
        words = self.inverted.state()
        vectors = State() if self.vectors is None else self.vectors.state(len(self.vocabulary))
        fields, learned = apart(self.fields)
        config = {**words.config, **vectors.config, "fields": fields}
        return State(config, {**words.arrays, **vectors.arrays}, {**words.files, **vectors.files}, learned)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> ItemIndex:
        """The inverse of `state`."""
        vectors = VectorTable.of_state(state) if "vectors" in state.arrays else None
        return cls(vocabulary, catalogue, together(state), Inverted.of_state(state), vectors)


def apart(fields: Fields) -> tuple[Fields, dict[str, Any]]:
    """The fields without an encoder that was learned, which is a fitted thing of its own, and that."""
    learned = isinstance(fields.encoder, Stateful)
    return (fields.model_copy(update={"encoder": None}), {"encoder": fields.encoder}) if learned else (fields, {})


def together(state: State) -> Fields:
    """The inverse of `apart`."""
    fields: Fields = state.config["fields"]
    return fields.model_copy(update=dict(state.children))


def _languages(language: str | Sequence[str] | None) -> tuple[str, ...]:
    return (language,) if isinstance(language, str) else tuple(language or ())


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _weights(columns: Mapping[str, float] | Sequence[str]) -> dict[str, float]:
    named = dict(columns) if isinstance(columns, Mapping) else dict.fromkeys([columns] if isinstance(columns, str) else columns, 1)
    if not named or not all(isinstance(weight, (int, float)) and 0 < weight < np.inf for weight in named.values()):
        raise ParameterError(
            f"The 'columns' of an index are at least one name and how often it counts, above 0: {{'title': 3, 'description': 1}}. Got {columns!r}."
        )
    return {name: float(weight) for name, weight in named.items()}
