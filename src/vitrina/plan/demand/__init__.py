"""Demand out of a log, its forecasts as sample paths, and how well they came true."""
