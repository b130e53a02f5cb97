"""What is in a log, before anything is fitted: measures, and advice in sentences. Public as `vt.inspect`, and behind `vitrina inspect` and `init`."""

from vitrina.data.inspect.look import inspect
from vitrina.data.inspect.record import Inspection

__all__ = ["Inspection", "inspect"]
