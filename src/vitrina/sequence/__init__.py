"""Transformers over histories, from parts."""
