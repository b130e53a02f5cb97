"""Lengths of time in microseconds, the unit of every time in a log."""

HOUR = 3_600_000_000
DAY = 24 * HOUR
