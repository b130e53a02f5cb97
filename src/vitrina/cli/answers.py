"""What `vitrina recommend` does with an artifact: who is asked about, with which histories, and the file of all lists."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from vitrina.artifacts import Artifact
from vitrina.base.errors import DataError, ParameterError
from vitrina.batch import aligned, check_ending, recommend_to
from vitrina.batch.aligned import OTHER_LOG
from vitrina.cli import build, console, names, why
from vitrina.cli.idlist import COMPRESSED, read_ids, strangers
from vitrina.cli.log import column_of, given_columns, has_fingerprint, is_opened, read_log
from vitrina.data.sharded import Sharded
from vitrina.told import explained, lacking
from vitrina.types import Eligibility, Queries

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", *COMPRESSED)
# filters that also shape a history; the others only choose what to learn from
ABOUT_EVENTS = ("dedupe", "dedupe_consecutive", "kinds", "min_value")


def trusting(trust: bool) -> bool:
    """What `--trust` of an artifact means here: modules in the folder where the command is typed can be imported."""
    if trust:
        names.import_from(Path.cwd())
    return trust


def person_asked_for(history: str | None, out: Path | None, users: str, user: str | None) -> str | None:
    """The person whose list is printed: --user, where nothing else says who is asked about and it doesn't name a column.

    Raises:
        ParameterError: nothing is asked, or a history and something else.
    """
    person = user if history is None and out is None and users == "all" else None
    if (history is None) == (out is None and users == "all" and person is None):
        raise ParameterError(
            'Say what to do: one list with --history "itemA,itemB", that of a person with --user ID, or all lists with --out lists.parquet.'
        )
    return person


def source_of(artifact: Artifact, data: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """How to read the log with the histories: as at the fit, but for what the command names."""
    of_fit = _source_of_fit(artifact)
    read = of_fit.get("read")
    if data is not None and (read is None or is_opened(data) or is_opened(read["source"])):  # the columns of the fit say nothing of it
        return {"read": given_columns(data, given), "filters": of_fit.get("filters", {})}
    if read is None:
        raise ParameterError("The artifact doesn't say which log it was fitted on. Name the log with the histories: --data LOG")
    if data is None and is_opened(read["source"]):
        given_columns(read["source"], given)  # refuses what would change nothing
    named = {key: value for key, value in given.items() if value is not None}
    read = {key: value for key, value in (read | named).items() if key not in ("items", "users", "title", "item_kinds", "user_kinds") and value != ""}  # fmt: skip
    if data is not None:
        return {"read": read | {"source": data}, "filters": of_fit.get("filters", {})}
    return {"read": read, "filters": of_fit.get("filters", {}), "fingerprint": of_fit.get("fingerprint")}


def _source_of_fit(artifact: Artifact) -> Mapping[str, Any]:
    """How the log of the fit was read and filtered, as `vitrina fit` keeps it; empty where somebody else saved the model."""
    source = artifact.manifest.get("source")
    return source if isinstance(source, Mapping) else {}


def eligibility(artifact: Artifact, candidates: Path | None, repeat: bool | None) -> Eligibility:
    """Candidates from a file, and the job's rule on repeats unless the command says otherwise."""
    by_default = bool(_source_of_fit(artifact).get("repeat"))
    include = None if candidates is None else _candidates(artifact, candidates)
    return Eligibility(include=include, repeat=by_default if repeat is None else repeat)


def _candidates(artifact: Artifact, path: Path) -> Any:
    ids = read_ids(path, column_of(_source_of_fit(artifact).get("read", {}), "item")).ids(artifact.vocabulary)
    codes = artifact.vocabulary.encode(ids)
    unknown = int((codes < 0).sum())
    if not unknown:
        return codes
    which = strangers(ids, codes < 0, artifact.vocabulary)
    if unknown == len(ids):
        raise DataError(f"The model knows none of the {len(ids):,} item{'s' * (len(ids) > 1)} in {path} {which} Give ids as in the log.")
    console.warn(f"The model doesn't know {unknown:,} of the {len(ids):,} items in {path} {which} They can't be recommended.")
    return codes[codes >= 0]


