"""What people call the items: titles that were set, else those of the model's own table; and a search among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import polars as pl

from vitrina.data.features import TITLE_NAMES
from vitrina.report.html import Html, el, name
from vitrina.service.console.asked import Asked, address

if TYPE_CHECKING:
    from vitrina.artifacts import Artifact
    from vitrina.service.tenant import Tenant


@dataclass(frozen=True, eq=False)
class Table:
    """The items of one artifact.

    Args:
        frame: id (text), title (null where none is known), and `words`, the title in small letters.
        column: of the item table that holds the titles; None where none does.
    """

    frame: pl.DataFrame
    column: str | None

    @classmethod
    def of(cls, artifact: Artifact) -> Table:
        ids = artifact.vocabulary.ids.cast(pl.String).alias("id")
        titles = (
            pl.Series("title", [None] * len(ids), dtype=pl.String)
            if artifact.titles is None
            else artifact.titles.head(len(ids)).alias("title")
        )
        frame = pl.DataFrame([ids, titles]).with_columns(words=pl.coalesce("title", "id").str.to_lowercase())
        return cls(frame, None if artifact.item_table is None else artifact.item_table.title)

    @cached_property
    def titles(self) -> dict[str, str]:
        known = self.frame.drop_nulls("title")
        return dict(zip(known["id"], known["title"], strict=True))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The row of each id."""
        return {item: at for at, item in enumerate(self.frame["id"])}


class Names:
    """Titles of all tenants; a table is made once per artifact, and goes with it."""

    def __init__(self) -> None:
        self._tables: WeakKeyDictionary[Any, Table] = WeakKeyDictionary()

    def table(self, artifact: Artifact) -> Table:
        """The items of an artifact."""
        found = self._tables.get(artifact)
        if found is None:
            found = self._tables[artifact] = Table.of(artifact)
        return found

    def tables(self, tenant: Tenant) -> list[Table]:
        """Of the versions that serve."""
        return [self.table(scenario.version.artifact) for scenario in tenant.scenarios.values()]

    def title(self, tenant: Tenant, item: str) -> str | None:
        """What an item is called; None where nobody has said."""
        tables = self.tables(tenant)
        said = tenant.items.of(item)
        for column in (*(table.column for table in tables), *TITLE_NAMES):
            if column is not None and said.get(column):
                return str(said[column])
        return next((table.titles[item] for table in tables if item in table.titles), None)

    def titles(self, tenant: Tenant, items: Iterable[str]) -> dict[str, str]:
        """Titles of items, the id where there is none."""
        return {item: self.title(tenant, item) or item for item in items}

    def known(self, tenant: Tenant, item: str) -> bool:
        """Whether a model that serves knows the item, or somebody has said something of it."""
        return bool(tenant.items.of(item)) or item in tenant.items.deleted or any(item in table.ids for table in self.tables(tenant))

    def find(self, tenant: Tenant, words: str, most: int) -> list[tuple[str, str]]:
        """(id, title) of items whose id it is, or whose title has all the words: titles that begin with it first, then the shorter ones.

        Cost: a pass over the titles.
        """
        wanted = words.lower().split()
        found: dict[str, str] = {}
        for table in self.tables(tenant):
            hits = pl.col("id") == words
            if wanted:
                hits |= pl.all_horizontal(pl.col("words").str.contains(word, literal=True) for word in wanted)
            order = [pl.col("id") == words, pl.col("words").str.starts_with(words.lower()), -pl.col("words").str.len_chars().cast(pl.Int64)]
            part = table.frame.filter(hits).sort(order, descending=True, maintain_order=True).head(most)
            found |= {item: title or item for item, title in part.select("id", "title").rows() if item not in found}
        return [(item, self.title(tenant, item) or title) for item, title in list(found.items())[:most]]


def item_link(asked: Asked, item: str, title: str | None = None) -> Html:
    """An item by its title, leading to its page."""
    shown = title or asked.names.title(asked.tenant, item) or item
    return el("a", name(shown), href=item_path(item, asked.text("scenario")))


def item_path(item: str, scenario: str = "") -> str:
    """The page of an item.

    >>> item_path("a/b"), item_path("7", "home")
    ('/items/a%2Fb', '/items/7?scenario=home')
    """
    return address(f"/items/{quote(item, safe='')}", [("scenario", scenario)] if scenario else [])


def person_path(user: str, scenario: str = "") -> str:
    """The page of a person."""
    return address("/people", [("user", user), *([("scenario", scenario)] if scenario else [])])
