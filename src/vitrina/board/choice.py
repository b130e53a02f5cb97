"""The model that all others are compared with, and how it was chosen: what was chosen by looking at the test part pays for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vitrina.base.errors import ParameterError
from vitrina.board.contenders import Outcome
from vitrina.board.result import Chosen


class Choice(NamedTuple):
    """The baseline of a board, and whether it was named, or chosen on validation or on the test part."""

    baseline: str
    chosen: Chosen


def choose_baseline(
    outcomes: Sequence[Outcome], values: Mapping[str, float], wanted: str | None, *, lower_is_better: bool = False
) -> Choice:  # fmt: skip
    """The wanted model; else the strongest of the baselines that Vitrina added; else the weakest model.

    It is chosen on validation where all that it is chosen from have a value there, and on the test part otherwise.

    Args:
        outcomes: of all that took part.
        values: primary metric on the test part of those that came to an end.
        wanted: a name, or None.
        lower_is_better: what "strong" means for this metric.

    Raises:
        ParameterError: the wanted one has no lists.
    """
    if wanted is not None:
        if wanted not in values:
            raise ParameterError(f"The baseline {wanted!r} has no lists on this board. Models that have: {', '.join(values)}.")
        return Choice(wanted, "named")
    here = [o for o in outcomes if o.entry.name in values]
    among = [o for o in here if o.entry.baseline] or here
    better = -1 if lower_is_better else 1
    strongest = better if among[0].entry.baseline else -better
    validated = {o.entry.name: v for o in among if (v := _validated(o, better)) is not None}
    if len(validated) == len(among):
        return Choice(max(validated, key=lambda name: strongest * validated[name]), "validation")
    return Choice(max((o.entry.name for o in among), key=lambda name: strongest * values[name]), "test")


def _validated(outcome: Outcome, better: int) -> float | None:
    """The value of the configuration that won on validation, before every fold; None where nothing was tried there."""
    tried = [t["value"] for t in outcome.trials if t["value"] is not None and t.get("fold", 1) == 1]  # later validation is an earlier test
    return max(tried, key=lambda value: better * value, default=None)
