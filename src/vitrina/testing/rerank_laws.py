"""The laws that every re-ranker keeps; one line in a test holds a re-ranker to them, your own too. Each raises `BrokenLawError` with its first counterexample, or `NotAskedError` with the reason."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from vitrina.base.errors import ArtifactError
from vitrina.data.dataset import Dataset
from vitrina.models.cooccurrence import Cooccurrence
from vitrina.protocols import FittedReranker, Reranker
from vitrina.rerank.base import may_be_shown, taken
from vitrina.rerank.reranked import Reranked
from vitrina.testing.cases import BrokenLawError, NotAskedError, contract_data, relabelled, same, translated
from vitrina.testing.contract import ContractReport, held_to, require_fit
from vitrina.testing.laws import config
from vitrina.types import Eligibility, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import id_hashes

FIRST = Cooccurrence(neighbours=6)  # whose lists are ranked again: some places have scores, and popularity fills the others
WIDTH = 20  # candidates
ALL = Eligibility(repeat=True)


@dataclass(frozen=True, eq=False)
class RerankCase:
    """A re-ranker on a log, and candidates for everybody in it; what is fitted is fitted once."""

    model: Reranker
    data: Dataset

    @cached_property
    def fitted(self) -> FittedReranker:
        return self.model.fit(self.data)

    @cached_property
    def queries(self) -> Queries:
        return self.data.queries()

    @cached_property
    def candidates(self) -> Recommendations:
        """With columns of their own beside the source."""
        lists = FIRST.fit(self.data).recommend(self.queries, WIDTH, eligible=ALL)
        extra = {**lists.extra, "stock": lists.items * 10, "reasons": (lists.items % 4).astype(np.uint8)}
        return replace(lists, extra=extra, reason_names=("even", "odd"))

    @cached_property
    def answer(self) -> Recommendations:
        """Lists of 10."""
        return self.fitted.rerank(self.queries, self.candidates, 10, eligible=ALL)

    @cached_property
    def limits(self) -> dict[str, Eligibility]:
        """Of those that the candidates were not asked with."""
        rng, n = np.random.default_rng(0), len(self.queries)
        shared = np.flatnonzero(rng.random(len(self.data.items)) < 0.5).astype(np.int32)
        rows = Ragged.of([np.sort(rng.permutation(len(self.data.items))[:12]) for _ in range(n)])
        return {
            "without repeats": Eligibility(),
            "include for all": Eligibility(include=shared, repeat=True),
            "exclude for all": Eligibility(exclude=shared, repeat=True),
            "include with a row per query": Eligibility(include=rows, repeat=True),
            "exclude with a row per query": Eligibility(exclude=rows, repeat=True),
        }


RerankLaw = Callable[[RerankCase], None]


def check_reranker(reranker: Reranker, data: Dataset | None = None, *, laws: Iterable[str] | None = None) -> ContractReport:
    """Hold a re-ranker to its laws; raise if it breaks one.

    | law | what it says |
    |---|---|
    | `config` | the config is frozen, equals its copy, and goes through `to_plain` and JSON |
    | `lists` | arrays are (queries, k) of int32 and float32, only candidates, none twice, pads of -1 at the end |
    | `scores` | scores are finite and never rise along a list; places of the fallback have NaN and come after |
    | `eligible` | no item that isn't eligible, though it was a candidate |
    | `full` | a list is short only where fewer candidates are eligible, and not forbidden by what the re-ranker says of itself (`narrowed`) |
    | `permuted` | the order in which scored candidates come changes nothing |
    | `relabel` | other item codes give the same lists of ids |
    | `prefix` | a shorter list is the beginning of a longer one |
    | `batch` | a query alone gets what it gets among others |
    | `columns` | what the model said is the column `relevance`, and every column stays with its item; reasons, and a source of what was moved, may be added |
    | `diversity` | where it has this parameter, 0 keeps the order, and one batch may mix values in the queries' context |
    | `again` | fitting twice gives the same lists |
    | `saved` | saved and loaded inside a `Reranked` it answers the same |
    | `data` | fitting and ranking change neither the log nor the candidates |

    Args:
        reranker: a config with `fit`.
        data: a small log; that of `check_model` if not given.
        laws: only these.

    Returns:
        The laws kept, and those that could not be asked.

    Raises:
        ContractError: a law is broken; the message has the first counterexample of each.
        UnknownNameError: there is no such law.

    >>> import vitrina as vt
    >>> print(vt.testing.check_reranker(vt.testing.KeepOrder(), laws=["full", "permuted"]))
    KeepOrder() keeps 2 laws: full, permuted.
    """
    case = RerankCase(reranker, contract_data() if data is None else data)
    require_fit(reranker, "re-ranker", "vt.testing.KeepOrder()")
    return held_to(RERANK_LAWS, laws, case, repr(reranker), "re-ranker")


def lists(case: RerankCase) -> None:
    """Lists of the candidates: right shapes and types, no item twice, pads of -1 at the end."""
    answer, shape = case.answer, (len(case.queries), min(10, case.candidates.k))
    if answer.items.shape != shape or answer.scores.shape != shape:
        raise BrokenLawError(f"asked for {shape} the items are {answer.items.shape} and the scores {answer.scores.shape}.")
    if (answer.items.dtype, answer.scores.dtype) != (np.int32, np.float32):
        raise BrokenLawError(f"items and scores must be int32 and float32. Got {answer.items.dtype} and {answer.scores.dtype}.")
    for row, items in enumerate(answer.items):
        real = items[items >= 0]
        if (items[: len(real)] < 0).any() or len(np.unique(real)) < len(real):
            raise BrokenLawError(f"query {row}: an item comes twice, or a pad before an item, in {items.tolist()}.")
        foreign = np.setdiff1d(real, case.candidates.items[row])
        if len(foreign):
            raise BrokenLawError(f"query {row}: item {foreign[0]} was no candidate.")


def scores(case: RerankCase) -> None:
    """Scores order the list: they are finite and don't rise, and places of the fallback have none and come after."""
    for row, (items, values, fallback) in enumerate(zip(case.answer.items, case.answer.scores, case.answer.fallback, strict=True)):
        own = (items >= 0) & ~fallback
        if not np.isfinite(values[own]).all() or (np.diff(values[own]) > 0).any():
            raise BrokenLawError(f"query {row}: scores must be finite and never rise along a list. Got {values.tolist()}.")
        if fallback.any() and own[np.flatnonzero(fallback)[0] :].any():
            raise BrokenLawError(f"query {row}: a candidate with a score comes after the fallback, in {items.tolist()}.")


