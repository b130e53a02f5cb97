"""Lists for everybody as a job over parts: killed, it goes on; cancelled, it leaves nothing; its file or folder appears when it is whole."""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl

import vitrina
from vitrina.base.config import fingerprint
from vitrina.base.errors import DataError
from vitrina.base.executor import Executor
from vitrina.base.files import atomic_file, put_in_place, write_text
from vitrina.base.parts import alone, cancel, run_parts
from vitrina.base.showing import labels_of
from vitrina.batch.aligned import OTHER_LOG
from vitrina.batch.lists import Asking, write_frames
from vitrina.batch.parts import LISTS, PART, Answer, Asked, Look, Looked, ModelAt, OfFolder, OfShards
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Sharded
from vitrina.data.split import Split
from vitrina.data.store import save_split
from vitrina.jobs.folders import split_fingerprint
from vitrina.types import Eligibility, Queries, Ragged
from vitrina.vocabulary import Vocabulary

KIND, FORMAT, MANIFEST = "vitrina.lists", 1, "manifest.json"
Progress = Callable[[str, int, int], None]  # what is being done, its number, and how many there are


class Written(NamedTuple):
    """What a job wrote; of a log over shards also how many events it has, and how many are of items that the model knows."""

    rows: int
    queries: int
    events: int = 0
    known: int = 0


@final
@dataclass(frozen=True)
class Job:
    """Lists of a model for everybody, to a file (.parquet, .csv) or a folder of Parquet files with a manifest.

    Args:
        out: where they go. The job's folder is beside it, `.NAME.job`, until they are whole.
        model: by its folder, which each worker opens.
        asking: what is asked.
        executor: who does it.
        progress: called as parts are done.
    """

    out: Path
    model: ModelAt
    asking: Asking
    executor: Executor
    progress: Progress = lambda what, number, of: None

    @property
    def folder(self) -> Path:
        return folder_of(self.out)

    def _key(self, *asked: Any) -> str:
        return fingerprint(self.model.stamp, asdict(self.asking), self.out.suffix, vitrina.__version__, *asked)

    def of_log(self, data: Sharded, eligible: Eligibility) -> Written:
        """Lists for everybody in a log over shards. The log is read twice: what is asked is known by its content, and `now` is that of the whole.

        Raises:
            DataError: the model knows none of its items.
        """
        looked = look(self.model, data, self.executor, self.progress)
        asked = OfShards(data.parts, now_of(looked), eligible)
        among = [
            hashlib.sha256(np.asarray([] if items is None else items).tobytes()).hexdigest()
            for items in (eligible.include, eligible.exclude)
        ]
        shown = [eligible.repeat, eligible.seen_kinds, eligible.include is None, *among]
        key = self._key([part.fingerprint for part in looked], shown)
        done = self._run(asked, [part.queries for part in looked], key)
        return done._replace(events=sum(part.events for part in looked), known=sum(part.known for part in looked))

    def of_queries(self, queries: Queries, eligible: Eligibility) -> Written:
        """Lists for queries in memory, which are written to the job's folder for the workers."""
        labels = labels_of(queries.labels, len(queries))
        split = _as_split(queries, eligible)
        named = [labels.name, hashlib.sha256(labels.hash(seed=0).to_numpy().tobytes()).hexdigest()]
        key = self._key(split_fingerprint(split), named, queries.first_user)
        asked = OfFolder(self.folder / f"asked-{key}", len(queries), queries.people is not None, queries.first_user)
        if not asked.folder.exists():
            save_split(split, asked.folder)
        if not asked.labels.exists():
            with atomic_file(asked.labels) as staging:
                labels.to_frame().write_parquet(staging)
        sizes = np.diff(np.append(np.arange(len(asked)) * PART, len(queries))).tolist()
        return self._run(asked, sizes, key)

    def _run(self, asked: Asked, sizes: Sequence[int], key: str) -> Written:
        so_far = [0, *accumulate(sizes)]
        with alone(self.folder):
            written = None if self.out.suffix else _written_by(self.out, key)  # killed after the folder was in its place
            if written is None:
                _sweep_beside(self.out)
                records = run_parts(
                    Answer(self.model, asked, self.asking, self.folder), range(len(asked)), self.folder, key=key, executor=self.executor,
                    done=lambda parts: self.progress("Users", so_far[parts], so_far[-1]),
                )  # fmt: skip
                written = self._finish(records, key)
            shutil.rmtree(self.folder)
        return written

    def _finish(self, records: Sequence[Mapping[str, Any]], key: str) -> Written:
        """The files of all parts as what was asked for."""
        lists, files = self.folder / LISTS, [record for record in records if record["file"] is not None]
        if self.out.suffix:
            rows = write_frames((pl.read_parquet(lists / record["file"]) for record in files), self.out)
            return Written(rows, sum(record["queries"] for record in records))
        written = Written(sum(record["rows"] for record in records), sum(record["queries"] for record in records))
        about = {"kind": KIND, "format": FORMAT, "key": key, "made_by": f"vitrina {vitrina.__version__}", "model": str(self.model.folder)}
        about |= {"k": self.asking.k, "queries": written.queries, "rows": written.rows, "files": files}
        write_text(lists / MANIFEST, json.dumps(about, indent=1))
        put_in_place(lists, self.out)
        return written


def folder_of(out: Path) -> Path:
    """Where the job of a file or folder keeps what is finished."""
    return out.with_name(f".{out.name}.job")


def cancel_job(out: str | Path) -> bool:
    """End the job that writes `out`, if it runs, and remove all that it made; False where there is none. What is whole already stays."""
    found = cancel(folder_of(Path(out)))
    _sweep_beside(Path(out))
    return found


def _sweep_beside(out: Path) -> None:
    """What a kill in the last moment left beside the file."""
    for left in out.parent.glob(f".{glob.escape(out.name)}-*"):
        left.unlink(missing_ok=True)


def _written_by(out: Path, key: str) -> Written | None:
    """What a finished folder of lists holds; None where it isn't one of this job."""
    try:
        about = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Written(about["rows"], about["queries"]) if about.get("kind") == KIND and about["key"] == key else None


def look(vocabulary: ModelAt | Vocabulary, data: Sharded, executor: Executor, progress: Progress) -> list[Looked]:
    """What each shard asks, in the codes of a model.

    Raises:
        DataError: the model knows none of the items.
    """
    looked = []
    for part in executor.map(Look(vocabulary, data.parts), range(len(data.parts))):
        looked.append(part)
        progress("Shards looked at", len(looked), len(data.parts))
    if not any(part.known for part in looked):
        raise DataError(f"The model knows none of the items of {data.name!r}. {OTHER_LOG}")
    return looked


def now_of(looked: Sequence[Looked]) -> int | None:
    """The moment of asking after the end of the whole log, as `data.queries()` has it; None where the log has no times."""
    times = [part.latest for part in looked if part.latest is not None]
    return max(times) + 1 if times else None


def _as_split(queries: Queries, eligible: Eligibility) -> Split:
    """Queries as a folder keeps them: with their events as a training part that nobody reads as one."""
    queries = queries if queries.whole is None else queries.whole
    people = Vocabulary(pl.Series("id", [], dtype=pl.String)) if queries.people is None else queries.people
    indptr = np.full(len(people) + 1, len(queries.events))
    indptr[0] = 0
    events = Dataset(queries.events, indptr, people, queries.vocabulary, kind_names=queries.kind_names)
    return Split(events, queries, Ragged.empty(len(queries)), eligible)
