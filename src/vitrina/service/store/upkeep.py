"""Forgetting: a person altogether, and rows whose time is over."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl

from vitrina.report.words import plural
from vitrina.service.records import Audited, Erasure, Retained, Sealable, Segment
from vitrina.service.store import segments
from vitrina.service.store.base import Audit, Erase, Erased, ForgetIds, Readings, Retain
from vitrina.service.store.rows import ACCEPTED

FORGOTTEN = 2_000  # ids per transaction: others wait for it


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def erase(state: Path, readings: Readings, ask: segments.Ask, erasure: Erasure) -> int:
    """Forget a person: their events, what they were shown, what is known of them, refused rows that name them. How many rows that were.

    It is noted first, and done again from the start after an end in the middle. Ids of their events stay as digests, so that an event that is sent once more doesn't bring
    them back. The audit names nobody: its subject is a digest of the id.
    """
    e = erasure
    subject = "person " + blake2b(e.user.encode(), digest_size=8).hexdigest()
    ask(Audit(Audited(now(), e.tenant, e.who, "erase", subject, "begun")))
    rows = ask(Erase(e))
    for segment in readings.segments(e.tenant):
        rows += len(segments.keep(state, ask, segment, pl.col("user").ne_missing(e.user)))
    ask(Audit(Audited(now(), e.tenant, e.who, "erase", subject, f"done: {plural(rows, 'row')}")))
    ask(Erased(e))
    return rows


def retain(state: Path, readings: Readings, ask: segments.Ask, tenant: str, kind: Retained, before: int, who: str) -> int:
    """Drop what was accepted before a moment; how many rows that were. Done again after an end in the middle, it drops the rest."""
    day = datetime.fromtimestamp(before / 1e6, UTC).isoformat(timespec="seconds")
    rows = ask(Retain(tenant, kind, before)) if kind == "rejected" or _begin_before(readings, kind, tenant, before) else 0
    for segment in [] if kind == "rejected" else readings.segments(tenant, kind):
        if segment.oldest < before:
            rows += _drop_before(state, ask, segment, before)
    if rows:
        ask(Audit(Audited(now(), tenant, who, "retention", kind, f"{plural(rows, 'row')} of before {day}")))
    return rows


def _begin_before(readings: Readings, kind: Sealable, tenant: str, before: int) -> bool:
    """Whether any of the first rows of the database is so old: most often none is, and the writer is spared a walk through all of them."""
    frame = next(getattr(readings, kind)(tenant), None)
    return frame is not None and bool((frame[ACCEPTED[kind]] < before).any())


def _drop_before(state: Path, ask: segments.Ask, segment: Segment, before: int) -> int:
    moment = pl.col(ACCEPTED[segment.kind]).cast(pl.Int64)
    gone = segments.keep(state, ask, segment, moment >= before)
    if segment.kind == "events":
        for part in gone["event_id"].to_frame().iter_slices(FORGOTTEN):
            ask(ForgetIds(segment.tenant, part["event_id"].to_list()))
    return len(gone)
