"""Every error that Vitrina raises on purpose.

    VitrinaError
    ├── ParameterError      a parameter is outside its domain            (also a ValueError)
    ├── UnknownNameError    a name is not in the list of the known ones  (also a ValueError)
    ├── DataError           a file, a table or a column can't be used    (also a ValueError)
    ├── SplitError          a split rule doesn't fit the data            (also a ValueError)
    ├── VocabularyError     two things speak of different item ids       (also a ValueError)
    ├── MemoryBudgetError   the work would not fit in memory             (also a MemoryError)
    ├── ArtifactError       a folder is not an artifact, or is damaged   (also a ValueError)
    ├── WriteError          a file or folder can't be written            (also an OSError)
    └── MissingExtraError   an optional dependency is not installed      (also an ImportError)

A message names the thing, the constraint, what came and the remedy, in one or two sentences.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from rich.markup import escape


class VitrinaError(Exception):
    """The root of the tree; `except VitrinaError` catches what Vitrina itself refuses."""

    place: str | None = None  # the file and line that it is about, where one is known; the message begins with it

    def __rich__(self) -> str:
        return escape(str(self))

    def with_message(self, message: str) -> Self:
        """The same error, with all that it knows, in other words."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.args = (message,)
        return other

    def at(self, place: str) -> Self:
        """The same error about this place; one that has its place already keeps it.

        >>> print(ParameterError("The 'l2' is too small.", parameter="l2").at("shop.toml, line 3"))
        shop.toml, line 3: The 'l2' is too small.
        """
        if self.place is not None:
            return self
        other = self.with_message(f"{place}: {self}")
        other.place = place
        return other


class ParameterError(VitrinaError, ValueError):
    """A parameter is outside its domain.

    Args:
        owner: the class or function that has the parameter, by name, where one can be named.
        parameter: its name there.
        value: what came.
    """

    def __init__(self, message: str, *, owner: str | None = None, parameter: str | None = None, value: Any = None) -> None:
        super().__init__(message)
        self.owner, self.parameter, self.value = owner, parameter, value


class UnknownNameError(VitrinaError, ValueError):
    """A name is not among the known ones; the message lists the closest."""

    @classmethod
    def of(cls, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
        known = sorted(known)
        same = [other for other in known if other.lower() == name.lower()]  # in other letters: nothing is closer
        close = list(dict.fromkeys([*same, *get_close_matches(name, known, n=3, cutoff=0.5)]))[:3]
        hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
        return cls(f"There is no {what} {name!r}. {hint}Known: {', '.join(known)}.")


class DataError(VitrinaError, ValueError):
    """A file, a table or a column can't be used as it is."""


class SplitError(VitrinaError, ValueError):
    """A split rule doesn't fit the data it was applied to."""


class VocabularyError(VitrinaError, ValueError):
    """Two objects were built on different item (or user) ids."""


class MemoryBudgetError(VitrinaError, MemoryError):
    """The work would not fit in memory; the message says how much it needs and what to use instead."""


class ArtifactError(VitrinaError, ValueError):
    """A folder is not an artifact of Vitrina, or is damaged."""


class WriteError(VitrinaError, OSError):
    """A file or folder can't be written: the disk is full, or the place is read-only."""

    def __init__(self, target: Path, reason: str) -> None:
        super().__init__(f"{target} can't be written: {reason}. Make room or choose a place that can be written to.")
        self.target, self.reason = target, reason


class MissingExtraError(VitrinaError, ImportError):
    """An optional dependency is missing; the message is the command that installs it."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtraError:
        return cls(f"{purpose} needs {package}. Install it with: pip install 'vitrina[{extra}]'.")
