"""Who gets which treatment: logs of randomised decisions and their checks, values of policies with honest intervals, learning, uplift, budgets.

For whoever decides on discounts, mails or orders of a list, and must know whether the decision was right.
"""

from vitrina.policy.bounds import bernstein_bound
from vitrina.policy.budget import Assignment, assign_with_budget
from vitrina.policy.checks import Check, Checks
from vitrina.policy.choice import Slope, slope
from vitrina.policy.estimate import evaluate
from vitrina.policy.estimators import DM, DR, IPS, SNDR, SNIPS, DRos, Estimator, SwitchDR, Weighted
from vitrina.policy.expected import Outcome
from vitrina.policy.explore import Explored, Thompson, assign, exploration
from vitrina.policy.learn import LearnedPolicy, fit_policy
from vitrina.policy.learners import DRLearner, Learner, Plugin, PolicyTree
from vitrina.policy.link import Linked, link_outcomes
from vitrina.policy.lists import evaluate_lists
from vitrina.policy.log import DecisionLog
from vitrina.policy.outcome import Predictions, cross_fit
from vitrina.policy.pacing import BudgetPacer
from vitrina.policy.policies import Always, AtRandom, Columns, Policy
from vitrina.policy.pool import pooled
from vitrina.policy.priced import Priced
from vitrina.policy.qini import Measured, Qini, qini
from vitrina.policy.regress import Boosting, Ridge
from vitrina.policy.scores import aipw_scores
from vitrina.policy.simulate import OfferWorld
from vitrina.policy.tree import TreePolicy
from vitrina.policy.units import Units
from vitrina.policy.uplift import UpliftCurve, modified_uplift, uplift_by_part, uplift_curve
from vitrina.policy.values import PolicyValues
from vitrina.policy.worth import worth_of_biased

__all__ = [
    "DM", "DR", "IPS", "SNDR", "SNIPS", "Always", "Assignment", "AtRandom", "Boosting", "BudgetPacer", "Check", "Checks", "Columns",
    "DRLearner", "DRos", "DecisionLog", "Estimator", "Explored", "LearnedPolicy", "Learner", "Linked", "Measured", "OfferWorld",
    "Outcome", "Plugin", "Policy", "PolicyTree", "PolicyValues", "Predictions", "Priced", "Qini", "Ridge", "Slope", "SwitchDR",
    "Thompson", "TreePolicy", "Units", "UpliftCurve", "Weighted", "aipw_scores", "assign", "assign_with_budget", "bernstein_bound",
    "cross_fit", "evaluate", "evaluate_lists", "exploration", "fit_policy", "link_outcomes", "modified_uplift", "pooled", "qini",
    "slope", "uplift_by_part", "uplift_curve", "worth_of_biased",
]  # fmt: skip
