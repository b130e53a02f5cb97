"""Words of texts, for monitors that compare texts without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORD = re.compile(r"\w+")
ENGLISH = (
    "a about an and are as at be been but by can could did do does for from had has have how i in is it its me my of on or our so than "
    "that the their them there these they this to was we were what when where which who why will with would you your "
)
RUSSIAN = (
    "а бы был была были было быть в вам вас во вот все вы где да для до его ее если есть же за и из или им их к как какая какие какой "
    "когда кто ли мне мы на над но о об он она они оно от по под при с со так также там то тот у уже что чтобы эта эти это этот я "
)
STOP = frozenset(f"{ENGLISH}{RUSSIAN}".split())  # words of negation are content


def content_words(text: str) -> list[str]:
    """The words of a text in lower case without stop words of English and Russian; numbers are words.

    >>> content_words("Does the X200 have 4 ports?")
    ['x200', '4', 'ports']
    """
    return [word for word in WORD.findall(text.lower().replace("ё", "е")) if word not in STOP]


def share_covered(words: Iterable[str], texts: Iterable[str]) -> float:
    """The share of distinct words that stand in the texts; 0 where there are no words.

    >>> share_covered(["red", "lamp"], ["a red chair"])
    0.5
    """
    wanted, there = set(words), {word for text in texts for word in content_words(text)}
    return len(wanted & there) / len(wanted) if wanted else 0.0
