"""What the boards teach: a paragraph each, written by hand from the tables of one run, which each paragraph names."""

from __future__ import annotations

LESSONS: dict[str, str] = {}
