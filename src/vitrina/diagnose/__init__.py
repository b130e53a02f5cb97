"""The fast look before any neural model: a designed set of quick models, and in words what their differences say about the data.

For whoever is about to choose a model: `diagnose` runs it, `design` holds the variants, `findings` the questions and answers.
"""
