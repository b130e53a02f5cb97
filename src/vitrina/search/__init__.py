"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.analysis import TextAnalysis
from vitrina.search.encoder import TextEncoder
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
    "Fields",
    "Fusion",
    "Hybrid",
    "ItemIndex",
    "Lexical",
    "Packaged",
    "Semantic",
    "TextAnalysis",
    "TextEncoder",
    "TextSearch",
    "read_qrels",
    "read_run",
    "write_qrels",
    "write_run",
]
