"""Public helpers to test recommenders, your own too: toy data and the contract suite."""

from vitrina.testing.toy import synthetic, toy

__all__ = ["synthetic", "toy"]
