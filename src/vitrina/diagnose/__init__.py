"""The fast look before any neural model: a designed set of quick models, and in words what their differences say."""
