"""What a co-occurrence is worth, under the name that people type: `vt.weighting.BM25()`."""

from vitrina.models.weighting import (
    BM25,
    ConditionalProbability,
    Cosine,
    Count,
    Denominator,
    Jaccard,
    Lift,
    RowNormalised,
    TfIdf,
    Weighting,
)

__all__ = ["BM25", "ConditionalProbability", "Cosine", "Count", "Denominator", "Jaccard", "Lift", "RowNormalised", "TfIdf", "Weighting"]
