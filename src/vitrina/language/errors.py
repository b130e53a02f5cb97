"""What goes wrong with a language model.

LanguageModelError       there is no valid answer          (a VitrinaError)
├── UnreachableError     the endpoint refused, or didn't answer in time, after all tries
├── InvalidAnswerError   the answer broke the schema, and so did its repair
└── BudgetError          the call was not made: it could cost more than is left
"""

from __future__ import annotations

from vitrina.base.errors import VitrinaError


class LanguageModelError(VitrinaError):
    """There is no valid answer of a language model."""


class UnreachableError(LanguageModelError):
    """The endpoint refused, or couldn't be reached.

    Args:
        status: of HTTP; None where there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class InvalidAnswerError(LanguageModelError):
    """The answer broke the schema, and so did the one after a turn of repair.

    Args:
        answer: the last one, as it came.
    """

    def __init__(self, message: str, *, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class BudgetError(LanguageModelError):
    """A call was not made, as it could have cost more than is left of the budget."""
