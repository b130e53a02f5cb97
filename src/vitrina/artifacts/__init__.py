"""Artifacts: a fitted recommender as a folder that another process, or another year, can read and trust.

A folder holds `manifest.json` (what it is, what made it, a question with its answer, a sha256 of each file), settings as JSON, parameters
as `.npy` files that are memory-mapped when read, ids and the table of items as Parquet. What a recommender is made of is in folders inside it.
Nothing in it is code. It is written beside, flushed and renamed.
"""

from vitrina.artifacts.artifact import Artifact
from vitrina.artifacts.read import load
from vitrina.artifacts.write import save

__all__ = ["Artifact", "load", "save"]
