"""What is asked of a recommender, looked at once, before anything is cut into blocks."""

from __future__ import annotations

from typing import Any

from vitrina.base.arrays import Ragged
from vitrina.base.codes import check_length, codes_within
from vitrina.base.errors import ParameterError
from vitrina.catalogue import Catalogue
from vitrina.types import Eligibility, Int32, Queries
from vitrina.vocabulary import Vocabulary

REMEDY = "data.queries(['ann']) asks for people of a log, vt.Queries.of_histories(data.items, [['tea', 'milk']]) for any histories"


def check_request(queries: Any, k: Any, eligible: Any) -> int:
    """Refuse what no recommender can answer; the length of the lists.

    Raises:
        ParameterError: these are no Queries, `k` is no length, `eligible` is no Eligibility or has rows that are not one per query.
    """
    check_queries(queries)
    if not isinstance(eligible, Eligibility):
        raise ParameterError(
            f"The 'eligible' of a recommendation must be a vt.Eligibility(include=..., exclude=...). Got {eligible!r}.",
            parameter="eligible",
            value=eligible,
        )
    eligible.check_rows(len(queries))
    return check_length(k)


def check_queries(queries: Any) -> None:
    """Refuse what is no Queries."""
    if not isinstance(queries, Queries):
        raise ParameterError(f"A recommender is asked with Queries: {REMEDY}. Got {_shown(queries)}.")


def list_width(k: Any, catalogue: Catalogue) -> int:
    """How many places a list has: `k`, but no more than there are items to recommend (and at least one)."""
    return min(check_length(k), max(len(catalogue.items), 1))


def check_items(queries: Any, items: Any, vocabulary: Vocabulary) -> Int32:
    """The codes of `items` to score for each query, (n,)."""
    check_queries(queries)
    queries.vocabulary.require_compatible(vocabulary, "queries")
    return codes_within(items, len(vocabulary), "The 'items' of a score")


def check_pairs(queries: Any, items: Any, vocabulary: Vocabulary) -> None:
    """Refuse items of score_pairs that are not a row per query, or not codes of the model."""
    check_queries(queries)
    queries.vocabulary.require_compatible(vocabulary, "queries")
    if not isinstance(items, Ragged) or len(items) != len(queries):
        got = f"{len(items):,} rows" if isinstance(items, Ragged) else f"a {type(items).__name__}"
        raise ParameterError(
            f"The 'items' of score_pairs must be a vt.Ragged with a row for each of the {len(queries):,} queries. Got {got}.",
            owner="score_pairs",
            parameter="items",
        )
    codes_within(items.values, len(vocabulary), "The 'items' of score_pairs")


def _shown(queries: Any) -> str:
    return repr(queries) if isinstance(queries, (str, list, tuple)) and len(repr(queries)) < 80 else f"a {type(queries).__name__}"
