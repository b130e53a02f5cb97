"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.analysis import Analysis
from vitrina.search.answering import Answered
from vitrina.search.completion import Completion
from vitrina.search.fusion import RRF, Convex, Fusion
from vitrina.search.hybrid import Hybrid
from vitrina.search.known import KnownWords
from vitrina.search.layout import Layout
from vitrina.search.learned import Learned, Mix
from vitrina.search.pins import Pinned, Pins
from vitrina.search.reading import Query, Reading, Understood
from vitrina.search.relaxing import Relaxed
from vitrina.search.spelling import Spelling
from vitrina.search.synonyms import Synonyms
from vitrina.search.units import Units
from vitrina.search.zero import Logged, ZeroResults

__all__ = [
    "RRF", "Analysis", "Answered", "Completion", "Convex", "Fusion", "Hybrid", "KnownWords", "Layout", "Learned", "Logged", "Mix", "Pinned",
    "Pins", "Query", "Reading", "Relaxed", "Spelling", "Synonyms", "Understood", "Units", "ZeroResults",
]  # fmt: skip
