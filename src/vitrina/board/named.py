"""What was settled before a comparison ran, so that nobody can choose it by the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vitrina.base.errors import ParameterError
from vitrina.base.printing import finite, short

IN_WORDS: Mapping[str, str] = {  # how the baseline was found, see Board.chosen
    "named": "named before the run",
    "validation": "chosen on validation",
    "test": "chosen by its value on the test part, for which all verdicts are corrected (all pairs of models)",
}
BEFORE = "named_before_the_run"  # key of the settings


def check_matters(matters: Any) -> None:
    """Refuse what is no difference.

    Raises:
        ParameterError: it is neither None nor a number above 0.
    """
    if matters is not None and not (finite(matters) and matters > 0):
        raise ParameterError(
            f"The 'matters' of compare is the smallest difference of the primary metric that matters, a number above 0: matters=0.002. Got {matters!r}.",
            parameter="matters", value=matters,
        )  # fmt: skip


def settle(primary: str, baseline: str | None, matters: float | None, slices: Iterable[str]) -> dict[str, str]:
    """The metric that decides, the baseline, the smallest difference that matters, and the groups that are looked at; what was not named is left out."""
    settled = {
        "metric": primary,
        "baseline": baseline or "",
        "smallest difference that matters": "" if matters is None else short(matters),
        "slices": ", ".join(slices),
    }
    return {what: value for what, value in settled.items() if value}


def named_before(settings: Mapping[str, Any]) -> str:
    """The same in a sentence; nothing for a board that doesn't know."""
    settled = settings.get(BEFORE)
    return f"Named before the run: {'; '.join(f'{what} {value}' for what, value in settled.items())}." if settled else ""
