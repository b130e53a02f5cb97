"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.analysis import TextAnalysis
from vitrina.search.cross import CrossEncoder, CrossScore, HttpCrossEncoder, OnnxCrossEncoder
from vitrina.search.encoder import TextEncoder
from vitrina.search.features import ItemNumbers, TextOverlap
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
    "Convex",
    "CrossEncoder",
    "CrossScore",
    "Fields",
    "Fusion",
    "HttpCrossEncoder",
    "Hybrid",
    "ItemIndex",
    "ItemNumbers",
    "Lexical",
    "OnnxCrossEncoder",
    "Packaged",
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
