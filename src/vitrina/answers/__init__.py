"""Answers that cite items: a graph of plain steps from a question to sentences with what they rest on, or to a refusal with its reason."""
