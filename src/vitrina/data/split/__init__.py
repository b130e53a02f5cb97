"""Splits: rules that cut a log into a training part, queries and truth. Public as `vt.split`.

Each rule says only who is asked, when, and about which events; `assemble` decides about repeats and counts what was left out.
"""

from vitrina.data.split.base import Rule, Split
from vitrina.data.split.judged import judged
from vitrina.data.split.leave import LeaveLastBasket, LeaveOneOut
from vitrina.data.split.protocol import Protocol
from vitrina.data.split.published import RandomShare, given
from vitrina.data.split.rolling import rolling
from vitrina.data.split.shards import ShardedSplit
from vitrina.data.split.summary import PartSize, SplitSummary
from vitrina.data.split.time import GlobalTime
from vitrina.data.split.users import UserShare

__all__ = [
    "GlobalTime",
    "LeaveLastBasket",
    "LeaveOneOut",
    "PartSize",
    "Protocol",
    "RandomShare",
    "Rule",
    "ShardedSplit",
    "Split",
    "SplitSummary",
    "UserShare",
    "given",
    "judged",
    "rolling",
]
