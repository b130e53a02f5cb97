"""What is shown in a notebook, and tables for who works with pandas."""

from __future__ import annotations

import io
from html import escape
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console

from vitrina.base.errors import MissingExtraError, ParameterError

WIDTH = 120  # columns of what a notebook shows


def html_of(printed: Any) -> str:
    """What rich prints, as HTML with its own styles, for `_repr_html_`.

    >>> html_of("two < three")
    '<pre style="line-height:1.3">two &lt; three\\n</pre>'
    """
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False, highlight=False)
    console.print(printed)
    return console.export_html(inline_styles=True, code_format='<pre style="line-height:1.3">{code}</pre>')


def titled(line: str, frame: pl.DataFrame) -> str:
    """A line and a table as HTML."""
    return f"<p>{escape(line)}</p>{frame._repr_html_()}"


def to_pandas(frame: pl.DataFrame) -> Any:
    """The table as a pandas DataFrame.

    Raises:
        MissingExtraError: pandas isn't installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415  only who has pandas asks for it
    except ImportError:
        raise MissingExtraError("to_pandas needs pandas. Install it with: pip install pandas") from None
    return pd.DataFrame({c.name: c.to_list() if c.dtype in (pl.String, pl.List) else c.to_numpy() for c in frame})


def labels_of(labels: Any, queries: int) -> pl.Series:
    """A name for each of so many queries; numbers from 0, named `query`, where there are none.

    Raises:
        ParameterError: there is not one per query.
    """
    named = pl.Series("query", np.arange(queries)) if labels is None else labels
    named = named if isinstance(named, pl.Series) else pl.Series("query", named)
    if len(named) != queries:
        raise ParameterError(f"There must be one label per query ({queries}). Got {len(named)}.")
    return named
