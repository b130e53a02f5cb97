"""Whether files that come later are like those before: what is refused, what is taken over, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.ingest.format import Manifest
from vitrina.data.read.clock import Clock
from vitrina.data.read.sources import Source

OF_ROLE = {
    "user": "the person", "item": "the item", "time": "the time", "value": "the value", "kind": "the kind of event", "basket": "the basket",
    "weight": "the weight", "order_by": "the order of equal times", "event_id": "the id of the event",
}  # fmt: skip


def columns_for(
    manifest: Manifest, where: str, sources: Sequence[Source], named: Mapping[str, str | None], standard: Mapping[str, str]
) -> dict[str, str]:
    """The column of each role, as with the loads before.

    Args:
        where: what messages call the log.
        named: columns that are named for this load.
        standard: the columns that would be read if nobody named any.

    Raises:
        DataError: a file lacks a column that the log has, or has one that the log would read and hasn't.
        ParameterError: a column is named that the log has no place for, or the event ids would come from another column.
    """
    known = dict(manifest.columns)
    for role, name in named.items():
        if name is None or role not in OF_ROLE:
            continue
        if role not in known:
            raise ParameterError(
                f"{where} has no {OF_ROLE[role].removeprefix('the ')} of events, and those of before would stay without. Leave {role}={name!r} out, or ingest "
                "the whole log again.", parameter=role, value=name,
            )  # fmt: skip
        if role == "event_id" and name != known[role]:
            raise ParameterError(
                f"The ids of events of {where} come from the column {known[role]!r}: by another one no event of before would be found. Rename the column, "
                f"or ingest the whole log again. Got {name!r}.", parameter=role, value=name,
            )  # fmt: skip
        known[role] = name
    for source in sources:
        for role, name in known.items():
            if name not in source.columns:
                raise DataError(
                    f"{source.label} has no column {name!r} ({OF_ROLE[role]}), which {where} has. Write it, name another with {role}='...', or ingest the "
                    f"whole log again without it. Its columns: {', '.join(source.columns[:12])}."
                )
        for role, name in standard.items():
            if role not in known and name in source.columns and name not in known.values():
                raise DataError(
                    f"{source.label} has a column {name!r}, {OF_ROLE[role]}, which {where} has not: its events of before would stay without. Leave the column "
                    "out of the file or rename it, or ingest the whole log again."
                )
    return known


def unused(manifest: Manifest, sources: Sequence[Source], used: Sequence[str]) -> str:
    """A sentence on columns that files of before didn't have and that aren't read."""
    before = {name for source in manifest.sources for name in source.get("columns", ())}
    new = list(dict.fromkeys(name for source in sources for name in source.columns if name not in before and name not in used))
    return f"New columns that aren't read: {', '.join(new[:12])}." if new and before else ""


def require_same_time(manifest: Manifest, where: str, clock: Clock) -> None:
    """Refuse steps where the log has moments, moments where it has steps, and steps that are dates where they were numbers.

    Raises:
        DataError: as said, with what to write.
    """
    unit, column = "us" if clock.real else "step", manifest.columns["time"]
    if unit == manifest.time_unit and (unit == "us" or clock.form == manifest.time_form):
        return
    words = {"us": "moments", "step": f"steps that are {manifest.time_form}"}
    came = "moments" if unit == "us" else f"steps that are {clock.form}"
    remedy = (
        "Say what its numbers are: time_unit='s', 'ms', 'us' or 'ns'"
        if manifest.time_unit == "us"
        else "Write them as before, and read them with time_unit='step'"
    )
    raise DataError(f"The column {column!r} holds {came}, and the times of {where} are {words[manifest.time_unit or 'step']}. {remedy}.")


def kinds_after(manifest: Manifest, names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The kinds of event with those that are new, behind, and a sentence on them.

    Raises:
        DataError: there are more than 256.
    """
    new = [name for name in names if name not in manifest.kind_names]
    kinds = (*manifest.kind_names, *new)
    if len(kinds) > 256:
        raise DataError(
            f"A log has at most 256 kinds of event, and these files bring it to {len(kinds):,}: {', '.join(new[:3])}... Name another column."
        )
    return kinds, f"New kinds of event: {', '.join(new)}." if new else ""


def ids_after(known: str, new: str, what: str) -> tuple[str, str]:
    """How ids are kept after a load ("whole" or "text"), and a sentence where that changes.

    >>> ids_after("whole", "text", "users")
    ('text', 'Ids of users were whole numbers, and some are text now: all are text from now on.')
    """
    if known == "whole" and new == "text":
        return "text", f"Ids of {what} were whole numbers, and some are text now: all are text from now on."
    return known, ""
