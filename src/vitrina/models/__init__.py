"""Algorithms: a frozen config each, whose `fit` gives one of the forms of `vitrina.forms`."""

from vitrina.models import weighting

__all__ = ["weighting"]
