"""Forecasters: how much will be wanted on the next days, as sample paths. A frozen config each, in its own file."""

from vitrina.plan.forecasters.naive import SeasonalNaive

__all__ = ["SeasonalNaive"]
