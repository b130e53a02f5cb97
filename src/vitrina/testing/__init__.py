"""Public helpers to test recommenders and metrics, your own too: toy data and the suites of laws."""

from vitrina.testing.contract import ContractError, ContractReport, check_model
from vitrina.testing.metric_laws import check_metric
from vitrina.testing.toy import synthetic, toy

__all__ = ["ContractError", "ContractReport", "check_metric", "check_model", "synthetic", "toy"]
