"""What is in a log, before anything is fitted."""

from vitrina.data.inspect.look import inspect
from vitrina.data.inspect.record import Inspection

__all__ = ["Inspection", "inspect"]
