"""The fitted form of every sequence model: encode the history, multiply with the item table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrina.base.config import Config, parameters_of
from vitrina.base.state import Arrays, State
from vitrina.catalogue import Catalogue
from vitrina.forms.event_codes import KnownEvents
from vitrina.forms.windowed import Windowed
from vitrina.forms.windows import Sequences, token_batches
from vitrina.sequence.batches import Batch
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.embed import KnownUsers
from vitrina.sequence.embed.base import Internals
from vitrina.sequence.embed.coding import Coding
from vitrina.sequence.network import Body, Similarity
from vitrina.sequence.objectives import Objective
from vitrina.sequence.weights import weights_of, with_weights
from vitrina.types import Float32, Int64, Queries
from vitrina.vocabulary import Vocabulary

TOKENS = 4096  # real tokens per batch when answering
WEIGHTS = "body."  # what the arrays of the body's weights are called in an artifact
TABLE = "table-"  # and what its tables are called
USERS, INTERNALS = "users.", "embed."  # and those of the persons, and of the embedding


@final
class Answering(Config):
    """The parts of a sequence model that are still needed once it is trained."""

    embed: str  # the kinds of its parts, as `made_of` writes them
    block: Block
    layers: int
    heads: int
    dim: int
    length: int
    objective: Objective
    similarity: Similarity
    personal: PersonalPopularity | None = None
    reads_now: bool = True  # as models did that don't say so

    def body(self, dropout: float = 0.0) -> Body:
        """A body of this size, with weights that mean nothing yet."""
        return Body(self.block, self.layers, self.heads, self.dim, self.length, dropout, reads_now=self.reads_now).float()


@final
@dataclass(frozen=True, eq=False, repr=False)
class Encoded(Windowed):
    """score = state(history) . item. Items of a history that the table doesn't hold are skipped; a history without a known item gets the fallback.

    Args:
        body: the trained network, in evaluation mode.
        answering: how a history is asked.
        users: what is known of the persons.
        internals: what `fit(data, start=...)` needs of the embedding beside its table: arrays, and the codings of features.
        tables: `epochs`, where a validation judged them: epoch, loss, metric, value.

    Cost: a query costs the body over its last `length` events, and items x dim.
    """

    body: Body
    answering: Answering
    users: KnownUsers | None = None
    internals: Internals = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def vectors(self) -> Float32:  # type: ignore[override]
        """(rows, dim) what a state is multiplied with."""
        return self.answering.similarity.items(torch.from_numpy(self.table)).numpy()

    @property
    def length(self) -> int:
        return self.answering.length

    @property
    def reads_now(self) -> bool:
        """Whether lists depend on the moment of asking, which was the time of the next event in training."""
        return self.answering.reads_now and self.answering.block.needs_time

    @property
    def counts_own(self) -> bool:
        return self.answering.personal is not None

    def own(self, histories: Sequences) -> tuple[Int64, Int64, Float32]:
        assert self.answering.personal is not None
        return self.answering.personal.of_histories(histories)

    def states(self, queries: Queries, histories: Sequences) -> Float32:
        """Batches of similar length, order restored."""
        out = np.zeros((len(histories), self.answering.dim), np.float32)
        people = None if self.users is None else self.users.of_queries(queries)
        known = np.flatnonzero(histories.lengths > 0)
        table = torch.from_numpy(self.table)
        with torch.inference_mode():
            for chosen in token_batches(histories.lengths[known], TOKENS, None):
                windows = histories.take(known[chosen])
                batch = self.answering.objective.question(windows)
                known_people = None if people is None else torch.from_numpy(people[known[chosen]])
                states = self.body(table, batch, self.answering.objective.causal, known_people, self._of_events(windows, batch, queries))
                out[known[chosen]] = self.answering.similarity.states(states).numpy()
        return out

    def _of_events(self, windows: Sequences, asked: Batch, queries: Queries) -> Tensor | None:
        """(tokens, dim) what the events say beside their items."""
        if self.events is None:
            return None
        assert asked.place is not None  # or it could not have been trained
        return torch.from_numpy(self.events.of_windows(windows, asked.place, queries.kind_names))

    def state(self) -> State:
        weights = weights_of(self.body, WEIGHTS)
        internals = {INTERNALS + name: value for name, value in self.internals.items() if isinstance(value, np.ndarray)}
        codings = {name: value.plain() for name, value in self.internals.items() if isinstance(value, Coding)}
        people = None if self.users is None else self.users.state()
        of_people = {} if people is None else {USERS + name: array for name, array in people.arrays.items()}
        events, of_events = (None, {}) if self.events is None else self.events.state()
        config = {
            "answering": parameters_of(self.answering),
            "codings": codings,
            "users": None if people is None else people.config,
            "events": events,
        }
        files = {f"{TABLE}{name}": table for name, table in self.tables.items()}
        config |= {"tables": list(self.tables)} if files else {}
        return State(config, {"codes": self.codes, "table": self.table, **weights, **of_people, **of_events, **internals}, files)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Encoded:
        config, arrays = state.config, state.arrays
        answering = Answering(**config["answering"])
        body = with_weights(answering.body(), arrays, WEIGHTS)
        users = None if config["users"] is None else KnownUsers.of_state(State(config["users"], _part(arrays, USERS)))
        internals = _part(arrays, INTERNALS) | {name: Coding.of_plain(plain) for name, plain in config["codings"].items()}
        events = KnownEvents.of_state(state)
        tables = {name: state.table(f"{TABLE}{name}") for name in config.get("tables", ())}  # artifacts of before have none
        return cls(
            vocabulary,
            catalogue,
            arrays["codes"],
            np.array(arrays["table"]),
            body,
            answering,
            users,
            internals,
            events=events,
            tables=tables,
        )


def as_array(value: Any) -> Any:
    """A tensor as an array of its own; anything else as it is."""
    return value.detach().cpu().numpy().copy() if isinstance(value, Tensor) else value


def _part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
