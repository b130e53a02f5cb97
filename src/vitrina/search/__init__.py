"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""

from vitrina.search.fusion import RRF, Convex, Fusion
from vitrina.search.hybrid import Hybrid
from vitrina.search.trec import read_qrels, read_run, write_qrels, write_run

__all__ = ["RRF", "Convex", "Fusion", "Hybrid", "read_qrels", "read_run", "write_qrels", "write_run"]
