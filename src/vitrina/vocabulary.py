"""Ids to dense codes and back; append-only, in the order of first appearance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.codes import codes_within
from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.base.hashing import IdTable
from vitrina.base.ids import as_written, id_texts, listed, whole_numbers, without_zero_fraction


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The ids of users or items: code c stands for `ids[c]`. What an id is, and which are equal: `vitrina.base.ids`.

    >>> v = Vocabulary.of(["tea", "milk"])
    >>> v.encode(["milk", "salt"]).tolist()
    [1, -1]
    >>> v.decode([0]).to_list()
    ['tea']
    """

    ids: pl.Series  # String or Int64, unique, no nulls
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, ids: Iterable[Any] | pl.Series) -> Vocabulary:
        """The distinct ids: kept as numbers where they came as nothing else, as text otherwise.

        Raises:
            ParameterError: one of them is no id.
        """
        given = listed(ids)
        if _are_integers(given) and not (numbers := pl.Series(given).cast(pl.Int64, strict=False)).null_count():
            return cls(numbers.unique(maintain_order=True).rename("id"))
        texts = _required(given).unique(maintain_order=True)
        return cls((texts if _some_text(given) else numbers_or_text(texts)).rename("id"))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} ids)"

    def __getstate__(self) -> dict[str, Any]:
        return {"ids": self.ids, "_cache": {}}

    def encode(self, ids: Iterable[Any] | pl.Series) -> NDArray[np.int32]:
        """Codes of `ids`; -1 for what is not in the vocabulary, and for what is no id (a fraction, true, nothing).

        Raises:
            ParameterError: the ids are one id, and no list.

        Cost: the first call builds the table (50 to 100 bytes per id of the vocabulary); 100 ns per id, a microsecond where they come as a list.
        """
        given = listed(ids)
        if _are_integers(given):
            return self._codes(pl.Series(given))
        texts = as_written(given)
        codes = self._codes(texts)  # first to the letter: artifacts of earlier versions may hold both "7" and "7.0"
        missed = np.flatnonzero(codes < 0)
        if len(missed):
            codes[missed] = self._codes(without_zero_fraction(texts.gather(missed)), plain=True)
        return codes

    def _codes(self, ids: pl.Series, *, plain: bool = False) -> NDArray[np.int32]:
        """Codes of integers or of texts; of `plain` ones by the plain texts of the vocabulary's ids, the first of those that share one."""
        if self.ids.dtype.is_integer():
            ids = ids.cast(pl.Int64, strict=False) if ids.dtype.is_integer() else whole_numbers(ids)
        elif ids.dtype != pl.String:
            ids = ids.cast(pl.String)
        table, first = _table(self.ids, self._cache, plain=plain and self.ids.dtype == pl.String)
        codes = table.look_up(ids)
        if ids.null_count():
            codes[[value is None for value in ids.to_list()]] = -1
        return codes if len(first) == len(self) else np.where(codes < 0, -1, first[codes])

    def decode(self, codes: Sequence[int] | NDArray[Any]) -> pl.Series:
        """The ids of these codes.

        Raises:
            ParameterError: a code stands for no id.
        """
        return self.ids.gather(codes_within(codes, len(self), "What is decoded", "encode"))

    def extended(self, ids: Iterable[Any] | pl.Series) -> Vocabulary:
        """The vocabulary with the new ones among `ids` appended; numbers become text where one of the new ones is no number.

        Raises:
            ParameterError: one of them is no id.
        """
        given = listed(ids)
        texts = _required(given)
        new = texts.filter(pl.Series(self.encode(given) < 0)).unique(maintain_order=True)
        numbers = whole_numbers(new)
        known = self.ids
        if known.dtype == pl.String or numbers.null_count():
            known, numbers = known.cast(pl.String), new
        return Vocabulary(pl.concat([known.rename("id"), numbers.rename("id")]))

    def fingerprint(self, length: int | None = None) -> str:
        """sha256 (16 hex digits) of the first `length` ids, so that a prefix can be recognised."""
        length = len(self) if length is None else length
        if length not in self._cache:
            ids = self.ids.head(length)
            body = ids.cast(pl.String)
            digest = hashlib.sha256(f"{ids.dtype}:{length}".encode())
            for first in range(0, length, 1 << 20):
                digest.update("\n".join(body.slice(first, 1 << 20).to_list()).encode())
            self._cache[length] = digest.hexdigest()[:16]
        return self._cache[length]

    def as_text(self) -> Vocabulary:
        """The same ids with the same codes, as text."""
        if self.ids.dtype == pl.String:
            return self
        if "text" not in self._cache:
            self._cache["text"] = Vocabulary(self.ids.cast(pl.String))
        return self._cache["text"]

    def require_compatible(self, other: Vocabulary, what: str) -> None:
        """Raise unless one vocabulary begins with the other; numbers and their texts are the same ids.

        Raises:
            VocabularyError: the two differ in their common part.
        """
        shared = min(len(self), len(other))
        if self is other or self.fingerprint(shared) == other.fingerprint(shared):
            return
        if self.ids.dtype != other.ids.dtype and self.as_text().fingerprint(shared) == other.as_text().fingerprint(shared):
            return
        raise VocabularyError(
            f"The {what} were encoded with other item ids than the model ({len(other)} ids, the model has {len(self)}). "
            "vt.aligned(data, model.vocabulary) has the codes of the fitted model, or fit it on this log."
        )


def numbers_or_text(texts: pl.Series) -> pl.Series:
    """Ids as numbers where each of them is one, as text otherwise."""
    numbers = whole_numbers(texts)
    return texts if numbers.null_count() else numbers


def _table(ids: pl.Series, cache: dict[Any, Any], *, plain: bool) -> tuple[IdTable, NDArray[np.int32]]:
    """A table of the ids, or of their plain texts, and the code of each of its entries."""
    own = without_zero_fraction(ids) if plain and "plain" not in cache else ids
    key = "plain" if plain else "table"
    if key not in cache and plain and own is ids:
        cache[key] = _table(ids, cache, plain=False)
    elif key not in cache:
        table = IdTable()
        cache[key] = table, table.add(own)[1].astype(np.int32)
    return cache[key]


def _required(ids: Any) -> pl.Series:
    """The texts of ids that must all be ids."""
    texts = id_texts(ids)
    if texts.null_count():
        at = int(texts.is_null().arg_max() or 0)
        raise ParameterError(f"Ids are text or whole numbers. Got {ids[at]!r} in place {at + 1}: leave it out, or write it as text.")
    return texts


def _some_text(ids: Any) -> bool:
    """Whether an id came as text."""
    if isinstance(ids, pl.Series) and ids.dtype != pl.Object:
        return not ids.dtype.is_numeric()
    return any(isinstance(value, (str, UUID)) for value in ids)


def _are_integers(ids: Any) -> bool:
    """Whether ids are a series or an array of integers."""
    return ids.dtype.is_integer() if isinstance(ids, pl.Series) else isinstance(ids, np.ndarray) and ids.dtype.kind in "iu"


def id_hashes(vocabulary: Vocabulary) -> NDArray[np.uint64]:
    """(ids,) a number for each id that doesn't depend on its code, the same on every machine."""
    return hashes(vocabulary.ids)


def hashes(ids: pl.Series) -> NDArray[np.uint64]:
    """(ids,) the same for ids in a column."""
    text = (str(item).encode() for item in ids.to_list())
    body = b"".join(hashlib.blake2b(item, digest_size=8).digest() for item in text)
    return np.frombuffer(body, dtype="<u8").astype(np.uint64)
