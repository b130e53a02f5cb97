"""Semantic codes of items: a few small numbers that say what an item is, made of its vectors or given; and what is made of them."""

from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.coder import Coder, VectorCoder
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.sequence.semantic.embedding import SemanticIds
from vitrina.sequence.semantic.given import GivenCodes
from vitrina.sequence.semantic.product import ProductCodebooks, ProductQuantisation
from vitrina.sequence.semantic.quality import CodeQuality
from vitrina.sequence.semantic.residual import ResidualCodebooks, ResidualKMeans
from vitrina.sequence.semantic.rqvae import RQVAE, AutoencoderCodebooks

__all__ = [
    "RQVAE", "AutoencoderCodebooks", "CodeQuality", "Coder", "FittedCoder", "GivenCodes", "ProductCodebooks", "ProductQuantisation", "ResidualCodebooks", "ResidualKMeans", "SemanticCodes", "SemanticIds", "VectorCoder",
]  # fmt: skip
