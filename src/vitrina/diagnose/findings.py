"""From differences with their intervals to sentences: what the data say, and what that means for the next model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal

from vitrina.base.printing import fixed, places_of, short, signed
from vitrina.diagnose.design import BY_POPULARITY, EXPONENTS, LENGTHS, PLAIN, Question

Answer = Literal["yes", "no", "harmful", "unclear"]
ALPHA = 0.05
MANY = 0.1  # share of the targets from which people are said to repeat
REPEATS = "Do people repeat?"
CONTENT = "Does content help beyond collaboration?"
FADING = "Do old events of the history count less?"
LENGTH = "How much of the history should co-occurrence read?"
NEAR = "Do near events belong together more than distant ones?"
ORDER = "Is order informative?"
TRENDS = "Are there trends?"
POPULARITY = "Does removing popularity help?"
ORDER_OF_QUESTIONS: tuple[Question, ...] = ("popularity", "trends", "order", "gap", "length", "fading", "content", "repeats")


@dataclass(frozen=True)
class Effect:
    """One variant against the one it is held against, over the queries where both have a value.

    Interval, p and what would have been seen share one correction for all effects (`evaluate.compare_pairs`): the interval is without zero
    where p is below 5%, and only there. NaN where too few people differ; `verdict` says so.
    """

    variant: str
    against: str
    question: Question
    value: float
    difference: float
    low: float
    high: float
    p: float
    detectable: float
    verdict: str = ""
    lower_is_better: bool = False  # of the metric

    @property
    def sure(self) -> bool:
        return self.p < ALPHA

    @property
    def gain(self) -> float:
        """The difference in the good direction: above 0 where the variant is better."""
        return -self.difference if self.lower_is_better else self.difference

    @property
    def helps(self) -> bool:
        return self.sure and self.gain > 0

    @property
    def harms(self) -> bool:
        return self.sure and self.gain < 0

    @property
    def words(self) -> str:
        """The difference as people would say it."""
        if not (self.low <= self.high):
            return self.verdict
        places = max(places_of(self.difference), 4)
        ends = f"{signed(self.low, places)} to {signed(self.high, places)}"
        if self.sure:
            return f"{signed(self.difference, places)} ({ends})"
        seen = f"; {fixed(self.detectable, places)} would have been seen" if isfinite(self.detectable) else ""
        return f"no measurable difference ({ends}{seen})"


@dataclass(frozen=True)
class Finding:
    """A question about the data, its answer, and the consequence."""

    question: str
    answer: Answer
    evidence: str
    meaning: str
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Evidence:
    """What the questions are answered from."""

    effects: tuple[Effect, ...]
    values: Mapping[str, float]  # of each variant
    metric: str
    repeat_share: float  # of the targets, before any were dropped
    longest: int

    def of(self, question: Question) -> tuple[Effect, ...]:
        return tuple(e for e in self.effects if e.question == question)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Every question that the variants can answer, in a fixed order."""
    made = [_QUESTIONS[question](evidence) for question in ORDER_OF_QUESTIONS if evidence.of(question) or question in ("repeats", "length")]
    return tuple(finding for finding in made if finding is not None)


def _verdict(effect: Effect) -> Answer:
    if not effect.sure:
        return "unclear"
    return "yes" if effect.helps else "harmful"


def _best(effects: tuple[Effect, ...]) -> Effect:
    return max(effects, key=lambda e: e.gain if isfinite(e.gain) else -inf)


def _popularity(evidence: Evidence) -> Finding | None:
    effects = tuple(e for e in evidence.of("popularity") if e.against == BY_POPULARITY.format(EXPONENTS[0]))
    if not effects:
        return None
    best = _best(effects)
    full = effects[-1]
    shown = best if best.helps or not full.sure else full
    meaning = {
        "yes": f"Normalise: {best.variant} is a good start for co-occurrence. Train the sequence model with corrected in-batch or mixed negatives "
        "(logQ), which does the same there.",
        "harmful": "People follow what is popular. Keep popularity in: uniform negatives or the full softmax, no correction, and popularity as a "
        "strong baseline.",
        "unclear": "This log can't tell whether dividing popularity out helps: take the one with the better coverage, and ask again with more people.",
    }
    verdict = _verdict(shown)
    return Finding(POPULARITY, verdict, f"{_capital(shown.variant)}: {shown.words}.", meaning[verdict], effects)


def _trends(evidence: Evidence) -> Finding | None:
    effects = tuple(e for e in evidence.of("trends") if e.against != PLAIN or "half" in e.variant)
    if not effects:
        return None
    recent = next((e for e in effects if e.variant.startswith("popularity")), effects[0])
    half = next((e for e in effects if "half" in e.variant), None)
    moving = recent.helps
    stale = half is not None and half.helps
    evidence_text = f"{_capital(recent.variant)} against all time: {recent.words}." + (
        f" {_capital(half.variant)}: {half.words}." if half else ""
    )
    if moving or stale:
        meaning = "Taste moves. Refit often, put recent popularity on the board, and let old events fade; give the model the time."
        return Finding(TRENDS, "yes", evidence_text, meaning, effects)
    if recent.sure and (half is None or half.sure):
        return Finding(TRENDS, "no", evidence_text, "Old events still inform: train on the whole log.", effects)
    meaning = "No trend can be told from chance here: take the whole log, and look again when there is more of it."
    return Finding(TRENDS, "unclear", evidence_text, meaning, effects)


