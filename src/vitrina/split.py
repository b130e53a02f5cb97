"""The split rules, under the name that people type: `vt.split.GlobalTime(days=30)`."""

from vitrina.data.split import Rule, Split

__all__ = ["Rule", "Split"]
