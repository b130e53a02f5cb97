"""A/B tests: who is in which arm, how long it takes and what it costs, what came of it, and whether it may be looked at before its end.

For whoever must confirm by an experiment what was found offline.
"""

from vitrina.experiments.assign import Experiment, check_together

__all__ = ["Experiment", "check_together"]
