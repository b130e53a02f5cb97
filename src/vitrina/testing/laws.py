"""The laws of the contract suite. Each raises `BrokenLawError` with its first counterexample, or `NotAskedError` with the reason."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.config import Config, fingerprint, to_plain
from vitrina.base.errors import ArtifactError, DataError
from vitrina.data.dataset import Dataset
from vitrina.protocols import Encoder, Recommender, Scorer
from vitrina.testing.cases import CLOSE, BrokenLawError, Case, NotAskedError, relabelled, same, translated, without
from vitrina.testing.shards_only import shards_only
from vitrina.testing.weight_laws import disliked_items, dislikes, weights
from vitrina.types import Eligibility, Queries, Ragged, Recommendations

Law = Callable[[Case], None]


def config(case: Case) -> None:
    """The config is frozen, equals its copy, and can be written as JSON."""
    model = case.model
    if not isinstance(model, Config):
        if is_dataclass(model) and not type(model).__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise BrokenLawError(f"{type(model).__name__} is a dataclass that can be changed. Declare it with frozen=True.")
        raise NotAskedError("the model is not a vitrina.base.config.Config, so a board and an artifact can only show its name")
    json.dumps(to_plain(model))
    copy = type(model)(**{name: getattr(model, name) for name in type(model).model_fields})
    if copy != model or fingerprint(copy) != fingerprint(model):
        raise BrokenLawError(f"{model!r} built again from its own parameters is another: {copy!r}.")
    for name in type(model).model_fields:
        try:
            setattr(model, name, getattr(model, name))
        except (TypeError, ValueError, AttributeError):
            continue
        raise BrokenLawError(f"The parameter {name!r} of {model!r} can be changed after it was made.")


def lists(case: Case) -> None:
    """Lists have the right shape and types, no item twice, pads of -1 at the end."""
    for repeat, answer in case.answers.items():
        shape, kinds = (len(case.queries), _width(case, answer, 10)), (answer.items.dtype, answer.scores.dtype)
        if answer.items.shape != shape or answer.scores.shape != shape:
            raise BrokenLawError(f"asked for {shape} the items are {answer.items.shape} and the scores {answer.scores.shape}.")
        if kinds != (np.int32, np.float32):
            raise BrokenLawError(f"items and scores must be int32 and float32. Got {kinds[0]} and {kinds[1]}.")
        for row, items in enumerate(answer.items):
            real = items[items >= 0]
            if (items[: len(real)] < 0).any() or (items < -1).any():
                raise BrokenLawError(f"query {row} (repeat={repeat}): pads of -1 belong at the end, in {items.tolist()}.")
            if len(np.unique(real)) < len(real) or (real >= case.n_items).any():
                raise BrokenLawError(f"query {row} (repeat={repeat}): an item comes twice or doesn't exist, in {items.tolist()}.")


def scores(case: Case) -> None:
    """Places of the model have finite scores, best first; the fallback comes after."""
    for repeat, answer in case.answers.items():
        for row, (items, values, fallback) in enumerate(zip(answer.items, answer.scores, answer.fallback, strict=True)):
            where = f"query {row} (repeat={repeat})"
            own = values[(items >= 0) & ~fallback]
            if not np.isfinite(own).all():
                raise BrokenLawError(f"{where}: a place that the model filled has no finite score: {values.tolist()}.")
            if (np.diff(own) > 0).any():
                raise BrokenLawError(f"{where}: scores rise along the list: {values.tolist()}.")
            if fallback.any() and (~fallback & (items >= 0))[np.flatnonzero(fallback)[0] :].any():
                raise BrokenLawError(f"{where}: a place of the model comes after the fallback: {items.tolist()}.")


def ties(case: Case) -> None:
    """Equal scores stand in the order of the item codes."""
    answer = case.recommender.recommend(case.queries, case.n_items, eligible=Eligibility(repeat=True))
    for row, (items, values, fallback) in enumerate(zip(answer.items, answer.scores, answer.fallback, strict=True)):
        own = (items >= 0) & ~fallback
        wrong = np.flatnonzero((np.diff(values) == 0) & (np.diff(items) < 0) & own[1:])
        if len(wrong):
            pair = items[wrong[0] : wrong[0] + 2].tolist()
            raise BrokenLawError(f"query {row}: items {pair} have the same score {values[wrong[0]]:.6g}, the lower code must come first.")


def prefix(case: Case) -> None:
    """A shorter list is the beginning of a longer one."""
    for repeat, longer in case.answers.items():
        shorter = case.recommender.recommend(case.queries, 3, eligible=Eligibility(repeat=repeat))
        wrong = np.flatnonzero((shorter.items != longer.items[:, :3]).any(axis=1))
        if len(wrong):
            row = wrong[0]
            raise BrokenLawError(
                f"query {row}: k=3 gives {shorter.items[row].tolist()}, k=10 begins with {longer.items[row, :3].tolist()}."
            )


def batch(case: Case) -> None:
    """A query alone gets what it gets among others."""
    some = np.arange(0, len(case.queries), max(len(case.queries) // 10, 1))
    for repeat, together in case.answers.items():
        eligible = Eligibility(repeat=repeat)
        alone = [case.recommender.recommend(case.queries[q : q + 1], 10, eligible=eligible) for q in some]
        same(together[some], Recommendations.concat(alone), "asked alone", popular=case.data.catalogue.users)


def seen(case: Case) -> None:
    """Without `repeat` no item of the history comes back."""
    for row, items in enumerate(case.answers[False].items):
        again = np.intersect1d(items, case.seen(row))
        if len(again):
            raise BrokenLawError(f"query {row}: item {again[0]} of its history comes back without repeat.")


def full(case: Case) -> None:
    """A list is short only where too few items are eligible."""
    k = case.n_items
    banned = Ragged.of([np.flatnonzero(np.arange(k) % 3 == row % 3) for row in range(len(case.queries))])
    for eligible in (Eligibility(), Eligibility(repeat=True), Eligibility(exclude=banned)):
        answer = case.recommender.recommend(case.queries, k, eligible=eligible)
        for row in range(len(case.queries)):
            allowed = _allowed(case, row, eligible)
            _same_set(answer.items[row], allowed, f"query {row} with {_eligible_name(eligible)}")


def eligible(case: Case) -> None:
    """Only `include`, never `exclude`, whether for all queries or a row per query."""
    rng, n = np.random.default_rng(0), len(case.queries)
    shared = np.flatnonzero(rng.random(case.n_items) < 0.5).astype(np.int32)
    rows = Ragged.of([np.sort(rng.permutation(case.n_items)[:8]) for _ in range(n)])
    for chosen in (
        Eligibility(include=shared),
        Eligibility(exclude=shared),
        Eligibility(include=rows),
        Eligibility(exclude=rows, repeat=True),
    ):
        answer = case.recommender.recommend(case.queries, 5, eligible=chosen)
        for row, items in enumerate(answer.items):
            allowed = _allowed(case, row, chosen)
            wrong = np.setdiff1d(items[items >= 0], allowed)
            if len(wrong):
                raise BrokenLawError(f"query {row} with {_eligible_name(chosen)}: item {wrong[0]} is not eligible.")
            if (items >= 0).sum() < min(5, len(allowed)):
                raise BrokenLawError(
                    f"query {row} with {_eligible_name(chosen)}: {(items >= 0).sum()} of {min(5, len(allowed))} places are filled."
                )


def nobody(case: Case) -> None:
    """An empty history and one of unknown items get full lists."""
    strange = [] if case.data.items.ids.dtype != pl.String else ["no such item"]
    queries = Queries.of_histories(case.data.items, [[], strange])
    answer = case.recommender.recommend(queries, 5)
    need = min(5, int(case.rankable.sum()))
    if ((answer.items >= 0).sum(axis=1) < need).any():
        raise BrokenLawError(f"a history that is empty or of unknown items gets {answer.items.tolist()}, fewer than {need} items.")


def score(case: Case) -> None:
    """`score` and `score_pairs` agree with `recommend`."""
    if not isinstance(case.recommender, Scorer):
        raise NotAskedError("the recommender has no score and score_pairs")
    answer = case.answers[True]
    own = (answer.items >= 0) & ~answer.fallback
    pairs = Ragged.of([items[row] for items, row in zip(answer.items, own, strict=True)])
    every = case.recommender.score(case.queries, np.arange(case.n_items, dtype=np.int32))
    if every.shape != (len(case.queries), case.n_items):
        raise BrokenLawError(f"score of all items must be {(len(case.queries), case.n_items)}. Got {every.shape}.")
    expected = answer.scores[own]
    for name, got in (("score", every[pairs.row_of, pairs.values]), ("score_pairs", case.recommender.score_pairs(case.queries, pairs))):
        wrong = np.flatnonzero(~np.isclose(got, expected, rtol=CLOSE, atol=1e-6))
        if len(wrong):
            at = wrong[0]
            raise BrokenLawError(
                f"{name} of query {pairs.row_of[at]} and item {pairs.values[at]} is {got[at]:.6g}, its list says {expected[at]:.6g}."
            )


def encode(case: Case) -> None:
    """Finite scores are encode(queries) @ item_vectors.T."""
    fitted = case.recommender
    if not isinstance(fitted, Encoder):
        raise NotAskedError("the recommender has no encode, item_vectors and adds")
    if fitted.adds:
        raise NotAskedError(f"its scores are a product of vectors and {fitted.adds}")
    states, vectors = fitted.encode(case.queries), fitted.item_vectors
    if states.shape != (len(case.queries), vectors.shape[1]) or vectors.shape[0] != case.n_items:  # type: ignore[index]
        raise BrokenLawError(
            f"of {len(case.queries)} queries and {case.n_items} items encode gives {states.shape}, and item_vectors are {vectors.shape}."
        )
    products = np.asarray((vectors @ states.T).T)
    every = fitted.score(case.queries, np.arange(case.n_items, dtype=np.int32))
    wrong = np.argwhere(np.isfinite(every) & ~np.isclose(every, products, rtol=CLOSE, atol=1e-6))
    if len(wrong):
        query, item = wrong[0]
        raise BrokenLawError(
            f"score of query {query} and item {item} is {every[query, item]:.6g}, the product of their vectors {products[query, item]:.6g}."
        )


def relabel(case: Case) -> None:
    """Other item codes give the same lists of ids."""
    new_code = np.random.default_rng(1).permutation(case.n_items).astype(np.int32)
    other = relabelled(case.data, new_code)
    recommender = case.model.fit(other)
    for repeat, answer in case.answers.items():
        moved = recommender.recommend(other.queries(), 10, eligible=Eligibility(repeat=repeat))
        same(answer, translated(moved, new_code), "with other item codes", popular=case.data.catalogue.users)


def grown(case: Case) -> None:
    """Item ids that came after the fit change nothing."""
    ids = case.data.items.ids
    strange = "new item" if ids.dtype == pl.String else max(ids.to_list()) + 1
    vocabulary = case.data.items.extended(pl.Series([strange], dtype=ids.dtype))
    known = [ids.gather(case.queries.histories()[q]).to_list() for q in range(min(5, len(case.queries)))]
    before = case.recommender.recommend(Queries.of_histories(case.data.items, known), 10)
    after = case.recommender.recommend(Queries.of_histories(vocabulary, [[strange, *history] for history in known]), 10)
    same(before, after, "with a new id in front of the history", popular=case.data.catalogue.users)


def again(case: Case) -> None:
    """Fitting twice gives the same lists."""
    _require_same_answers(case, case.model.fit(case.data), "fitted again")


def shards(case: Case) -> None:
    """A log in three shards gives the lists of one."""
    _require_same_answers(case, case.model.fit(case.data.sharded(3)), "fitted on three shards")


def saved(case: Case) -> None:
    """Saved and loaded it answers the same."""
    artifacts = import_module("vitrina.artifacts")  # above this layer, and needed by this law only
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifacts.save(case.fitted, Path(folder) / "artifact", model=case.model)
        except ArtifactError as reason:
            raise NotAskedError(str(reason)) from None
        _require_same_answers(case, artifacts.load(Path(folder) / "artifact", trust=True).recommender, "saved and loaded")


def data(case: Case) -> None:
    """Neither the log nor the queries are changed."""
    queries = case.queries
    columns = {**case.data.events.columns(), "indptr": case.data.indptr, "start": queries.start, "stop": queries.stop}
    before = {name: column.copy() for name, column in columns.items()}
    case.model.fit(case.data).recommend(queries, 5)
    for name, column in columns.items():
        if not np.array_equal(before[name], column):
            raise BrokenLawError(f"{name} of the log or the queries changed at place {np.flatnonzero(before[name] != column)[0]}.")


def lean(case: Case) -> None:
    """The recommender doesn't keep the training data."""
    columns = [case.data.indptr, *case.data.events.columns().values()]
    for path, value in _parts("recommender", case.model.fit(case.data), 4, set()):
        if isinstance(value, Dataset):
            raise BrokenLawError(f"{path} is the Dataset.")
        if isinstance(value, np.ndarray) and any(np.may_share_memory(value, column) for column in columns):
            raise BrokenLawError(f"{path} is a column of the log.")


