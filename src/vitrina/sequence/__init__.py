"""Transformers over histories, and the parts that `vt.SequenceModel` is put together of.

For who fits a model (`model`, `recipes`): the configs that this module exports, one kind of part in each of `blocks/`, `embed/`, `objectives`, `losses`,
`negatives`, `network` (similarities), `bonus` and `train`. For who adds a part: the base class of its kind, and what it works on, a `Batch` of packed
windows (`batches`, `layout`). Behind them: one fit (`fitting`, `start`, `checkpoint`) and its fitted form (`recommender`).
"""

from vitrina.base.errors import MissingExtraError

try:
    import torch  # noqa: F401
except ImportError:
    raise MissingExtraError.of("PyTorch", "torch", "A sequence model") from None

from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.bert4rec import BERT4RecBlock
from vitrina.sequence.blocks.fuxi_alpha import FuXiAlpha
from vitrina.sequence.blocks.fuxi_beta import FuXiBeta
from vitrina.sequence.blocks.fuxi_linear import FuXiLinear
from vitrina.sequence.blocks.hstu import HSTU
from vitrina.sequence.blocks.ligr import LiGR
from vitrina.sequence.blocks.positions import Positions, RelativePositions, Rotary
from vitrina.sequence.blocks.prenorm import PreNorm
from vitrina.sequence.blocks.sasrec import SASRecBlock
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.embed import ContentProjection, Embed, EventInputs, Features, Gated, Ids, SumOf, UserFeatures
from vitrina.sequence.losses import BCE, BPR, GBCE, FullSoftmax, Loss, SampledSoftmax
from vitrina.sequence.negatives import ByPopularity, InBatch, Mixed, Negatives, Uniform
from vitrina.sequence.network import CosineSimilarity, DotProduct, Similarity
from vitrina.sequence.objectives import AllAction, DenseAllAction, ItemMasking, NextAction, Objective, RandomTarget, ShiftedSequence
from vitrina.sequence.recipes import published_eSASRec, with_counts
from vitrina.sequence.recommender import Encoded
from vitrina.sequence.semantic import (
    RQVAE,
    AutoencoderCodebooks,
    CodeQuality,
    Coder,
    FittedCoder,
    GivenCodes,
    ProductCodebooks,
    ProductQuantisation,
    ResidualCodebooks,
    ResidualKMeans,
    SemanticCodes,
    SemanticIds,
    VectorCoder,
)
from vitrina.sequence.semantic.generative import Generated
from vitrina.sequence.semantic.piece_speaking import Pieced
from vitrina.sequence.semantic.pieces import Pieces
from vitrina.sequence.train import Constant, Progress, Schedule, Training, WarmupCosine

__all__ = [
    "BCE",
    "BPR",
    "GBCE",
    "HSTU",
    "RQVAE",
    "AllAction",
    "AutoencoderCodebooks",
    "BERT4RecBlock",
    "Block",
    "ByPopularity",
    "CodeQuality",
    "Coder",
    "Constant",
    "ContentProjection",
    "CosineSimilarity",
    "DenseAllAction",
    "DotProduct",
    "Embed",
    "Encoded",
    "EventInputs",
    "Features",
    "FittedCoder",
    "FuXiAlpha",
    "FuXiBeta",
    "FuXiLinear",
    "FullSoftmax",
    "Gated",
    "Generated",
    "GivenCodes",
    "Ids",
    "InBatch",
    "ItemMasking",
    "LiGR",
    "Loss",
    "Mixed",
    "Negatives",
    "NextAction",
    "Objective",
    "PersonalPopularity",
    "Pieced",
    "Pieces",
    "Positions",
    "PreNorm",
    "ProductCodebooks",
    "ProductQuantisation",
    "Progress",
    "RandomTarget",
    "RelativePositions",
    "ResidualCodebooks",
    "ResidualKMeans",
    "Rotary",
    "SASRecBlock",
    "SampledSoftmax",
    "Schedule",
    "SemanticCodes",
    "SemanticIds",
    "ShiftedSequence",
    "Similarity",
    "SumOf",
    "Training",
    "Uniform",
    "UserFeatures",
    "VectorCoder",
    "WarmupCosine",
    "published_eSASRec",
    "with_counts",
]
