"""Semantic codes of items: a few small numbers that say what an item is, made of its vectors or given."""

from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.codes import SemanticCodes

__all__ = ["Coder", "FittedCoder", "SemanticCodes"]
