"""Ranking again: other orders of the lists that a model gives, for who wants more variety, or anything else that no single score says.

`reranked` makes a model of a model and a re-ranker; `base` is what every re-ranker starts from; each re-ranker is a file of its own.
"""
