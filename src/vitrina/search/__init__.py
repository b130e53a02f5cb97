"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.analysis import TextAnalysis
from vitrina.search.answering import Answered
from vitrina.search.clicks import PositionBased, PositionBias
from vitrina.search.completion import Completion
from vitrina.search.content_encoder import ContentEncoder
from vitrina.search.cross import CrossEncoder, CrossScore, HttpCrossEncoder, OnnxCrossEncoder
from vitrina.search.encoder import TextEncoder
from vitrina.search.endpoint_encoder import EndpointEncoder
from vitrina.search.features import ItemNumbers, TextOverlap
from vitrina.search.folder_encoder import FolderEncoder
from vitrina.search.fusion import RRF, Convex, Fusion
from vitrina.search.hybrid import Hybrid
from vitrina.search.index import Fields, ItemIndex
from vitrina.search.item_texts import OfTexts
from vitrina.search.known import KnownWords
from vitrina.search.layout import Layout
from vitrina.search.learned import Learned, Mix
from vitrina.search.lexical import Lexical
from vitrina.search.model import TextSearch
from vitrina.search.packaged import Packaged
from vitrina.search.pins import Pinned, Pins
from vitrina.search.reading import Query, Reading, Understood
from vitrina.search.relaxing import Relaxed
from vitrina.search.semantic import Semantic
from vitrina.search.spelling import Spelling
from vitrina.search.synonyms import Synonyms
from vitrina.search.trec import read_qrels, read_run, write_qrels, write_run
from vitrina.search.units import Units
from vitrina.search.zero import Logged, ZeroResults

__all__ = [
    "RRF",
    "Answered",
    "Completion",
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
    "KnownWords",
    "Layout",
    "Learned",
    "Lexical",
    "Logged",
    "Mix",
    "OfTexts",
    "OnnxCrossEncoder",
    "Packaged",
    "Pinned",
    "Pins",
    "PositionBased",
    "PositionBias",
    "Query",
    "Reading",
    "Relaxed",
    "Semantic",
    "Spelling",
    "Synonyms",
    "TextAnalysis",
    "TextEncoder",
    "TextOverlap",
    "TextSearch",
    "Understood",
    "Units",
    "ZeroResults",
    "read_qrels",
    "read_run",
    "write_qrels",
    "write_run",
]