def timeless(case: Case) -> None:
    """A log without times, values and kinds is served, or refused with a DataError."""
    plain = without(case.data)
    try:
        recommender = case.model.fit(plain)
    except DataError as reason:
        raise NotAskedError(f"it refuses such a log: {reason}") from None
    _require_lists(case, recommender, plain)


def untimed(case: Case) -> None:
    """A model that was fitted with times answers a visitor whose history comes without."""
    plain = without(case.data)
    _require_lists(case, case.recommender, plain)
    answer = case.recommender.recommend(plain.queries(), 5, eligible=Eligibility(repeat=True))
    wrong = np.argwhere(~np.isfinite(answer.scores) & (answer.items >= 0) & ~answer.fallback)
    if len(wrong):
        row, place = wrong[0]
        raise BrokenLawError(f"query {row}, whose history has no times: place {place} has the score {answer.scores[row, place]}.")


def baskets(case: Case) -> None:
    """A log with baskets is served."""
    events = case.data.events
    two = (np.arange(len(events), dtype=np.int64) // 2).astype(np.int32) * 2 + case.data.user_of % 2
    with_baskets = replace(case.data, events=replace(events, baskets=two.astype(np.int32)))
    _require_lists(case, case.model.fit(with_baskets), with_baskets)


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        config, lists, scores, ties, prefix, batch, seen, full, eligible, nobody, score, encode, relabel, grown, again, shards, shards_only, saved,
        data, lean, timeless, untimed, baskets, weights, dislikes,
    )
}  # fmt: skip


