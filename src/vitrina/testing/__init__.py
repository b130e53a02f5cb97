"""Public helpers to test recommenders, your own too: toy data and the contract suite."""

from vitrina.testing.contract import ContractError, ContractReport, check_model
from vitrina.testing.toy import synthetic, toy

__all__ = ["ContractError", "ContractReport", "check_model", "synthetic", "toy"]
