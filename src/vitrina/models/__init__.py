"""Algorithms, one file each: a frozen config whose `fit` gives one of the forms of `vitrina.forms`. Users take them from `vitrina` itself.

`base` is what each derives from, and a model of one's own may. Parts of models: `weighting` (how co-occurrence is divided), `graph` (losses of LightGCN), `inverse` (how SANSA comes to a sparse inverse), `content_vectors`
(descriptions of items as TF-IDF), `pairs` (the kernels of co-occurrence).
"""

from vitrina.models import graph, inverse, weighting

__all__ = ["graph", "inverse", "weighting"]
