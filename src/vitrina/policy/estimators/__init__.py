"""Estimators of what a policy is worth, one sentence each: which columns, and which function of their means."""

from vitrina.policy.estimators.base import Estimator, Weighted
from vitrina.policy.estimators.plain import IPS, SNIPS
from vitrina.policy.estimators.robust import DM, DR, SNDR, DRos, SwitchDR

__all__ = ["DM", "DR", "IPS", "SNDR", "SNIPS", "DRos", "Estimator", "SwitchDR", "Weighted"]
