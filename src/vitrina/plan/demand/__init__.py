"""Demand out of a log, and its forecasts as sample paths."""
