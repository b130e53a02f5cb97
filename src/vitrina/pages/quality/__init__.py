"""The page on a benchmark: which metric and split to trust on a log, and from how many people on an order of models is stable."""

from vitrina.pages.quality.page import Study, render

__all__ = ["Study", "render"]
