"""Judging ranked lists: numbers with their doubt, by slice, and on the Pareto front. Knows no model by name.

For whoever has lists and a truth, a model's or anybody's: `evaluate` gives the numbers, `compare_paired` what differences may be called.
"""

from vitrina.base.power import people_needed
from vitrina.evaluate.fits import variance_of_fits
from vitrina.evaluate.interval import TRUSTED, mean_interval
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.pareto import best_at, front
from vitrina.evaluate.run import Evaluation, evaluate
from vitrina.evaluate.significance import compare_paired, compare_pairs, compare_with_best
from vitrina.evaluate.slices import by_slice, slice_labels

__all__ = [
    "TRUSTED", "Evaluation", "best_at", "by_slice", "compare_paired", "compare_pairs", "compare_with_best", "evaluate", "front",
    "leads_within", "mean_interval", "people_needed", "slice_labels",
    "variance_of_fits",
]  # fmt: skip