def eligible(case: RerankCase) -> None:
    """No item that isn't eligible, though it was a candidate."""
    for name, limit in case.limits.items():
        answer = case.fitted.rerank(case.queries, case.candidates, 10, eligible=limit)
        wrong = np.argwhere((answer.items >= 0) & ~may_be_shown(case.queries, answer.items, limit))
        if len(wrong):
            row, place = wrong[0]
            raise BrokenLawError(f"query {row} with {name}: item {answer.items[row, place]} is not eligible.")


def full(case: RerankCase) -> None:
    """A list is short only where fewer candidates are eligible."""
    for name, limit in {"no limits": ALL, **case.limits}.items():
        answer = case.fitted.rerank(case.queries, case.candidates, 10, eligible=limit)
        narrowed = getattr(case.fitted, "narrowed", None)
        left = limit if narrowed is None else narrowed(case.queries, limit)
        most = np.minimum(may_be_shown(case.queries, case.candidates.items, left).sum(axis=1), 10)
        short = np.flatnonzero((answer.items >= 0).sum(axis=1) < most)
        if len(short):
            row = short[0]
            raise BrokenLawError(f"query {row} with {name}: {(answer.items[row] >= 0).sum()} of {most[row]} places are filled.")


def permuted(case: RerankCase) -> None:
    """The order in which scored candidates come changes nothing."""
    rng, scored = np.random.default_rng(3), np.isfinite(case.candidates.scores)
    place = np.where(scored, rng.random(scored.shape), 2 + np.arange(scored.shape[1]))
    shuffled = taken(case.candidates, np.argsort(place, axis=1))
    _require_same_answer(case, case.fitted.rerank(case.queries, shuffled, 10, eligible=ALL), "with the candidates in another order")


