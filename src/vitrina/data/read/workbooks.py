"""Excel and OpenDocument workbooks, through Polars and the extra `excel`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from vitrina.base.errors import DataError, MissingExtraError, ParameterError
from vitrina.data.read import headers
from vitrina.data.read.text import TextOptions, headless_sentence

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read_workbook(path: Path, label: str, options: TextOptions) -> tuple[pl.DataFrame, str]:
    """The rows of its first sheet, with those of every other sheet that has the same columns; and a word on the others.

    Raises:
        MissingExtraError: `fastexcel` is not installed.
        DataError: it can't be opened, or holds no rows.
    """
    if find_spec("fastexcel") is None:
        raise MissingExtraError.of("fastexcel", "excel", f"Reading {label}")
    if options.separator is not None:
        raise ParameterError(
            f"A 'separator' is for text files, and {label} is a workbook. Leave it out. Got {options.separator!r}.",
            parameter="separator",
            value=options.separator,
        )
    try:
        sheets = pl.read_excel(
            path, sheet_id=0, engine="calamine", has_header=options.header is not False, infer_schema_length=None,
            raise_if_empty=False, drop_empty_rows=False, drop_empty_cols=False,
        )  # fmt: skip
    except Exception as error:  # the engine has errors of its own, which only it can name
        raise DataError(f"{label} can't be opened as a workbook: {str(error).splitlines()[0]}. Save it again, or as CSV.") from None
    filled = {name: sheet for name, sheet in sheets.items() if sheet.height}
    if not filled:
        raise DataError(f"{label} holds no rows. Write the log to its first sheet, with the names of the columns above.")
    first = next(iter(filled.values()))
    same = [name for name, sheet in filled.items() if sheet.columns == first.columns]
    others = [name for name in filled if name not in same]
    frame = pl.concat([filled[name] for name in same], how="vertical_relaxed")
    note = f"Of {label}: the sheets {', '.join(same)} are one log." if len(same) > 1 else ""
    left = f"Other sheets of {label} were left out: {', '.join(others)}." if others else ""
    return _named(frame, label, options), " ".join(part for part in (note, left) if part)


def _named(frame: pl.DataFrame, label: str, options: TextOptions) -> pl.DataFrame:
    """With the given names; a first row that can't be a header is refused."""
    rows = [[str(value) for value in row] for row in frame.head(20).rows()]
    if options.header is False:
        if options.columns is None or len(options.columns) != frame.width:
            raise DataError(f"{label} needs a name for each of its {frame.width} columns: columns={list(headers.suggested(rows))!r}.")
        return frame.rename(dict(zip(frame.columns, options.columns, strict=True)))
    if options.header is None and headers.looks_like_data([frame.columns, *rows]) and any(name.isdigit() for name in frame.columns[:2]):
        raise DataError(headless_sentence(label, frame.columns, headers.suggested([frame.columns, *rows])))
    return frame
