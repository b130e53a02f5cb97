"""Public helpers to test recommenders, metrics and blocks, your own too: toy data and the suites of laws."""

from vitrina.testing.blocks import check_block
from vitrina.testing.contract import ContractError, ContractReport, check_model
from vitrina.testing.metric_laws import check_metric
from vitrina.testing.toy import synthetic, toy

__all__ = ["ContractError", "ContractReport", "check_block", "check_metric", "check_model", "synthetic", "toy"]