def relabel(case: RerankCase) -> None:
    """Other item codes give the same lists of ids. Scores that tie are told apart before, as ties go to the lower code and one choice may decide about the next."""
    new_code = np.random.default_rng(1).permutation(len(case.data.items)).astype(np.int32)
    other, given = relabelled(case.data, new_code), case.candidates
    apart = (id_hashes(case.data.items) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    given = replace(given, scores=given.scores + np.where(given.items >= 0, apart[given.items], 0) * np.float32(0.01))
    candidates = replace(given, items=_recoded(new_code, given.items), vocabulary=other.items)
    before = case.fitted.rerank(case.queries, given, 10, eligible=ALL)
    after = case.model.fit(other).rerank(other.queries(), candidates, 10, eligible=ALL)
    same(before, translated(after, new_code), "with other item codes", popular=case.data.catalogue.users)


def prefix(case: RerankCase) -> None:
    """A shorter list is the beginning of a longer one."""
    shorter = case.fitted.rerank(case.queries, case.candidates, 3, eligible=ALL)
    wrong = np.flatnonzero((shorter.items != case.answer.items[:, :3]).any(axis=1))
    if len(wrong):
        row = wrong[0]
        raise BrokenLawError(
            f"query {row}: k=3 gives {shorter.items[row].tolist()}, k=10 begins with {case.answer.items[row, :3].tolist()}."
        )


def batch(case: RerankCase) -> None:
    """A query alone gets what it gets among others."""
    some = range(0, len(case.queries), max(len(case.queries) // 10, 1))
    alone = [case.fitted.rerank(case.queries[q], case.candidates[q], 10, eligible=ALL) for q in some]
    same(case.answer[np.array(some)], Recommendations.concat(alone), "ranked alone")


def columns(case: RerankCase) -> None:
    """What the model said is the column `relevance`, and each column stays with its item."""
    given, answer = case.candidates, case.answer
    twice = case.fitted.rerank(case.queries, answer, 10, eligible=ALL)
    for what, lists in (("ranked again", answer), ("ranked twice", twice)):
        for row in range(len(lists)):
            own = [int(np.flatnonzero(given.items[row] == item)[0]) for item in lists.items[row] if item >= 0]
            for name, wanted in {"relevance": given.scores, **given.extra}.items():
                got = lists.extra[name][row, : len(own)] if name in lists.extra else None
                if name == "reasons" and got is not None:
                    got = got & (2 ** len(given.reason_names) - 1)  # those that came with the candidates
                if name == "source" and got is not None:
                    got = np.where(got >= len(given.sources), wanted[row, own], got)  # a rule may say that it is the source
                if got is None or not np.array_equal(got, wanted[row, own], equal_nan=wanted.dtype.kind == "f"):
                    raise BrokenLawError(f"query {row} {what}: the column {name!r} must be {wanted[row, own].tolist()}. Got {got}.")
    names = answer.sources[: len(given.sources)], answer.reason_names[: len(given.reason_names)]
    if names != (given.sources, given.reason_names):
        raise BrokenLawError("the names of sources or reasons are lost.")


def diversity(case: RerankCase) -> None:
    """With `diversity` 0 the order is that of the scores; one batch may ask for several."""
    if "diversity" not in getattr(type(case.model), "model_fields", {}):
        raise NotAskedError("the re-ranker has no parameter 'diversity'")
    plain = case.model.model_copy(update={"diversity": 0.0})  # type: ignore[attr-defined]
    answer = plain.fit(case.data).rerank(case.queries, case.candidates, 10, eligible=ALL)
    wrong = np.flatnonzero((answer.items != case.candidates.items[:, :10]).any(axis=1))
    if len(wrong):
        row = wrong[0]
        raise BrokenLawError(
            f"query {row}: with diversity=0 {case.candidates.items[row, :10].tolist()} became {answer.items[row].tolist()}."
        )
    none = np.arange(len(case.queries)) % 2 == 0
    mixed = replace(
        case.queries, context=pl.DataFrame({"diversity": [0.0 if zero else None for zero in none]}, schema={"diversity": pl.Float64})
    )
    both = case.fitted.rerank(mixed, case.candidates, 10, eligible=ALL)
    wrong = np.flatnonzero((both.items != np.where(none[:, None], answer.items, case.answer.items)).any(axis=1))
    if len(wrong):
        raise BrokenLawError(f"query {wrong[0]}: the 'diversity' in the context of its query is not what it was ranked with.")


def again(case: RerankCase) -> None:
    """Fitting and ranking twice gives the same lists."""
    _require_same_answer(case, case.model.fit(case.data).rerank(case.queries, case.candidates, 10, eligible=ALL), "fitted again")


def saved(case: RerankCase) -> None:
    """Inside a saved `Reranked` it answers the same when loaded."""
    artifacts = import_module("vitrina.artifacts")  # above this layer, and needed by this law only
    fitted = Reranked(model=FIRST, reranker=case.model, candidates=WIDTH).fit(case.data)  # type: ignore[arg-type]
    before = fitted.recommend(case.queries, 10, eligible=ALL)
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifacts.save(fitted, Path(folder) / "artifact")
        except ArtifactError as reason:
            raise NotAskedError(str(reason)) from None
        after = artifacts.load(Path(folder) / "artifact", trust=True).recommender.recommend(case.queries, 10, eligible=ALL)
    same(before, after, "saved and loaded", popular=case.data.catalogue.users)


def data(case: RerankCase) -> None:
    """Neither the log nor the candidates are changed."""
    arrays = {**case.data.events.columns(), "candidates": case.candidates.items, "scores": case.candidates.scores, **case.candidates.extra}
    before = {name: array.copy() for name, array in arrays.items()}
    case.model.fit(case.data).rerank(case.queries, case.candidates, 5, eligible=ALL)
    for name, array in arrays.items():
        if not np.array_equal(before[name], array, equal_nan=array.dtype.kind == "f"):
            raise BrokenLawError(f"{name} changed.")


RERANK_LAWS: dict[str, RerankLaw] = {
    law.__name__: law
    for law in (
        config, lists, scores, eligible, full, permuted, relabel, prefix, batch, columns, diversity, again, saved, data,
    )
}  # type: ignore[dict-item]  # fmt: skip


def _require_same_answer(case: RerankCase, other: Recommendations, what: str) -> None:
    same(case.answer, other, what, popular=case.data.catalogue.users)


def _recoded(new_code: Int32, items: Int32) -> Int32:
    return np.append(new_code, np.int32(-1))[items]
