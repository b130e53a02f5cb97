"""Ids as the hash of `vitrina.base.places` takes them, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.ids import as_given, id_texts, listed
from vitrina.data.columns import shown


def texts_of(ids: Iterable[Any] | pl.Series) -> tuple[pl.Series, pl.Series]:
    """Ids as they were given, and the texts that they are compared by.

    Raises:
        ParameterError: one of them is no id.
    """
    ids = listed(ids)
    given, texts = as_given(ids), id_texts(ids)
    if texts.null_count() or (texts == "").any():
        at = int((texts.is_null() | (texts == "")).arg_max() or 0)
        raise ParameterError(
            f"Ids are text or whole numbers, and an empty one is nobody. Got {shown(given[at])} at place {at + 1}. Leave such rows out."
        )
    return given, texts
