"""When to answer at all: monitors that score a question before it is answered, and what is promised of those that are.

For whoever would rather say "I don't know" than be wrong, and must show how often that is.
"""
