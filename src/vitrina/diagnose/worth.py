"""From the steps of a log to sentences: what counting what follows what can know, and whether there is more for a bigger model to learn."""

from __future__ import annotations

from collections.abc import Iterator

from vitrina.base.printing import decimals, fixed
from vitrina.data.inspect.record import percent
from vitrina.diagnose.findings import Answer, Finding
from vitrina.diagnose.steps import Estimate, Steps

NARROW = "Does the last item narrow what comes next?"
FURTHER = "Does the history tell much more than its last item?"
SMOOTH = "Do items that follow each other resemble each other?"
WORTH = "Is a bigger model worth its cost here?"

# Between the logs that these were measured on (`python -m benchmarks.quality.steps`): what a transformer is far ahead on, and what counts are.
MUCH_DEEPER = 2.0  # times that two last items tell what one does
MUCH_SHARED = 0.5  # of the steps that somebody else made
MUCH_ALIKE = 0.55  # half is chance


def worth(steps: Steps | None) -> tuple[Finding, ...]:
    """What the steps of the training part say; nothing where there are too few."""
    return () if steps is None else tuple(_findings(steps))


def _findings(steps: Steps) -> Iterator[Finding]:
    yield _narrow(steps)
    yield _further(steps)
    if steps.alike is not None:
        yield _smooth(steps.alike, steps.alike_shuffled)
    yield _worth(steps)


def _narrow(steps: Steps) -> Finding:
    answer = _above(steps.narrowing, 1)
    shuffled = f"in {percent(steps.shuffled)} ({1 / steps.shuffled:,.0f} items)" if steps.shuffled else "never"
    evidence = (
        f"Two people at the same item go on to the same next one in {_share(steps.together)} of cases, as if each had "
        f"{1 / steps.together.value:,.0f} next items to choose from; where each history is shuffled, {shuffled}."
    )
    meaning = {
        "yes": "What follows what is worth counting. How it is best counted (fading, distance, direction) the answers above say.",
        "no": "What follows what says less than what goes together: count pairs in both directions.",
        "unclear": "Shuffled histories look alike: what goes together is worth counting; whether what follows what is, this log can't tell.",
    }
    return Finding(NARROW, answer, evidence, meaning[answer], ())


def _further(steps: Steps) -> Finding:
    answer = _above(steps.deeper, MUCH_DEEPER)
    evidence = (
        "Too few people share their last two items to say."
        if steps.deeper is None
        else f"Two people with the same last two items go on to the same next one {_times(steps.deeper)} as often as those with the same last one. "
        f"That can be said of {percent(steps.deep_share)} of the steps; the median person has {steps.moments:,.0f} moments."
    )
    meaning = {
        "yes": "What comes next hangs on more than the last item: a model that reads several together has something to learn that counts of pairs don't know.",
        "no": "Less than twice as much: a short window will do, and a fading history reads most of what there is.",
        "unclear": "This log can't tell whether a model that reads several items together learns more than counts of pairs.",
    }
    return Finding(FURTHER, answer, evidence, meaning[answer], ())


def _smooth(alike: Estimate, shuffled: float | None) -> Finding:
    answer = _above(alike, MUCH_ALIKE)
    mixed = "" if shuffled is None else f"; {percent(shuffled)} where each history is shuffled"
    evidence = f"The next item's description is more like the last one's than that of a random item is in {_share(alike)} of cases (chance: 50%{mixed})."
    meaning = {
        "yes": "Descriptions alone find part of what comes next, and of items that nobody has taken. Whether counts know it already is another question, above.",
        "no": "These descriptions hardly tell what comes next; they are for items that nobody has taken yet.",
        "unclear": "This log can't tell whether descriptions say what comes next.",
    }
    return Finding(SMOOTH, answer, evidence, meaning[answer], ())


def _worth(steps: Steps) -> Finding:
    shared, further, ordered = _above(steps.shared, MUCH_SHARED), _above(steps.deeper, MUCH_DEEPER), _above(steps.narrowing, 1)
    evidence = f"{_share(steps.shared)} of the steps were made by somebody else, too" + (
        "." if steps.deeper is None else f"; two last items tell {_times(steps.deeper)} what the last one does."
    )
    if ordered != "yes":
        meaning = "Nothing shows that order says more than shuffled histories do: begin with counts and sets, and let a sequence model prove itself."
        return Finding(WORTH, "unclear", evidence, meaning, ())
    if shared == further == "yes":
        meaning = (
            "Steps have enough examples, and the history tells more than its last item: that is what a sequence model learns and counts don't. "
            "MovieLens-1M is such a log, and transformers are far ahead of counts on it."
        )
        return Finding(WORTH, "yes", evidence, meaning, ())
    if "no" in (shared, further):
        few = "most steps have no second example to learn from" if shared == "no" else "the last item tells most of what can be told"
        content = ", blended with descriptions where they help," if _above(steps.alike, MUCH_ALIKE) == "yes" else ""
        meaning = (
            f"Hardly: {few}. Counts with order and a fading history{content} are hard to beat, and own counts where people repeat. On Amazon Beauty and "
            "Sports, where that is so, counts with descriptions are ahead of every published transformer. Fit a sequence model after them, and serve it only where the board says better."
        )
        return Finding(WORTH, "no", evidence, meaning, ())
    meaning = "This log lies between those where transformers are ahead and those where counts are: put both on the board."
    return Finding(WORTH, "unclear", evidence, meaning, ())


def _above(estimate: Estimate | None, limit: float) -> Answer:
    """Whether it is surely above the limit, surely below, or neither."""
    if estimate is None or estimate.low <= limit <= estimate.high:
        return "unclear"
    return "yes" if estimate.low > limit else "no"


def _share(estimate: Estimate) -> str:
    value, low, high = (100 * share for share in (estimate.value, estimate.low, estimate.high))
    places = decimals([value], [(high - low) / 2])
    return f"{fixed(value, places)}% ({fixed(low, places)}% to {fixed(high, places)}%)"


def _times(estimate: Estimate) -> str:
    return f"{fixed(estimate.value, 1)} times ({fixed(estimate.low, 1)} to {fixed(estimate.high, 1)})"
