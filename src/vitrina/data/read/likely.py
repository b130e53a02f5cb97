"""A column that looks like the time of a log which was read without one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import polars as pl

from vitrina.data.read.sources import Source

ISO = r"^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}\S*)?\s*$"
COMPACT = r"^\s*(19[7-9]\d|20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\s*$"  # 20260501
LOOKED_AT = 1000
SAID = "looks like the time and is not read"


def likely_time(sources: Sequence[Source], used: Sequence[str]) -> str:
    """A sentence that names the first column which no role has and which holds dates, such as 2026-05-01 or 20260501; empty where there is none."""
    for source in sources[:1]:
        rest = [name for name in source.columns if name not in used]
        for chunk in islice(source.chunks(rest) if rest else (), 1):
            for name in rest:
                if _is_time(chunk.frame[name].drop_nulls().head(LOOKED_AT)):
                    return f"The column {name!r} {SAID}: give it with time={name!r}."
    return ""


def _is_time(column: pl.Series) -> bool:
    if not len(column) or isinstance(column.dtype, (pl.List, pl.Struct)):
        return False
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    text = column.cast(pl.String, strict=False)
    return bool(text.str.contains(ISO).all() or (text.str.contains(COMPACT).all() and text.n_unique() > 1))
