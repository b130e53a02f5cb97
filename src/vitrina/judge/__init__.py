"""Judges of relevance that are calibrated against people, and what their verdicts are worth."""
