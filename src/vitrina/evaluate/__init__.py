"""Judging ranked lists: numbers with their doubt, by slice, and on the Pareto front. Knows no model by name."""
