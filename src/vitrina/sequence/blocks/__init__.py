"""The layers that a sequence model is stacked from."""

from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.bert4rec import BERT4RecBlock
from vitrina.sequence.blocks.hstu import HSTU
from vitrina.sequence.blocks.ligr import LiGR
from vitrina.sequence.blocks.prenorm import PreNorm
from vitrina.sequence.blocks.sasrec import SASRecBlock

__all__ = ["HSTU", "BERT4RecBlock", "Block", "LiGR", "PreNorm", "SASRecBlock"]
