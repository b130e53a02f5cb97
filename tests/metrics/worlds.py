"""Random lists and truths with everything that can be odd about them, and what they say in plain Python."""

from vitrina.metrics import Judged
from vitrina.testing.metric_laws import made_up


def world(seed: int = 0, queries: int = 60, k: int = 12) -> Judged:
    return made_up(k, queries, seed)


def rows(judged: Judged) -> list[tuple[list[int], set[int]]]:
    """Each list (None where an item is repeated or missing) and each truth, in plain Python."""
    out = []
    for q in range(len(judged)):
        plain, seen = [], set()
        for item in judged.recommendations.items[q].tolist():
            plain.append(None if item < 0 or item in seen else item)
            seen.add(item)
        out.append((plain, set(judged.truth[q].tolist())))
    return out
