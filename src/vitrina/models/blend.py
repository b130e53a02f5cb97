"""Several models as one: their scores, or the places of their lists, are added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Self, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import LeaveOneOut, Split
from vitrina.forms.blended import Blended, BlendedLists, together
from vitrina.forms.scale import ReciprocalRank, Scale
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.own import completed
from vitrina.protocols import Recommender, Scorer
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.types import Float32, Ragged

JUDGED = "nDCG@10"  # what learned weights are best at
QUERIES = 5000  # of the validation part that are asked to learn them
STEPS = tuple(2.0**step for step in range(-5, 6))  # that a weight is multiplied by
FINE = tuple(2.0 ** (step / 4) for step in range(-3, 4))


@final
class Blend(ModelConfig):
    """The scores of several models, made comparable and added up.

    score[q, i] = sum over models m of weights[m] * part[m](q, i), where the scale makes the parts: reciprocal rank
    ([Cormack et al. 2009](https://doi.org/10.1145/1571941.1572114)), scores between 0 and 1 (`vt.scale.MinMax`), probabilities (`vt.scale.Softmax` of a network, `vt.scale.Shares` of counts), or the scores as they are.
    An item that one model has no opinion of gets 0 from it; one that none has an opinion of comes after all others, by popularity.

    Where all models can score any item, the parts are made of the scores of all items, whatever is eligible, and the blend can score too. Where one gives lists alone, the
    parts are made of each model's `candidates` best eligible items.

    Args:
        models: two or more.
        weights: one for each, at least 0. None learns them: the models are fitted on the training part of the validation, and the weights
            are those with the best nDCG@10 there on 5,000 of its queries: starting from equal shares, one after the other is multiplied by powers of 2 from 1/32 to 32 and by 0, twice, and then by finer steps.
        scale: an object of `vt.scale`, or one for each model.
        candidates: how many of each list, where a model gives lists alone, and when weights are learned.

    Raises:
        DataError: as the models do.
        SplitError: weights are to be learned, and no validation part can be cut off.

    Cost: the fits of all models, twice where weights are learned from a part that is cut off; a query costs what it costs all models, with
    dense scores.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> model = vt.Blend(models=(vt.Cooccurrence(), vt.ContentSimilarity(columns=("group",))), weights=(1, 0.5), scale=vt.scale.AsIs())
    >>> model.fit(data).recommend(data.queries(), k=3).items.shape
    (300, 3)
    """

    models: tuple[ModelConfig, ...] = Field(min_length=2, strict=False)
    weights: tuple[float, ...] | None = Field(default=None, strict=False)
    scale: Scale | Annotated[tuple[Scale, ...], Field(strict=False)] = ReciprocalRank()
    candidates: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _weights_of_models(self) -> Self:
        weights = self.weights
        if weights is not None and (len(weights) != len(self.models) or min(weights) < 0 or not max(weights) > 0):
            raise ValueError(
                f"Blend needs a weight for each of its {len(self.models)} models, none below 0 and one above. Got {weights!r}."
            )
        if isinstance(self.scale, tuple) and len(self.scale) != len(self.models):
            raise ValueError(
                f"Blend needs one scale, or one for each of its {len(self.models)} models. Got {len(self.scale)}: {self.scale!r}."
            )
        return self

    @property
    def reads_weights(self) -> bool:  # type: ignore[override]
        return any(model.reads_weights for model in self.models)

    @property
    def reads_shards(self) -> bool:  # type: ignore[override]
        return self.weights is not None and all(model.reads_shards for model in self.models)

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(need for model in self.models for need in model.needs))

    def cost(self, size: Size) -> Cost | None:
        """One model after another, twice where weights are learned."""
        costs = [cost for model in self.models if (cost := model.cost(size)) is not None]
        if len(costs) < len(self.models):
            return None
        times, kept = 1 if self.weights is not None else 2, sum(cost.kept for cost in costs)
        most = kept + max(cost.memory - cost.kept for cost in costs)
        return Cost(most, kept, times * sum(cost.flops for cost in costs), times * sum(cost.steps for cost in costs))

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Blended | BlendedLists:
        if self.weights is not None:
            members = self._members(data, validation)
            return self._blended(data, members, self.weights, ())
        split = _validation(data) if validation is None else validation
        members = self._members(split.train, None)
        learned = Learning.of(self._blended(split.train, members, (1.0,) * len(members), ()), split, self.candidates).learned()
        if split.train.n_events < data.n_events:
            members = self._members(data, None)
        shown = ", ".join(f"{_name(model)} {weight:g}" for model, weight in zip(self.models, learned.weights, strict=True))
        note = f"weights learned on {learned.queries:,} queries of validation: {shown} ({JUDGED} {learned.value:.4f})"
        return self._blended(data, members, learned.weights, (note,))

    def _members(self, data: Dataset, validation: Split | None) -> tuple[Recommender, ...]:
        return tuple(completed(model.fit(data, validation=validation), data) for model in self.models)

    def _blended(
        self, data: Dataset, members: tuple[Recommender, ...], weights: tuple[float, ...], notes: tuple[str, ...]
    ) -> Blended | BlendedLists:
        notes = (*(f"{_name(model)}: {note}" for model, member in zip(self.models, members, strict=True) for note in member.notes), *notes)
        parts = data.items, catalogue_of(data, members)
        if all(isinstance(member, Scorer) for member in members):
            return Blended(*parts, members, weights, self.scale, notes=notes)  # type: ignore[arg-type]
        return BlendedLists(*parts, members, weights, self.scale, self.candidates, self, data.item_table, notes)


def _name(model: ModelConfig) -> str:
    return type(model).__name__


def _validation(data: Dataset) -> Split:
    """A part of the log to learn weights on, by the rule that made the log; the last events where there is none."""
    rule = data.rule or LeaveOneOut()
    return (rule.model_copy(update={"strict": False}) if isinstance(rule, LeaveOneOut) else rule).apply(data)


def catalogue_of(data: Dataset, members: tuple[Recommender, ...]) -> Catalogue:
    """What any of the members recommends."""
    known = data.catalogue
    cold = np.unique(np.concatenate([member.catalogue.also for member in members])).astype(np.int32)
    return Catalogue(known.events, known.users, known.n_users, also=cold, fills=any(member.catalogue.fills for member in members))


@dataclass(frozen=True)
class Learned:
    """Weights, and what they are worth in validation."""

    weights: tuple[float, ...]
    value: float
    queries: int


@dataclass(frozen=True)
class Learning:
    """What every member says of the candidates of some queries: enough to judge any weights."""

    blended: Blended | BlendedLists
    split: Split
    candidates: Ragged
    parts: Float32  # (pairs, members)

    @classmethod
    def of(cls, blended: Blended | BlendedLists, split: Split, candidates: int) -> Learning:
        asked = np.unique(np.linspace(0, len(split.queries) - 1, min(len(split.queries), QUERIES)).astype(np.int64))
        split = split.take(asked)
        lists = [member.recommend(split.queries, candidates, eligible=split.eligible) for member in blended.members]
        found = together(lists)
        return cls(blended, split, found, blended.parts(split.queries, found, split.eligible))

    def value(self, weights: np.ndarray) -> float:
        """The metric of the lists by these weights."""
        scores, form, k = self.parts @ weights.astype(np.float32), self.blended, metric(JUDGED).k
        lists = top_k_ragged(self.candidates, scores, self.split.queries, k, self.split.eligible, form.catalogue, form.vocabulary).padded(k)
        values = metric(JUDGED).per_query(Judged(lists, self.split.truth, form.catalogue, self.split.queries))
        return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0

    def learned(self) -> Learned:
        """The best weights that steps along one weight after the other find; the first is 1."""
        sizes = np.abs(self.parts).max(axis=0, initial=0) if len(self.parts) else np.ones(self.parts.shape[1])
        weights = np.where(sizes > 0, 1 / np.where(sizes > 0, sizes, 1), 1.0)
        best = self.value(weights)
        for steps in (STEPS, STEPS, FINE):
            for m in range(len(weights)):
                for tried in self._tried(weights, m, steps):
                    value = self.value(tried)
                    if value > best:
                        best, weights = value, tried
        weights = weights / weights[np.flatnonzero(weights)[0]]
        return Learned(tuple(float(f"{weight:.4g}") for weight in weights), best, len(self.split.queries))

    def _tried(self, weights: np.ndarray, member: int, steps: tuple[float, ...]) -> Iterator[np.ndarray]:
        for step in (0.0, *steps):
            tried = weights.copy()
            tried[member] *= step
            if tried.any() and step != 1:
                yield tried
