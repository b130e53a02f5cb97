"""Forecasters: how much will be wanted on the next days, as sample paths. A frozen config each, in its own file."""
