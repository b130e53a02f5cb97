"""The base of every model: what it may be fitted on is looked at in one place, and what is fitted knows what made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.base import Form
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender

IGNORED = "Weights of events are not read."


class ModelConfig(Config):
    """A config with a `fit`: its arguments are checked before the model sees them, and the fitted form gets the config and the items' titles.

    The `fit` of a model gets the events that count (`Dataset.counted`). Its class says what it does beside that: `reads_weights`, or the
    notes of the fitted form say that weights are not read; `takes_start` from the `start` of a fit; `reads_shards`, and nothing of the log that is
    not in them, so that it can be fitted on one that is larger than memory; `takes_workers` of the log's executor also where the log is in memory; `needs`
    what a fit can't do without: "torch" (the extra), "times" (of events), "items" (a table of them).

    Raises:
        DataError: the log has events, and none that counts; or it is larger than memory, and the model reads it as a whole.
        ParameterError: `data` is no Dataset, or `validation` no Split, or there is a `start` for a model that can't go on; says what to write.
    """

    reads_weights: ClassVar[bool] = False
    reads_shards: ClassVar[bool] = False
    takes_start: ClassVar[bool] = False
    takes_workers: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()

    def cost(self, size: Size) -> Cost | None:
        """What a fit on a log of this size takes; None where there is no estimate."""
        return None

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "fit" in cls.__dict__:
            cls.fit = _guarded(cls.__dict__["fit"])


def _guarded(fit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(fit)
    def guarded(self: ModelConfig, data: Dataset, **rest: Any) -> Any:
        check_log(type(self).__name__, data)
        _check_validation(type(self).__name__, rest.get("validation"))
        if rest.get("start") is not None:
            rest["start"] = _start_of(self, rest["start"])
        if not (data.in_memory or self.reads_shards):
            raise DataError(
                f"{type(self).__name__} reads a log as a whole, and {data!r} comes in shards, as it is larger than memory. Take a model that "
                "reads shards, such as Popularity() or Cooccurrence(), or fit on some of the people: fit(next(data.shards())) takes those of one "
                "shard, and the model answers for all. Where the log fits memory, data.to_memory() is one as a whole, and so are, in a config, the "
                "files it was made of."
            )
        counted = data.counted() if data.has_weights else data
        if data.has_weights and not counted.n_events and data.n_events:
            raise DataError(
                f"{type(self).__name__} learns from events of weights above 0, and none of the {data.n_events:,} of {data!r} has one."
            )
        fitted = fit(self, counted, **rest)
        if not isinstance(fitted, Form):
            return fitted
        return replace(fitted, model=self, item_table=data.item_table, notes=(*fitted.notes, *ignored(self, data)))

    return guarded


def ignored(model: Any, data: Dataset) -> tuple[str, ...]:
    """What is to be said of a model that doesn't read the weights that these events have."""
    if getattr(model, "reads_weights", False):
        return ()
    ends = [end for shard in data.map_shards(_ends_of_weights) for end in shard] if data.has_weights else []
    return (IGNORED,) if len(set(ends)) > 1 else ()


def _ends_of_weights(shard: Dataset) -> tuple[float, ...]:
    """The least and the largest weight of the events that count."""
    weights = shard.counted().events.weights
    return () if weights is None or not len(weights) else (float(weights.min()), float(weights.max()))


def check_log(name: str, data: Any) -> None:
    """Refuse to fit the model `name` on what is not a Dataset.

    >>> check_log("EASE", "log.csv")
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: EASE is fitted on a Dataset: fit(vt.read_interactions('log.csv', user=..., item=...)). Got a str.
    """
    if isinstance(data, Dataset):
        return
    if isinstance(data, Split):
        remedy = "fit(split.train) learns from the training part of a split, fit(data) from the whole log"
    elif isinstance(data, (str, Path)):
        remedy = f"fit(vt.read_interactions({str(data)!r}, user=..., item=...))"
    elif hasattr(data, "columns"):
        remedy = "fit(vt.read_interactions(table, user=..., item=...)) reads a table"
    else:
        remedy = "vt.read_interactions(...) makes one from a file or a table"
    raise ParameterError(f"{name} is fitted on a Dataset: {remedy}. Got a {type(data).__name__}.")


def _start_of(model: ModelConfig, start: Any) -> Recommender:
    """The fitted model to go on from; an artifact is taken for the one that it holds."""
    if not model.takes_start:
        raise ParameterError(
            f"{type(model).__name__} can't go on from a 'start': a fit is quick, and takes the whole log of now. Leave 'start' out. "
            f"Got a {type(start).__name__}."
        )
    fitted = getattr(start, "recommender", start)
    if not isinstance(fitted, Recommender):
        raise ParameterError(
            f"The 'start' of {type(model).__name__}.fit must be what fit returned, or an artifact of it: start=vt.load(folder). "
            f"Got a {type(start).__name__}."
        )
    return fitted


def _check_validation(name: str, validation: Any) -> None:
    if validation is not None and not isinstance(validation, Split):
        raise ParameterError(
            f"The 'validation' of {name}.fit must be a Split, for example data.split(vt.split.GlobalTime(days=7)), or None. "
            f"Got a {type(validation).__name__}.",
            parameter="validation",
        )
