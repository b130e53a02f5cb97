"""What is kept of a fitted thing: enough to make it again, and nothing that is code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import polars as pl
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class State:
    """A fitted thing in four kinds of parts, each of which an artifact keeps in the form that people can read.

    Args:
        config: settings: plain values, and configs (see `vitrina.base.config.to_plain`). Written as JSON.
        arrays: parameters, by name. Written as `.npy`, and mapped from there when they are large.
        files: tables, written as Parquet, and what another library writes (a tree, a graph) as bytes, by name.
        children: fitted things that this one is made of, by name: they are saved with it, and come back fitted.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    files: Mapping[str, pl.DataFrame | bytes] = field(default_factory=dict)
    children: Mapping[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> pl.DataFrame:
        """The table of this name among the files."""
        table = self.files[name]
        assert isinstance(table, pl.DataFrame), f"{name} is no table"
        return table


@runtime_checkable
class Stateful(Protocol):
    """What can be saved. Its class makes it again:

    - `of_state(state, vocabulary, catalogue)`, a classmethod, where the fitted thing has a vocabulary of items (every recommender);
    - `of_state(state)` where it has none (a fitted re-ranker).

    The vocabulary, and the catalogue (None where the fitted thing has none) are kept beside the state, and once where a child shares them.
    """

    def state(self) -> State: ...
