"""Errors of rules say which rule they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vitrina.base.errors import VitrinaError


@contextmanager
def about(name: str) -> Iterator[None]:
    """Puts the name of a rule before what is raised inside, and into the error's `parameter`.

    >>> from vitrina.base.errors import ParameterError
    >>> with about("no beer"):
    ...     raise ParameterError("There is no column 'brnd'.")
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: The rule 'no beer': There is no column 'brnd'.
    """
    try:
        yield
    except VitrinaError as error:
        other = error.with_message(f"The rule {name!r}: {error}")
        other.__dict__["parameter"] = name
        raise other from None
