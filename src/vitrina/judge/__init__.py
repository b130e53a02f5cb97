"""Judges of relevance that are calibrated against people, and what their verdicts are worth.

For whoever can't have everything labelled by people: a language model labels, people label some, and each number says how far the labels may be trusted.
"""

from vitrina.judge.batch import Cost, Price
from vitrina.judge.clusters import Estimate
from vitrina.judge.comparisons import Comparisons
from vitrina.judge.judge import Judge
from vitrina.judge.judgements import Interrupted, Judgements
from vitrina.judge.prompt import Example, PairExample
from vitrina.judge.scale import Scale

__all__ = ["Comparisons", "Cost", "Estimate", "Example", "Interrupted", "Judge", "Judgements", "PairExample", "Price", "Scale"]
