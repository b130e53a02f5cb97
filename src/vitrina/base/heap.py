"""Heaps of the best k (code, score) pairs, the worst on top; equal scores go by the lower code."""

from __future__ import annotations

from vitrina.base.arrays import Float32, Int32
from vitrina.base.kernels import kernel


@kernel
def worse(score_a: float, item_a: int, score_b: float, item_b: int) -> bool:
    """Whether the first pair comes after the second."""
    return score_a < score_b or (score_a == score_b and item_a > item_b)


@kernel
def sift_down(items: Int32, scores: Float32, size: int) -> None:
    """Restore the heap (worst on top) after its root was replaced."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not worse(scores[child], items[child], scores[place], items[place]):
            return
        items[child], items[place] = items[place], items[child]
        scores[child], scores[place] = scores[place], scores[child]
        place = child


@kernel
def sift_up(items: Int32, scores: Float32, place: int) -> None:
    """Restore the heap after the pair at `place` was put there."""
    while place > 0:
        parent = (place - 1) // 2
        if not worse(scores[place], items[place], scores[parent], items[parent]):
            return
        items[parent], items[place] = items[place], items[parent]
        scores[parent], scores[place] = scores[place], scores[parent]
        place = parent


@kernel
def push(items: Int32, scores: Float32, size: int, room: int, item: int, score: float) -> int:
    """Offer a pair to the heap of the best `room` pairs, of which `size` are there; returns how many are there after it."""
    if size < room:
        items[size], scores[size] = item, score
        sift_up(items, scores, size)
        return size + 1
    if worse(scores[0], items[0], score, item):
        items[0], scores[0] = item, score
        sift_down(items, scores, size)
    return size


@kernel
def best_first(items: Int32, scores: Float32, size: int) -> None:
    """Heap sort in place: the worst goes to the end, again and again."""
    for last in range(size - 1, 0, -1):
        items[0], items[last] = items[last], items[0]
        scores[0], scores[last] = scores[last], scores[0]
        sift_down(items, scores, last)
