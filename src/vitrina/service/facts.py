"""What is said of items and of people while the service runs: columns over those that a model's own table has, and what is deleted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Literal, final

from vitrina.service.records import Attributes
from vitrina.wire import Value

Kind = Literal["number", "flag", "text"]
NAMES: Mapping[Kind, str] = {"number": "numbers", "flag": "true or false", "text": "text"}


@final
class Facts:
    """Columns that were set, by id. A column of a model's table that nobody set is as it was at the fit.

    A column holds numbers, true and false, or text: a model's table decides, or the first value; `refused` says why another is not taken.

    One thread may read while another sets: rows are replaced and never changed.

    >>> items = Facts()
    >>> items.set([Attributes("tea", {"price": 2.5}), Attributes("jam", {}, delete=True)])
    >>> dict(items.of("tea")), list(items.deleted), items.refused(Attributes("tea", {"price": "cheap"}))
    ({'price': 2.5}, ['jam'], "The column 'price' holds numbers. Got 'cheap'.")
    """

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.deleted: dict[str, bool] = {}
        self.version = 0  # rises with every row that is set
        self._rows: dict[str, Mapping[str, Value]] = {}
        self._set_at: dict[str, int] = {}  # the version at which an id was set, in rising order
        self._writing = threading.Lock()

    def set(self, rows: Sequence[Attributes], *, whole: bool = False) -> None:
        """Set columns, or delete. What is set again after it was deleted is there again, with what is set then.

        Args:
            whole: a row is all that was ever set, and not only what changes.

        Cost: a microsecond per row.
        """
        with self._writing:
            for row in rows:
                if row.delete:
                    self.deleted[row.id] = True
                    self._rows.pop(row.id, None)
                else:
                    self.deleted.pop(row.id, None)
                    self._rows[row.id] = dict(row.columns) if whole else {**self._rows.get(row.id, {}), **row.columns}
                for column, value in row.columns.items():
                    if value is not None:
                        self.kinds.setdefault(column, kind_of(value))
                self._changed(row.id)

    def of(self, id: str) -> Mapping[str, Value]:
        """The columns that were set; None where one was emptied."""
        return self._rows.get(id, {})

    def forget(self, id: str) -> None:
        """As if nothing had ever been said of it."""
        with self._writing:
            self._rows.pop(id, None)
            self.deleted.pop(id, None)
            self._set_at.pop(id, None)

    def since(self, version: int) -> list[str]:
        """Ids that were set after a version, each once."""
        with self._writing:
            found = []
            for id in reversed(self._set_at):
                if self._set_at[id] <= version:
                    break
                found.append(id)
        return found

    def expect(self, kinds: Mapping[str, Kind]) -> None:
        """What the columns of a model's table hold."""
        with self._writing:
            self.kinds.update(kinds)

    def refused(self, row: Attributes) -> str | None:
        """Why a row can't be set, in a sentence; None where it can."""
        for column, value in row.columns.items():
            if value is not None and self.kinds.get(column, kind_of(value)) != kind_of(value):
                return f"The column {column!r} holds {NAMES[self.kinds[column]]}. Got {value!r}."
        return None

    def _changed(self, id: str) -> None:
        self._set_at.pop(id, None)
        self.version += 1
        self._set_at[id] = self.version


def kind_of(value: str | float | bool) -> Kind:
    """What a column with this value holds."""
    return "flag" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
