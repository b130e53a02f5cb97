"""What a fit stops by, and what it says of that afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.data.split import LeaveOneOut, Split
from vitrina.sequence.train import Progress, Training
from vitrina.vocabulary import id_hashes


def validation_of(training: Training, data: Dataset, validation: Split | None) -> Split | None:
    """The part to stop by: the one that was given, or one by the rule that made the log; None where nothing is to be held back.

    Raises:
        VocabularyError: the validation is of a log with other item codes.
        SplitError: no part can be cut off.
    """
    if validation is not None:
        validation.train.items.require_compatible(data.items, "events of the validation")
        return replace(validation, train=validation.train.counted())
    if training.patience is None:
        return None
    rule = data.rule or LeaveOneOut()
    rule = rule.model_copy(update={"strict": False}) if getattr(rule, "strict", False) else rule  # nothing is held back for a further part
    judges = training.judges
    if isinstance(rule, LeaveOneOut):
        return data.split(rule.model_copy(update={"people": judges}))
    split = data.split(rule)
    if not data.in_memory or len(split.queries) <= judges:  # of a log in shards `Judges` draws
        return split
    asked = np.sort(np.argsort(id_hashes(data.users)[split.queries.users], kind="stable")[:judges])
    return split.take(asked)


def notes_of(progress: Progress, judged: int, again: bool) -> tuple[str, ...]:
    """What was chosen by how many questions of the validation; `again` says that all events were learned afterwards."""
    if not judged or not progress.best_epoch:
        return (f"trained for {progress.epoch} epochs without validation",)
    best = f"epoch {progress.best_epoch} of {progress.epoch} was best: {progress.metric} {progress.best:.4f} in validation"
    people = f"on {judged:,} queries"
    return (f"{best} {people}" + (f"; then trained on all events for {progress.best_epoch} epochs" if again else ""),)
