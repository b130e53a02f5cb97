"""What a fit stops by, and what it says of that afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.data.split import LeaveOneOut, Split
from vitrina.sequence.checkpoint import Checkpoint, room_for
from vitrina.sequence.judges import Judges
from vitrina.sequence.train import Progress, Training
from vitrina.vocabulary import id_hashes


class Judged(Protocol):
    """What one run works on: who judges it."""

    @property
    def judges(self) -> Judges | None: ...


J = TypeVar("J", bound=Judged)
Train = Callable[[Dataset, Split | None, Path | None, Path | None, int | None], tuple[J, Progress]]


def settled(
    model: Any, data: Dataset, split: Split | None, train: Train[J], checkpoint: str | Path | None, start: Any = None
) -> tuple[J, Progress, tuple[str, ...]]:
    """Train on the training part of `split` until its best epoch; where that lacks more than `Training.refit` of the events, then on all for as many epochs.

    Args:
        model: the config, with its `training`.
        train: a run on a log, judged by a split: (log, split, folder for what isn't held in memory, file of the state, epochs at most).
        checkpoint: folder of the states; emptied at the end.
        start: what the fit goes on from, which a checkpoint belongs to.

    Returns:
        What was trained last, how the search for the best epoch went, and what is said of it.
    """
    saved = None if checkpoint is None else Checkpoint.of(Path(checkpoint), model, data, split, start)

    def stage(name: str) -> Path | None:
        return None if saved is None else saved.file(name)

    with room_for(data, saved) as room:
        learned, progress = train(data if split is None else split.train, split, room("search"), stage("search"), None)
        judged = 0 if learned.judges is None else len(learned.judges)
        again = split is not None and split.train.n_events < (1 - model.training.refit) * data.n_events
        if again:
            learned, _ = train(data, None, room("again"), stage("again"), progress.best_epoch)
    if saved is not None:
        saved.remove()
    return learned, progress, notes_of(progress, judged, again)


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
