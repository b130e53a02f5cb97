"""What is to be known before the numbers of a split are read, each in a sentence with its consequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEAVY_SHARE = 0.1  # from this share of the questions on, one person bends the means
FEW = 100  # questions; of fewer, each person holds much
REPEAT_SHARE = 0.1  # from this share of repeats on, people are taken to come back to items
TIE_SHARE = 0.05  # from this share of tie-breaks among the targets on, they are worth a sentence
PER_USER_STEPS = (
    "Most people begin at the same step, so the steps look like positions within a person and not like a common clock: "
    "a global cut asks only people with long histories. Use LeaveOneOut()."
)
BY_PLACE = (
    "Who is asked goes by the place of people in the log, and a log in shards has them in the order of its shards, not of the file: it asks others "
    "than the same log in memory. Take test_share=1, or LeaveOneOut(people=...), which goes by the ids."
)


def remarks(counts: dict[str, Any], repeat: bool, queries: int) -> tuple[str, ...]:
    """The warnings of a split, from what was counted."""
    heavy = heavy_person(counts, queries)
    return (*([] if heavy is None else [heavy]), *_about_repeats(counts, repeat), *_about_questions(counts, queries))


def heavy_person(counts: dict[str, Any], queries: int) -> str | None:
    """A sentence about the person who asks most, where that bends the means."""
    if counts["busiest_share"] < HEAVY_SHARE or queries < FEW:
        return None
    who = counts["busiest_user"]
    return (
        f"One person ({who}) holds {counts['busiest_share']:.0%} of the questions: means speak of this person more than of anybody else, and the intervals are wide. "
        f'If it is a robot, a shop or an id for unknown people, leave it out: filters.without(data, users=[{who!r}]), or max_length; or ask each person once (target="last").'
    )


def _about_repeats(counts: dict[str, Any], repeat: bool) -> Iterator[str]:
    share, trained = counts["seen_targets_share"], counts["train_repeats_share"]
    why = "" if trained is None else f" (decided from the training part, where people had taken {trained:.1%} of what they took before)"
    if not repeat and share >= REPEAT_SHARE:
        yield (
            f"{share:.0%} of the test targets were in the person's history already and were dropped, because repeat is false{why}: "
            "the numbers speak of discovery only. Set repeat=true if people come back to items."
        )
    if repeat and share < REPEAT_SHARE / 5:
        yield (
            f"Only {share:.1%} of the test targets were in the person's history: with repeat=true{why}, models lose places of the list to items "
            "that are rarely taken again. Set repeat=false."
        )


def _about_questions(counts: dict[str, Any], queries: int) -> Iterator[str]:
    if counts["queries_without_truth"] and counts["queries_without_truth"] > 0.2 * (queries + counts["queries_without_truth"]):
        yield (
            f"{counts['queries_without_truth']:,} queries were dropped, because the person had taken all of their targets before: "
            "the rest are a special part of the people."
        )
    if counts["cold_targets_share"] >= 0.05:
        yield (
            f"{counts['cold_targets_share']:.0%} of the targets are items without a training event: no model of interactions can hit them. "
            "They count as misses; compare a content model, or a shorter test part."
        )
    if counts["queries_without_history_share"] >= 0.1:
        yield (
            f"{counts['queries_without_history_share']:.0%} of the queries have no history: every model answers them alike, "
            "from popularity, and differences between models look smaller than they are for known people."
        )
    if (counts["tie_breaks_share"] or 0.0) >= TIE_SHARE:
        yield (
            f"{counts['tie_breaks_share']:.0%} of the targets are the last of several events of one time by the order of rows alone: another file "
            "of the same log asks about others. LeaveOneOut(ties=0), ties=1 and so on draw that order; their spread is the doubt that comes of it."
        )
    if counts.get("per_user_steps"):
        yield PER_USER_STEPS
    if counts.get("people_by_place"):
        yield BY_PLACE
