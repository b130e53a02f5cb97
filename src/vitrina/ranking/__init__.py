"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

__all__: list[str] = []
