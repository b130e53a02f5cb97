"""One sentence on what to try next, from the answers together."""

from __future__ import annotations

from vitrina.diagnose.findings import CONTENT, FADING, LENGTH, NEAR, ORDER, POPULARITY, REPEATS, TRENDS, Finding
from vitrina.diagnose.worth import WORTH


def advice(answered: tuple[Finding, ...]) -> str:
    """What to try next: the model that the answers speak for, and what goes with it."""
    answers = {f.question: f.answer for f in answered}
    said = {question for question, answer in answers.items() if answer == "yes"}
    first, network = _model(answers)
    parts = [first]
    if POPULARITY in said and network:
        parts.append("with corrected in-batch negatives")
    elif POPULARITY in said:
        parts.append("with popularity divided out" if "co-occurrence" in first else "beside co-occurrence with popularity divided out")
    if CONTENT in said:
        parts.append("with item features" if network else "blended with descriptions (Blend, ContentSimilarity)")
    if TRENDS in said:
        parts.append("refitted often")
    if REPEATS in said:
        parts.append("and own favourites beside it (TopPersonal, TifuKNN)")
    beat = "; a sequence model has that to beat" if answers.get(WORTH) == "no" else ""
    return f"Try next: {', '.join(parts)}{beat}."


def _model(answers: dict[str, str]) -> tuple[str, bool]:
    """The model to begin with, and whether it is a network."""
    steering = {answers.get(question) for question in (ORDER, FADING, LENGTH)}
    near = answers.get(NEAR) == "yes"
    if answers.get(WORTH) == "yes":
        return "a sequence model (steps have many examples, and the history tells more than its last item)", True
    if answers.get(WORTH) == "no":
        pairs = "" if answers.get(NEAR) == "harmful" else " of near pairs (weighting.Transitions)"
        return f"co-occurrence{pairs} with a fading history", False
    if "yes" in steering:
        return "a sequence model (the end of the history or its order counts)", True
    if near:
        return "co-occurrence with a gap decay (near events belong together)", False
    unclear = "unclear" in steering
    return (
        f"EASE ({'simple; whether the order of the history counts is unclear here' if unclear else 'the history counts as a set'})",
        False,
    )
