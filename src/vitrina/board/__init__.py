"""Comparing models on one split: who takes part, tuning, running, judging, and the board that comes out.

For people: `compare` and `tune`; `Board` is what comes out, `sections` draws its page and `show` its terminal. Fits run in `vitrina.jobs`.
"""
