"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.analysis import TextAnalysis
from vitrina.search.clicks import PositionBased, PositionBias
from vitrina.search.content_encoder import ContentEncoder
from vitrina.search.cross import CrossEncoder, CrossScore, HttpCrossEncoder, OnnxCrossEncoder
from vitrina.search.encoder import TextEncoder
from vitrina.search.endpoint_encoder import EndpointEncoder
from vitrina.search.features import ItemNumbers, TextOverlap
from vitrina.search.folder_encoder import FolderEncoder
from vitrina.search.fusion import RRF, Convex, Fusion
from vitrina.search.hybrid import Hybrid
from vitrina.search.index import Fields, ItemIndex
from vitrina.search.lexical import Lexical
from vitrina.search.model import TextSearch
from vitrina.search.packaged import Packaged
from vitrina.search.semantic import Semantic
from vitrina.search.trec import read_qrels, read_run, write_qrels, write_run

__all__ = [
    "RRF",
    "ContentEncoder",
    "Convex",
    "CrossEncoder",
    "CrossScore",
    "EndpointEncoder",
    "Fields",
    "FolderEncoder",
    "Fusion",
    "HttpCrossEncoder",
    "Hybrid",
    "ItemIndex",
    "ItemNumbers",
    "Lexical",
    "OnnxCrossEncoder",
    "Packaged",
    "PositionBased",
    "PositionBias",
    "Semantic",
    "TextAnalysis",
    "TextEncoder",
    "TextOverlap",
    "TextSearch",
    "read_qrels",
    "read_run",
    "write_qrels",
    "write_run",
]