def people(users: str, column: str, data: Dataset) -> pl.Series | list[str] | None:
    """Who is meant by --users: everybody (None), the ids in a file, or ids between commas.

    Args:
        data: the log. Of an opened one the people of a file are looked up in their shards alone.

    Raises:
        DataError: it looks like a file, and there is none.
    """
    if users == "all":
        return None
    path = Path(users)
    if path.exists() or path.suffix in ENDINGS or "/" in users or "\\" in users:
        given = read_ids(path, column)
        return given.ids(given.among(data) if isinstance(data, Sharded) else data.users)
    return [one.strip() for one in next(csv.reader([users], skipinitialspace=True), []) if one.strip()]


def write_lists(
    artifact: Artifact, source: Mapping[str, Any], users: str, k: int, eligible: Eligibility, out: Path, *, explain: bool, json: bool
) -> None:
    """Answer everybody, block by block, into a file."""
    check_ending(out)
    queries = questions(artifact, source, log_of(source), users)
    if explain and (said := why.missing(explained(artifact.recommender, queries[:1], 1, eligible=eligible.rows(slice(0, 1))))) is not None:
        console.note(said)
    with console.steps() as progress:
        rows = recommend_to(
            out,
            artifact.recommender,
            queries,
            k=k,
            eligible=eligible,
            user_column=column_of(source["read"], "user"),
            item_column=column_of(source["read"], "item"),
            explain=explain,
            done=lambda count: progress("Users", count, len(queries)),
        )
    say_written(out, len(queries), int((queries.users < 0).sum()), rows, k, eligible, json=json)


def say_written(out: Path, users: int, strangers: int, rows: int, k: int, eligible: Eligibility, *, json: bool) -> None:
    """What a file or folder of lists has."""
    if json:
        console.print_json({"out": out, "users": users, "users_not_in_log": strangers, "rows": rows, "k": k, "repeat": eligible.repeat})
    else:
        console.out().print(f"Wrote {rows:,} rows for {users:,} users to {out}", markup=False, soft_wrap=True)


def questions(artifact: Artifact, source: Mapping[str, Any], log: Dataset, users: str) -> Queries:
    """A question for each of the people that --users means, with their histories; says who isn't in the log."""
    asked = people(users, column_of(source["read"], "user"), log)
    data = histories(artifact, source, log, asked)
    queries = data.queries(asked)
    assert queries.labels is not None
    unknown = queries.users < 0
    if isinstance(asked, list) and unknown.all():
        raise DataError(
            f"There is no file {users}, and no user of the log has such an id. Give 'all', ids between commas, or a file with ids."
        )
    if unknown.any():
        which = strangers(queries.labels, unknown, data.users)
        console.warn(f"{unknown.sum():,} of {len(queries):,} users are not in the log {which} They get what is popular.")
    say_lacking(artifact, queries)
    return queries


def say_lacking(artifact: Artifact, queries: Queries) -> None:
    """What histories lack that the model reads of events."""
    if (said := lacking(artifact.recommender, queries)) is not None:
        console.note(said)


def log_of(source: Mapping[str, Any]) -> Dataset:
    """The log with the histories; says whether it has changed since the fit."""
    data = read_log(source["read"], as_typed=True)
    if source.get("fingerprint") is not None and not has_fingerprint(data, source["fingerprint"]):
        console.warn("The log has changed since the fit: histories are as it is now, the model is as it was.")
    return data


def histories(artifact: Artifact, source: Mapping[str, Any], data: Dataset, asked: Sequence[Any] | pl.Series | None) -> Dataset:
    """The log in the model's item codes. Of an opened one the events of the people asked, from their shards alone.

    Args:
        data: from `log_of`.
        asked: ids; None is everybody.
    """
    if isinstance(data, Sharded):  # they are asked after the end of the whole log
        data = replace(data.to_memory(people=asked), latest=data.latest)
    data = filtered(data, source)
    known = aligned(data, artifact.vocabulary)
    missing = data.n_events - known.n_events
    if missing and missing == data.n_events:
        raise DataError(f"The model knows none of the items of {data.name!r}. {OTHER_LOG}")
    if missing:
        warn_of_unknown(missing, data.n_events)
    return known


def filtered(data: Dataset, source: Mapping[str, Any]) -> Dataset:
    """The log with the filters of the fit that shape a history."""
    for name, argument in source.get("filters", {}).items():
        if name in ABOUT_EVENTS:
            data = build.filtered(data, name, argument)
    return data


def warn_of_unknown(missing: int, events: int) -> None:
    """Say how many events are of items that a model doesn't know."""
    console.warn(f"{missing:,} of {events:,} events are of items that the model doesn't know; they are left out of histories.")
