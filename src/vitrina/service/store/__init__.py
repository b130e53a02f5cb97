"""What is kept: events, what was shown, items, people. One writer, several databases."""
