"""Answers that cite items: a graph of plain steps from a question to sentences with what they rest on, or to a refusal with its reason.

For whoever puts an answer in front of people, and must know of each sentence where it comes from, and of each refusal why.
"""

from vitrina.answers.nouns import Citation, Cited, Passage, Sentence, Sufficiency, Turn, Verdict

__all__ = ["Citation", "Cited", "Passage", "Sentence", "Sufficiency", "Turn", "Verdict"]