def _simple(question: Question, asked: str, meanings: Mapping[Answer, str]) -> Callable[[Evidence], Finding | None]:
    """A question that one variant answers; order and nearness the first of two that helps."""

    def find(evidence: Evidence) -> Finding | None:
        effects = evidence.of(question)
        first = next((e for e in effects if e.helps), effects[0]) if question in ("order", "gap") else effects[0]
        verdict = _verdict(first)
        return Finding(asked, verdict, f"{_capital(first.variant)} against {first.against}: {first.words}.", meanings[verdict], effects)

    return find


def _length(evidence: Evidence) -> Finding | None:
    effects = evidence.of("length")
    if not effects:
        meaning = "There is little history to read."
        return Finding(LENGTH, "unclear", f"Histories have at most {evidence.longest} events.", meaning, ())
    best = max(effects, key=lambda e: -e.value if e.lower_is_better else e.value)
    if best.helps:
        meaning = f"Let co-occurrence read about the {_count(best)}, or let the history fade: the rest blurs the answer. A model that reads the order is another question, below."
        return Finding(LENGTH, "yes", f"Reading only the {_count(best)}: {best.words} against all of it.", meaning, effects)
    enough = next((e for e in effects if not e.harms), None)
    if enough is None:
        meaning = f"Everything helps: give models long windows (the longest history has {evidence.longest} events)."
        said = f"Every shorter history loses against all of it ({short(evidence.values[PLAIN])}); the {_count(effects[-1])}: {effects[-1].words}."
        return Finding(LENGTH, "no", said, meaning, effects)
    meaning = f"This log can't tell whether more than the {_count(enough)} helps: reading all is simpler."
    return Finding(LENGTH, "unclear", f"Reading only the {_count(enough)}: {enough.words} against all of it.", meaning, effects)


def _count(effect: Effect) -> str:
    """ "last 5 events" for the variant "last 5"."""
    return next((f"last {n} events" for n in LENGTHS if effect.variant == f"last {n}"), "last event")


def _content(evidence: Evidence) -> Finding | None:
    effects = evidence.of("content")
    added = effects[0]
    verdict = _verdict(added)
    alone = next((e for e in effects if e.variant == "descriptions alone"), None)
    meanings: dict[Answer, str] = {
        "yes": "Descriptions know what clicks don't: blend co-occurrence with ContentSimilarity (Blend), and give a sequence model item features.",
        "harmful": "These descriptions mislead where clicks exist; keep them for items that nobody has taken yet.",
        "unclear": "This log can't tell whether descriptions help where clicks exist; they are for items that nobody has taken yet.",
    }
    tail = f" Descriptions alone reach {short(alone.value)}." if alone is not None else ""
    return Finding(CONTENT, verdict, f"With descriptions: {added.words}.{tail}", meanings[verdict], effects)


def _repeats(evidence: Evidence) -> Finding | None:
    effects = evidence.of("repeats")
    share = f"{evidence.repeat_share:.0%} of the targets had been taken by the same person before"
    many = evidence.repeat_share >= MANY
    if not effects:
        meaning = (
            "This job leaves repeats out. If they should come back, set repeat = true: own favourites are then hard to beat."
            if many
            else "Leave seen items out of the lists; personal counts have no part to play."
        )
        return Finding(REPEATS, "yes" if many else "no", f"{share}.", meaning, ())
    own = effects[0]
    evidence_text = f"{share}; own favourites against co-occurrence: {own.words}."
    if not many and not own.helps:
        meaning = "Hardly anybody does: repeat = false leaves room for what people don't have yet."
        return Finding(REPEATS, "no", evidence_text, meaning, effects)
    meaning = {
        "yes": "Own favourites beat co-occurrence: put TopPersonal and TifuKNN on the board, and give a sequence model personalised popularity.",
        "harmful": "Repeats are there, but co-occurrence is ahead of own favourites: mix both, and watch the explore part of the metrics.",
        "unclear": "Repeats are there; this log can't tell own favourites from co-occurrence: put both on the board.",
    }
    return Finding(REPEATS, "yes", evidence_text, meaning[_verdict(own)], effects)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_QUESTIONS: dict[Question, Callable[[Evidence], Any]] = {
    "popularity": _popularity,
    "trends": _trends,
    "order": _simple(
        "order",
        ORDER,
        {
            "yes": "What comes after differs from what goes together: a causal sequence model (SASRec, eSASRec) has something to learn.",
            "harmful": "What goes together says more than what comes after: keep pairs in both directions. Whether recency counts is another question, below.",
            "unclear": "This log can't tell whether direction counts. Whether recency counts is another question, below.",
        },
    ),
    "gap": _simple(
        "gap",
        NEAR,
        {
            "yes": "Sessions matter: nearby events share an intent. Use a gap decay, and a sequence model with positions or time.",
            "harmful": "Distant pairs inform as well: count all pairs of a history alike. Whether old events count less is another question, below.",
            "unclear": "These questions can't tell whether distance counts: to count all pairs alike is simpler, and not shown to be right.",
        },
    ),
    "length": _length,
    "fading": _simple(
        "fading",
        FADING,
        {
            "yes": "The latest events steer: let old ones fade, or take a model that attends to the end of the history.",
            "harmful": "Old events count as much as new ones: long-lasting taste. EASE and long windows fit.",
            "unclear": "This log can't tell whether fading helps: begin without it, which is simpler.",
        },
    ),
    "content": _content,
    "repeats": _repeats,
}
