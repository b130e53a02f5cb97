"""Times, ages and shares as the console says them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vitrina.base.config import title_of
from vitrina.base.printing import MISSING
from vitrina.base.time import DAY, HOUR
from vitrina.report.words import fixed, plural

if TYPE_CHECKING:
    from vitrina.service.registry import Version

SECOND, MINUTE = 1_000_000, 60_000_000
Z = 1.959963985  # of an interval of 95%


def now() -> int:
    """Microseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * SECOND)


def moment(time: int | str | None) -> int | None:
    """A moment in microseconds, of a number or of ISO 8601; None where it can't be read."""
    if not isinstance(time, str):
        return time
    try:
        read = datetime.fromisoformat(time)
    except ValueError:
        return None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * SECOND)


def fitted(version: Version) -> str | None:
    """When a model was fitted, ISO 8601; None where its artifact doesn't say."""
    return None if version.created is None else version.created.isoformat()


def model_of(manifest: Mapping[str, Any]) -> str:
    """The model of an artifact, and what puts its lists in order: "TifuKNN, re-ranked by MMR".

    >>> model_of({"model": {"name": "Reranked", "model": {"name": "EASE"}, "reranker": {"name": "MMR", "diversity": 0.3}}}), model_of({})
    ('EASE, re-ranked by MMR', 'a model')
    """
    model: Any = manifest.get("model") or {"name": "a model"}
    if model.get("name") == "Reranked" and isinstance(model.get("model"), dict) and isinstance(model.get("reranker"), dict):
        return f"{model_of(model)}, re-ranked by {title_of(model['reranker'])}"
    return title_of(model)


def age(time: int | str | None, at: int | None = None) -> str:
    """How long ago, in the largest unit that says something.

    >>> age(0, 90_000_000), age(0, 3 * 86_400_000_000), age(None)
    ('1 minute', '3 days', '–')
    """
    read = moment(time)
    if read is None:
        return MISSING
    length = max((now() if at is None else at) - read, 0)
    return plural(length // SECOND, "second") if length < MINUTE else duration(length)


def duration(length: float) -> str:
    """A length of time in microseconds.

    >>> duration(2_400), duration(1_500_000), duration(7_200_000_000)
    ('2.4 ms', '1.5 s', '2 hours')
    """
    if length < SECOND:
        return f"{fixed(length / 1000, 1)} ms"
    if length < MINUTE:
        return f"{fixed(length / SECOND, 1)} s"
    size, name = next(pair for pair in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")) if length >= pair[0])
    return plural(int(length // size), name)


def when(time: int | None) -> str:
    """A moment, to the minute, in UTC: "26 Nov 14:05"."""
    if time is None:
        return MISSING
    at = datetime.fromtimestamp(time / SECOND, UTC)
    year = "" if abs(now() - time) < 300 * DAY else f" {at.year}"
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def wilson(hits: float, tries: float) -> tuple[float, float]:
    """The interval of 95% of a share, [Wilson 1927](https://doi.org/10.1080/01621459.1927.10502953): within 0 and 1 at any count.

    >>> [round(end, 3) for end in wilson(0, 20)], [round(end, 3) for end in wilson(50, 100)]
    ([0.0, 0.161], [0.404, 0.596])
    """
    if tries <= 0:
        return 0.0, 1.0
    share, spread = hits / tries, Z * Z / tries
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / tries + spread / (4 * tries))
    return max(middle - half, 0.0), min(middle + half, 1.0)