def _require_same_answers(case: Case, recommender: Recommender, what: str) -> None:
    for repeat, answer in case.answers.items():
        other = recommender.recommend(case.queries, 10, eligible=Eligibility(repeat=repeat))
        same(answer, other, what, popular=case.data.catalogue.users)


def _require_lists(case: Case, recommender: Recommender, data: Dataset) -> None:
    for k in (1, 5):
        answer = recommender.recommend(data.queries(), k, eligible=Eligibility(repeat=True))
        need = min(k, len(data.catalogue.items))
        if answer.items.shape != (len(case.queries), _width(case, answer, k)) or (answer.items[:, :need] < 0).any():
            raise BrokenLawError(f"asked for {k} items the lists are {answer.items[:3].tolist()}.")


def _width(case: Case, answer: Recommendations, k: int) -> int:
    """The places of a list: k, or all items where there are no more."""
    few = max(int(case.rankable.sum()), 1)
    return few if few < k and answer.items.shape[1:] == (few,) else k


def _allowed(case: Case, row: int, eligible: Eligibility) -> Any:
    """The eligible items of a query, in plain set arithmetic."""
    include, exclude = (part[row] if isinstance(part, Ragged) else part for part in (eligible.include, eligible.exclude))
    allowed = set(np.flatnonzero(case.rankable).tolist())
    allowed &= allowed if include is None else set(np.asarray(include).tolist())
    allowed -= set() if exclude is None else set(np.asarray(exclude).tolist())
    allowed -= set() if eligible.repeat else set(case.seen(row).tolist())
    allowed -= set() if case.data.events.weights is None else set(disliked_items(case.data, int(case.queries.users[row])))
    return np.array(sorted(allowed), np.int64)


