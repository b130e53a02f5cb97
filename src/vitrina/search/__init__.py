"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.fusion import RRF, Convex, Fusion
from vitrina.search.hybrid import Hybrid

__all__ = ["RRF", "Convex", "Fusion", "Hybrid"]
