"""Counts of order as they come: what is taken soon after what, with a short memory, and the likeness of descriptions beside it."""

from __future__ import annotations

from vitrina.forms.decay import All, Decay, Exponential, Window
from vitrina.forms.scale import AsIs
from vitrina.models.blend import Blend
from vitrina.models.content import ContentSimilarity
from vitrina.models.cooccurrence import Cooccurrence
from vitrina.models.weighting import Transitions

REACH, LAST = 10, 20  # events between the two of a pair at most, and events of a history that are read


def near(half: float) -> Decay:
    """Pairs of the nearest `REACH` events, half as much after `half` of them."""
    return All(of=(Window(events=REACH), Exponential(events=half)))


def transitions() -> Cooccurrence:
    """What comes soon after what, as it comes: of 30 configurations the best on average in the validation parts of Beauty, Sports and ml-1m."""
    return Cooccurrence(weighting=Transitions(), gap=near(2), one_way=0.75, decay=Exponential(events=2), last=LAST)


def with_content() -> Blend:
    """The same with the likeness of descriptions beside it; weight and decay from the validation parts of Beauty and Sports."""
    return Blend(models=(transitions(), likeness_of_last()), weights=(1, 1), scale=AsIs())


def likeness_of_last() -> ContentSimilarity:
    """A profile of descriptions that fades fast: half as much after one event."""
    return ContentSimilarity(decay=Exponential(events=1))
