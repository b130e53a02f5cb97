"""Whether what was found suffices: by the words that it has, or by any monitor and a threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from vitrina.answers.evidence import Evidence, Monitor
from vitrina.answers.nouns import Verdict
from vitrina.answers.reading import terms
from vitrina.answers.sufficiency.words import content_words


@final
@dataclass(frozen=True)
class Coverage:
    """The share of what the question speaks of that one item speaks of too: sum of the weights of its stems in the best passage over that of all its stems.

    With weights like those of BM25 a rare word counts more, and one that no item has most of all. It knows neither synonyms nor negation. The default threshold is a guess; one
    that keeps a promise is chosen on labelled answers, with `AtLeast`.

    Args:
        least: share from which on it is enough; 0 takes anything that was found.
        weight: of a stem; all weigh 1 where there is none.

    >>> from vitrina.answers import Passage
    >>> Coverage().check(Evidence("Is there a red kettle with a whistle?", (Passage("a", "A red kettle."),))).score
    0.6666666666666666
    """

    least: float = 0.5
    weight: Callable[[str], float] | None = None

    def check(self, evidence: Evidence) -> Verdict:
        if not evidence.passages:
            return Verdict(False, "nothing was found", 0.0)
        covered, missing = max(((self.share(evidence.question, p.text), p.text) for p in evidence.passages), key=lambda pair: pair[0])
        if covered >= self.least:
            return Verdict(True, "", covered)
        there = set(terms(missing))
        unsaid = [word for word in dict.fromkeys(content_words(evidence.question)) if not set(terms(word)) & there]
        return Verdict(False, f"the best item says nothing of: {', '.join(unsaid)}", covered)

    def share(self, question: str, text: str) -> float:
        """Of the question in one text; 0 where the question speaks of nothing."""
        wanted, there = set(terms(question)), set(terms(text))
        total = sum(map(self._weight, wanted))
        return sum(map(self._weight, wanted & there)) / total if total else 0.0

    def _weight(self, stem: str) -> float:
        return 1.0 if self.weight is None else self.weight(stem)


@final
@dataclass(frozen=True)
class AtLeast:
    """Any monitor of `vt.answers` with a threshold: enough where its score is at least that.

    >>> from vitrina.answers import Passage, TopScore
    >>> AtLeast(TopScore(), 5.0).check(Evidence("red lamp", (Passage("a", "a red lamp", 4.0),)))
    Verdict(enough=False, reason='top score below 5', score=4.0, numbers={})
    """

    monitor: Monitor
    threshold: float

    def check(self, evidence: Evidence) -> Verdict:
        score = float(self.monitor.scores([evidence])[0])
        enough = score >= self.threshold
        return Verdict(enough, "" if enough else f"{self.monitor.name} below {self.threshold:g}", score)
