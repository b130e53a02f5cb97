"""Ids to dense codes and back; append-only, in the order of first appearance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.errors import ParameterError, VocabularyError
from vitrina.hashing import IdTable


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The ids of users or items: code c stands for `ids[c]`. Ids are strings or integers.

    >>> v = Vocabulary.of(["tea", "milk"])
    >>> v.encode(["milk", "salt"]).tolist()
    [1, -1]
    >>> v.decode([0]).to_list()
    ['tea']
    """

    ids: pl.Series  # String or Int64, unique, no nulls
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, ids: Sequence[Any] | pl.Series) -> Vocabulary:
        series = ids if isinstance(ids, pl.Series) else pl.Series("id", list(ids))
        dtype = pl.Int64 if series.dtype.is_integer() else pl.String
        return cls(series.cast(dtype).unique(maintain_order=True).rename("id"))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} ids)"

    def __getstate__(self) -> dict[str, Any]:
        return {"ids": self.ids, "_cache": {}}

    def encode(self, ids: Sequence[Any] | pl.Series) -> NDArray[np.int32]:
        """Codes of `ids`; -1 for what is not in the vocabulary. Numbers and their text are taken as equal.

        Raises:
            ParameterError: the ids are one text, which would be taken letter by letter.

        Cost: the first call builds the table (50 to 100 bytes an id of the vocabulary); 100 ns an id.
        """
        if isinstance(ids, str):
            raise ParameterError(f"Ids are encoded as a list. Got the text {ids!r}; write [{ids!r}].")
        series = ids if isinstance(ids, pl.Series) else pl.Series("id", list(ids), strict=False)
        series = series.cast(self.ids.dtype, strict=False).rename("id")
        if "table" not in self._cache:
            self._cache["table"] = table = IdTable()
            table.add(self.ids)
        codes = self._cache["table"].look_up(series)
        codes[series.is_null().to_numpy()] = -1
        return codes

    def decode(self, codes: Sequence[int] | NDArray[Any]) -> pl.Series:
        return self.ids.gather(np.asarray(codes, dtype=np.uint32))

    def extended(self, ids: pl.Series) -> Vocabulary:
        """The vocabulary with the new ones among `ids` appended; what can't be an id of this kind (text among numbers) is left out."""
        return Vocabulary.of(pl.concat([self.ids.rename("id"), ids.cast(self.ids.dtype, strict=False).drop_nulls().rename("id")]))

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

    def require_compatible(self, other: Vocabulary, what: str) -> None:
        """Raise unless one vocabulary begins with the other.

        Raises:
            VocabularyError: the two differ in their common part.
        """
        shared = min(len(self), len(other))
        if self is other or self.fingerprint(shared) == other.fingerprint(shared):
            return
        raise VocabularyError(
            f"The {what} were encoded with other item ids than the model ({len(other)} ids, the model has {len(self)}). "
            "Read the log with the model's vocabulary, or fit the model on this log."
        )


def id_hashes(vocabulary: Vocabulary) -> NDArray[np.uint64]:
    """(ids,) a number for each id that doesn't depend on its code, the same on every machine."""
    return hashes(vocabulary.ids)


def hashes(ids: pl.Series) -> NDArray[np.uint64]:
    """(ids,) the same for ids in a column."""
    text = (str(item).encode() for item in ids.to_list())
    body = b"".join(hashlib.blake2b(item, digest_size=8).digest() for item in text)
    return np.frombuffer(body, dtype="<u8").astype(np.uint64)
