"""Several ways to read a column of text, and the one that the whole column agrees on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

Way = Callable[[pl.Series], pl.Series]  # text -> values, null where the text can't be read so


@dataclass(frozen=True)
class Agreement:
    """What a whole column says of each way.

    Args:
        fails: of each way, the first text that another way reads and this one doesn't; None where it reads all of them.
        differs: of two ways, by their places, the first text that both read and to different values.
    """

    fails: tuple[str | None, ...]
    differs: dict[tuple[int, int], str]

    @property
    def sound(self) -> list[int]:
        """Places of the ways that read whatever any of them can."""
        return [k for k, text in enumerate(self.fails) if text is None]

    @property
    def doubt(self) -> str | None:
        """A text that two sound ways read differently, if there is one."""
        return next((self.differs[pair] for pair in combinations(self.sound, 2) if pair in self.differs), None)


def agree(chunks: Iterable[pl.Series], ways: Sequence[Way]) -> Agreement:
    """Read all chunks of a text column in every way, and compare.

    What no way can read counts for none: it is a bad row, whichever is taken.

    Cost: one reading of the column per way.

    >>> number = lambda text: text.cast(pl.Int64, strict=False)
    >>> agree([pl.Series(["1", "x"]), pl.Series(["2"])], [number, lambda text: number(text.replace("2", None))]).fails
    (None, '2')
    """
    fails: list[str | None] = [None] * len(ways)
    differs: dict[tuple[int, int], str] = {}
    for text in chunks:
        read = [way(text) for way in ways]
        for k, values in enumerate(read):
            if fails[k] is None and values.null_count():
                missed = values.is_null() & pl.DataFrame([r.is_not_null().alias(str(j)) for j, r in enumerate(read)]).select(pl.any_horizontal(pl.all())).to_series()  # fmt: skip
                fails[k] = _first(text, missed)
        for pair in combinations(range(len(ways)), 2):
            if pair not in differs:
                other = (read[pair[0]] != read[pair[1]]).fill_null(value=False)
                if other.any():
                    differs[pair] = str(_first(text, other))
    return Agreement(tuple(fails), differs)


def _first(text: pl.Series, mask: pl.Series) -> str | None:
    at = mask.arg_max()
    return text[at] if at is not None and mask[at] else None
