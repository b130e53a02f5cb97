"""For the tests of who writes models, metrics, blocks and re-rankers: the laws that hold each of them, small logs, and the smallest re-rankers."""

from vitrina.testing.blocks import check_block
from vitrina.testing.contract import ContractError, ContractReport, check_model
from vitrina.testing.metric_laws import check_metric
from vitrina.testing.rerank_laws import check_reranker
from vitrina.testing.rerankers import ByHash, KeepOrder
from vitrina.testing.toy import synthetic, toy

__all__ = [
    "ByHash",
    "ContractError",
    "ContractReport",
    "KeepOrder",
    "check_block",
    "check_metric",
    "check_model",
    "check_reranker",
    "synthetic",
    "toy",
]
