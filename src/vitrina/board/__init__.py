"""Comparing and tuning models, and the board that comes of it: for the terminal, as a page, as JSON."""
