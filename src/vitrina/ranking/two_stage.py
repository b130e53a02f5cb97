"""Two stages as one model: sources propose, a ranker that has learned from a later part of the log puts in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.impressions import Impressions
from vitrina.data.split import Split
from vitrina.data.split.base import Rule
from vitrina.models.base import ModelConfig
from vitrina.protocols import Recommender
from vitrina.ranking.features.base import FeatureGroup, FeatureSet
from vitrina.ranking.features.drift import statistics
from vitrina.ranking.features.standard import standard
from vitrina.ranking.heads import FittedHead, Head, log_shares
from vitrina.ranking.judging import judged as judged_orders
from vitrina.ranking.lambdarank import LambdaRank
from vitrina.ranking.ranked import RankedLists
from vitrina.ranking.ranker import Examples, FittedRanker, Ranker, scores_of
from vitrina.ranking.shown import shown_window
from vitrina.ranking.sources import Source, Sources, names_of
from vitrina.ranking.tables import calibration_table, importance_tables, missing_table
from vitrina.ranking.window import Lesson, Sampling, joined, person_keys, windows_of
from vitrina.types import Eligibility, Float32

FEWEST = 20  # questions with something found, to learn from and to stop by each
PEOPLE = 500  # at the end of the log whose features are looked at


@final
class TwoStage(ModelConfig):
    """Candidates of several models, ordered by a ranker.

    The sources and features are fitted on what is before a window of the log; the questions of the window are asked at their own moments; what
    people took there teaches the ranker. Then sources and features are fitted again on the whole log, and the ranker stays. The window is
    cut by the rule that made the log (for the training part of a split: one more part of the same kind before it), or is the validation part where
    one is given. The latest window judges what was learned from those before it: some of its people, who are held out, say how many trees are
    enough and how scores are calibrated, and compare the ranker with the order of each source. A ranker with one head that isn't better there gives
    way to the order of the best source, and the notes say so; else it learns once more, from all windows and as long. Where there is one window,
    its own held-out people judge, who agree with the others on what is popular then: they say too much, and let trees learn it by heart.

    What is known from the window stands in `fitted.tables`: `sources` (what each finds: recall, unique hits), `orders` (the ranker beside
    each source, on people of the latest window who were held out), `importances` and `groups` of features, `calibration`, `missing`, `features` (what each is like), and `drift`:
    how far the features of some people at the end of the log, with all fitted on the whole log, are from that. `fitted.drift(queries)` says it of any.

    Args:
        sources: two or more, of unlike kinds: a second source that finds other items is worth more than a better ranker. None where the fit is given
            fitted ones.
        features: groups of features; None takes those that the log has what it takes for (`vt.ranking.standard`).
        ranker: learns the order.
        heads: several aims, each learned and calibrated by itself, and mixed when somebody asks.
        window: another rule to cut windows by.
        windows: how many, each before the one before it; each costs a fit of the sources. With one alone nothing later says when to stop.
        queries: of a window that are asked, at most.
        negatives: candidates per question that were not taken, of those that were proposed.
        held_out: the share of people of the latest window who are kept to stop and to calibrate by.
        seed: of all draws, which are hashes of ids.

    Raises:
        DataError: as the sources and features do.
        ParameterError: two sources have one name, or so do two heads or features; a head reads what the log doesn't have.
        MissingExtraError: the ranker needs a package that isn't installed.

    Cost: windows + 1 fits of every source; candidates and features of `queries` questions; the ranker. A query costs a list of each source, and
    features and scores of its candidates.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> sources = (vt.ranking.Source(model=vt.Cooccurrence()), vt.ranking.Source(model=vt.TopPersonal(), n=20))
    >>> fitted = vt.TwoStage(sources=sources).fit(data)
    >>> fitted.recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    sources: tuple[Source, ...] | None = Field(default=None, min_length=1, strict=False)
    features: tuple[FeatureGroup, ...] | None = Field(default=None, min_length=1, strict=False)
    ranker: Ranker = LambdaRank()
    heads: tuple[Head, ...] = Field(default=(Head(),), min_length=1, strict=False)
    window: Rule | None = None
    windows: int = Field(default=2, ge=1)
    queries: int = Field(default=10_000, ge=1)
    negatives: int = Field(default=50, ge=1)
    held_out: float = Field(default=0.2, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _each_by_its_name(self) -> Self:
        if self.sources:
            names_of(self.sources)
        twice = next((name for name, times in Counter(head.name for head in self.heads).items() if times > 1), None)
        if twice is not None:
            raise ValueError(
                f"Each head of a TwoStage has a name of its own, and two are called {twice!r}. Give one a name: Head(name='...')."
            )
        return self

    @property
    def reads_weights(self) -> bool:  # type: ignore[override]
        return any(source.model.reads_weights for source in self.sources or ())

    def fit(
        self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None, impressions: Impressions | None = None,
        sources: Sources | None = None,
    ) -> RankedLists:  # fmt: skip
        """Fit on a log; with `impressions` the window is what was shown, and the ranker learns from what came of it. Their places reach a ranker
        that reads them, such as `LambdaRank(positions=True)`. What no source proposes of a list teaches nothing.

        Where `validation` is of judged queries (`vt.split.judged`), it is the one window: what was judged is learned from, good and bad, beside
        `negatives` candidates that nobody judged, and heads read the numbers of the judgements (`Head(judged="gain")`). When those that are held out
        have said how many trees are enough, and that the ranker is of use, it learns once more, from all.

        Args:
            data: the log.
            validation: the window, and the training part before it.
            start: is not read.
            impressions: what was shown.
            sources: fitted already, such as those of a search (`hybrid.asked`, or `vt.ranking.Sources.of`), in place of those of the config.
        """
        self._check_sources(sources)
        for head in self.heads:
            (head.ranker or self.ranker).check()
        positions = None
        if impressions is None:
            splits, notes = windows_of(data, validation, self.window, self.windows)
        else:
            window, positions = shown_window(data, impressions)
            splits, notes = [window], ()
        groups = standard(data) if self.features is None else self.features
        sampling = Sampling(self.queries, self.negatives, self.held_out, self.seed)
        lessons, stages = [], None
        for split in splits:
            fitted = _Stages.fit(sources or self.sources or (), groups, split.train)
            stages = stages if stages is not None else (split.train.n_events, fitted)
            share = sampling if not lessons else replace(sampling, held_out=0.0)
            lessons.append(Lesson.of(split, *fitted.parts, self.heads, share, positions))
        whole = stages[1] if stages is not None and stages[0] == data.n_events else _Stages.fit(sources or self.sources or (), groups, data)
        notes = (*_likeness(self.sources or ()), *whole.sources.notes, *notes)
        best = RankedLists(whole.sources, None, (), 0, notes=notes, model=self, item_table=data.item_table)
        if not lessons:
            return best
        learned = _learned(self, best, whole.features, lessons, judged=splits[0].grades is not None)
        return (
            learned
            if learned.features is None or splits[0].grades is not None
            else replace(learned, tables=dict(learned.tables) | {"drift": _drift_now(learned, data, splits[0])})
        )

    def _check_sources(self, given: Sources | None) -> None:
        """Refuse none, and two kinds at once."""
        if (given is None) == (not self.sources):
            got = "none" if given is None else "both"
            raise ParameterError(
                "Two stages have the sources of the config, TwoStage(sources=...), or those that are fitted already, fit(data, sources=...). "
                f"Got {got}.", owner="TwoStage", parameter="sources",
            )  # fmt: skip


@dataclass(frozen=True)
class _Stages:
    """Sources and features fitted on one log."""

    sources: Sources
    features: FeatureSet

    @classmethod
    def fit(cls, sources: Sequence[Source] | Sources, groups: Sequence[FeatureGroup], data: Dataset) -> _Stages:
        fitted = sources if isinstance(sources, Sources) else Sources.fit(sources, data)
        return cls(fitted, FeatureSet.fit(groups, data, fitted))

    @property
    def parts(self) -> tuple[Sources, FeatureSet]:
        return self.sources, self.features


def _learned(model: TwoStage, unordered: RankedLists, features: FeatureSet, lessons: Sequence[Lesson], *, judged: bool) -> RankedLists:
    """The lists with what the windows taught, the latest first: heads, or the best source where those are not better.

    Judged queries are few and have no time: once it is known that the ranker is of use, it learns from all of them.
    """
    known = statistics(features.names, lessons[0].held_out().examples.features)
    lesson, whole = _judged_later(lessons).filled(features), joined(lessons).filled(features)
    held, names = lesson.held_out(), unordered.sources.names
    gains = np.maximum(held.outcomes @ np.array([head.weight for head in model.heads], np.float32), 0)
    orders: dict[str, Float32] = {name: -held.places[:, s] for s, name in enumerate(names)}
    tables = {"sources": whole.recall}
    learnable = [lesson.of_head(h, values=head.values) for h, head in enumerate(model.heads)]
    few = min(min(int((~e.held_out).sum()), int(e.held_out.sum())) for e in learnable)
    if few < FEWEST:
        note = f"no ranker: a head has {few} questions with something found to learn from or to stop by, and needs {FEWEST}"
        best = int(whole.recall["hits"][: len(names)].arg_max() or 0)
        return replace(unordered, best=best, tables=tables, notes=(*unordered.notes, f"{note}; the order is that of {names[best]}"))
    heads = tuple(_fitted_head(model, h, learnable[h], held) for h in range(len(model.heads)))
    expected = np.stack([head.expected(held.examples.features, held.examples.lengths) for head in heads], axis=1)
    order = judged_orders(held, orders | {"ranker": expected @ np.array([head.weight for head in heads])}, gains)
    values = order["nDCG@10"].to_numpy()
    best, better = int(values[:-1].argmax()), len(heads) > 1 or values[-1] > values[:-1].max()
    if better and (judged or len(lessons) > 1):
        everything = whole.nobody_held_out() if judged else whole
        heads = tuple(replace(head, ranker=_again(model, h, everything, head)) for h, head in enumerate(heads))
    tables |= {"orders": order} | importance_tables(heads, features) | {
        "calibration": calibration_table(heads, expected, held.outcomes), "missing": missing_table(whole, features), "features": known,
    }  # fmt: skip
    people = "people of a later window" if len(lessons) > 1 else "people who were held out"
    if not better:
        note = f"the order is that of {names[best]}: on {people} its nDCG@10 is {values[best]:.4f}, the ranker's {values[-1]:.4f}"
        return replace(unordered, best=best, tables=tables, notes=(*unordered.notes, note))
    note = (
        f"ranker learned from {int((~whole.examples.held_out).sum()):,} questions, {len(whole.examples.gains):,} pairs with at most {model.negatives} "
        f"candidates per question that were not taken; on {people} nDCG@10 {values[-1]:.4f}, {names[best]} {values[best]:.4f}"
    )
    return replace(
        unordered, features=features, heads=heads, best=best, tables=tables,
        notes=(*unordered.notes, note),
    )  # fmt: skip


def _judged_later(lessons: Sequence[Lesson]) -> Lesson:
    """What is learned before it is known whether that is of use: of several windows those before the latest, judged by its held-out people."""
    return joined([lessons[0].held_out(), *lessons[1:]]) if len(lessons) > 1 else lessons[0]


def _again(model: TwoStage, number: int, whole: Lesson, head: FittedHead) -> FittedRanker:
    """The ranker of a head once more, from all windows."""
    own = model.heads[number]
    return (own.ranker or model.ranker).fit_again(whole.of_head(number, values=own.values), head.ranker)


def _fitted_head(model: TwoStage, number: int, examples: Examples, held: Lesson) -> FittedHead:
    head = model.heads[number]
    ranker = (head.ranker or model.ranker).fit(examples)
    shares = log_shares(scores_of(ranker, held.examples.features), held.examples.lengths)
    calibration = head.calibrated_by.fit(shares, held.outcomes[:, number])
    return FittedHead(head.name, head.weight, ranker, calibration)


def _drift_now(fitted: RankedLists, data: Dataset, window: Split) -> pl.DataFrame:
    """How far the features of some people at the end of the log are from those of the window."""
    queries = data.queries()
    some = np.sort(np.argsort(person_keys(queries, 0), kind="stable")[:PEOPLE])
    return fitted.drift(queries[some], eligible=Eligibility(repeat=window.eligible.repeat))


def _likeness(sources: Sequence[Source]) -> tuple[str, ...]:
    """What is to be said of sources that are too few, or too much alike."""
    if len(sources) <= 1:
        if not sources:
            return ()
        return (f"one source, {sources[0].title}: a second one of another kind finds items that it doesn't",)
    kinds = {type(source.model).__name__ for source in sources}
    return (
        (f"all {len(sources)} sources are of the kind {kinds.pop()}: one of another kind finds items that they don't",)
        if len(kinds) == 1
        else ()
    )