def _same_set(items: Any, allowed: Any, where: str) -> None:
    got = items[items >= 0]
    missing, foreign = np.setdiff1d(allowed, got), np.setdiff1d(got, allowed)
    if len(missing):
        raise BrokenLawError(f"{where}: {len(got)} items of {len(allowed)} eligible ones; {missing[0]} is missing.")
    if len(foreign):
        raise BrokenLawError(f"{where}: item {foreign[0]} is not eligible.")


def _eligible_name(eligible: Eligibility) -> str:
    parts = [f"{name} with a row per query" if isinstance(part, Ragged) else f"{name} for all"
             for name, part in (("include", eligible.include), ("exclude", eligible.exclude)) if part is not None]  # fmt: skip
    return " and ".join(parts + (["repeat"] if eligible.repeat else [])) or "no limits"


def _parts(path: str, value: Any, depth: int, known: set[int]) -> Iterable[tuple[str, Any]]:
    """The attributes of an object and of what they hold, a few levels down."""
    if id(value) in known or isinstance(value, (str, bytes, int, float, pl.Series)):
        return
    known.add(id(value))
    yield path, value
    if depth == 0 or isinstance(value, np.ndarray):
        return
    if isinstance(value, dict):
        inner = {f"[{key!r}]": part for key, part in value.items()}
    elif isinstance(value, (list, tuple)):
        inner = {f"[{place}]": part for place, part in enumerate(value)}
    else:
        names = [f.name for f in fields(value)] if is_dataclass(value) else []
        inner = {f".{name}": getattr(value, name, None) for name in {*names, *getattr(value, "__dict__", {})}}
    for name, part in inner.items():
        yield from _parts(path + name, part, depth - 1, known)
