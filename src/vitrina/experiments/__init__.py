"""A/B tests: who is in which arm, how long it takes and what it costs, what came of it, and whether it may be looked at before its end.

For whoever must confirm by an experiment what was found offline.
"""

from vitrina.experiments.analyse import Analysis, analyse
from vitrina.experiments.assign import Experiment, check_together
from vitrina.experiments.diary import Diary, Gain
from vitrina.experiments.metrics import Mean, Metric, Ratio, Share
from vitrina.experiments.money import Money
from vitrina.experiments.outcomes import Outcomes, outcomes
from vitrina.experiments.past import Past
from vitrina.experiments.plan import plan
from vitrina.experiments.planned import Peeking, Plan, Purse
from vitrina.experiments.sequential import Sequential, half_width, sequential
from vitrina.experiments.splits import Splits, splits

__all__ = [
    "Analysis", "Diary", "Experiment", "Gain", "Mean", "Metric", "Money", "Outcomes", "Past", "Peeking", "Plan", "Purse", "Ratio", "Sequential", "Share",
    "Splits", "analyse", "check_together", "half_width", "outcomes", "plan", "sequential", "splits",
]  # fmt: skip
