"""The base of every model: what it may be fitted on is looked at in one place, and what is fitted knows what made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.errors import ParameterError
from vitrina.models.forms import Form


class ModelConfig(Config):
    """A config with a `fit`: its arguments are checked before the model sees them, and the fitted form gets the config and the items' titles.

    Raises:
        ParameterError: `data` is no Dataset, or `validation` no Split; says what to write.
    """

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "fit" in cls.__dict__:
            cls.fit = _guarded(cls.__dict__["fit"])


def _guarded(fit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(fit)
    def guarded(self: ModelConfig, data: Dataset, **rest: Any) -> Any:
        check_log(type(self).__name__, data)
        _check_validation(type(self).__name__, rest.get("validation"))
        fitted = fit(self, data, **rest)
        return (
            replace(fitted, model=self, titles=None if data.item_table is None else data.item_table.title_column)
            if isinstance(fitted, Form)
            else fitted
        )

    return guarded


def check_log(name: str, data: Any) -> None:
    """Refuse to fit the model `name` on what is not a Dataset.

    >>> check_log("EASE", "log.csv")
    Traceback (most recent call last):
    ...
    vitrina.errors.ParameterError: EASE is fitted on a Dataset: fit(vt.read_interactions('log.csv', user=..., item=...)). Got a str.
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


def _check_validation(name: str, validation: Any) -> None:
    if validation is not None and not isinstance(validation, Split):
        raise ParameterError(
            f"The 'validation' of {name}.fit must be a Split, for example data.split(vt.split.GlobalTime(days=7)), or None. "
            f"Got a {type(validation).__name__}."
        )
