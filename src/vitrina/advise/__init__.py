"""Which models fit a log in this machine's memory and in a wished time, by estimates, before anything is fitted.

For whoever is about to choose a model: `run` makes the table, `size` reads what of the log decides on costs, `machine` measures rates.
"""
