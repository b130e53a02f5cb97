"""Continuing from a fitted model when people, events and items were added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.protocols import Recommender
from vitrina.sequence.embed import FittedTable, Rows
from vitrina.sequence.network import Network
from vitrina.sequence.recommender import Answering, Encoded
from vitrina.types import Bool, Int32

SAME = ("embed", "block", "layers", "heads", "dim", "length")


def fitted_of(start: Recommender) -> Encoded:
    """The fitted sequence model that `start` is.

    Raises:
        ParameterError: it is none.
    """
    if not isinstance(start, Encoded):
        raise ParameterError(
            "The 'start' of a sequence model must be what fit returned, or an artifact of it: start=vt.load(folder).recommender. "
            f"Got {type(start).__name__}.",
            parameter="start",
        )
    return start


def require_same_make(fitted: Encoded, answering: Answering) -> None:
    """Refuse a start of another make.

    Raises:
        ParameterError: its body or the parts of its embedding are others.
    """
    named = (*SAME, "reads_now") if answering.block.needs_time else SAME
    differing = [name for name in named if getattr(fitted.answering, name) != getattr(answering, name)]
    if differing:
        had, has = (", ".join(f"{name}={getattr(side, name)!r}" for name in differing) for side in (fitted.answering, answering))
        raise ParameterError(f"A model goes on from a 'start' with the same {', '.join(SAME)}. This one has {has}, the start has {had}.")


def known_items(start: Encoded, data: Dataset) -> Bool:
    """(items,) the items of `data` that `start` has a vector of."""
    known = np.zeros(data.n_items, bool)
    codes = _codes(start, data)
    known[codes[codes >= 0]] = True
    if not known.any():
        raise ParameterError(
            f"The 'start' knows none of the {data.n_items:,} items of {data!r}: their ids must be written as they were.", parameter="start"
        )
    return known


@torch.no_grad()
def continue_from(network: Network, start: Encoded, data: Dataset, rows: Rows) -> None:
    """Give the network the weights of the body, and every item and feature what it had, matched by id and by value.

    Raises:
        ParameterError: the start reads features of persons, or of events, that this model doesn't.
    """
    internals = _tensors(start.internals)
    network.body.load_state_dict(start.body.state_dict())
    codes = _codes(start, data)
    place = np.full(data.n_items, -1, np.int64)
    place[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    row, covered = torch.from_numpy(place[rows.codes]), torch.from_numpy(rows.covered)
    network.table.continue_from(FittedTable(torch.from_numpy(start.table), internals, row, covered))
    if start.users is not None and network.users is None:
        raise ParameterError("The 'start' has features of persons: go on from it with users=UserFeatures(...).", parameter="start")
    _require_all_read(network, start)
    if network.events is not None:
        network.events.continue_from(start.events)
    if network.users is not None:
        network.users.continue_from({} if start.users is None else _tensors({"coding": start.users.coding, "terms": start.users.vectors}))


def _require_all_read(network: Network, start: Encoded) -> None:
    """Refuse a model that leaves out what the start reads of events."""
    had, has = (() if side is None else side.coding.reads for side in (start.events, network.events))
    if set(had) - set(has):
        asked = ", ".join(f"{name}=True" for name in (*has, *(name for name in had if name not in has)))
        raise ParameterError(
            f"The 'start' reads the {' and '.join(had)} of events: go on from it with events=EventInputs({asked}).", parameter="start"
        )


def _codes(start: Encoded, data: Dataset) -> Int32:
    """(rows of the start,) the codes that its items have in `data`, -1 where it hasn't them."""
    return data.items.encode(start.vocabulary.decode(start.codes))


def _tensors(internals: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as tensors, codings as they are."""
    return {name: torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value for name, value in internals.items()}
