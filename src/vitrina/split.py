"""The split rules, under the name that people type: `vt.split.GlobalTime(days=30)`."""

from vitrina.data.split import (
    GlobalTime,
    LeaveLastBasket,
    LeaveOneOut,
    PartSize,
    RandomShare,
    Rule,
    Split,
    SplitSummary,
    UserShare,
    given,
    rolling,
)

__all__ = [
    "GlobalTime",
    "LeaveLastBasket",
    "LeaveOneOut",
    "PartSize",
    "RandomShare",
    "Rule",
    "Split",
    "SplitSummary",
    "UserShare",
    "given",
    "rolling",
]
