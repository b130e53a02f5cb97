"""Times and lengths of time in microseconds, the unit of every time in a log."""

from datetime import UTC, datetime

HOUR = 3_600_000_000
DAY = 24 * HOUR


def microseconds(moment: datetime) -> int:
    """Since 1970; a moment without a zone is UTC.

    >>> microseconds(datetime(1970, 1, 2))
    86400000000
    """
    whole = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
