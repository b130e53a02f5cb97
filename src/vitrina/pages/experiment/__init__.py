"""The pages of an experiment: before it, what it takes and costs; after it, what came of it."""

from vitrina.pages.experiment.analysis import render_analysis
from vitrina.pages.experiment.plan import render_plan

__all__ = ["render_analysis", "render_plan"]
