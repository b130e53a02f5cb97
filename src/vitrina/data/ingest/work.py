"""What is kept of a load while it runs: what was asked, so that only the same is gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from vitrina.base import parts
from vitrina.base.config import fingerprint
from vitrina.base.errors import ParameterError
from vitrina.base.files import write_text
from vitrina.data.ingest.format import FOLDERS, GONE, MANIFEST, WORK, read_manifest
from vitrina.data.read.sources import Source

ASKED = "asked.json"


@final
@dataclass(frozen=True)
class Asked:
    """A load: of which sources, how they are read, into how many shards."""

    sources: list[dict[str, Any]]  # and tables; label; bytes and time of the last change where it is a file
    reading: dict[str, Any]
    load: int
    shards: int

    @classmethod
    def of(cls, sources: Sequence[Source], reading: Mapping[str, Any], load: int, shards: int) -> Asked:
        tables = [(name, reading[name]) for name in ("items", "users") if reading.get(name) is not None]
        labels = [source.label for source in sources] + [
            str(t) if isinstance(t, (str, Path)) else f"the table of {name}" for name, t in tables
        ]
        return cls([_stamp(label) for label in labels], json.loads(json.dumps(reading, default=_named)), load, shards)

    @property
    def key(self) -> str:
        return fingerprint(json.dumps(asdict(self)))


def _stamp(label: str) -> dict[str, Any]:
    path = Path(label)
    if not path.is_file():
        return {"label": label}
    about = path.stat()
    return {"label": label, "bytes": about.st_size, "changed": about.st_mtime_ns}


def _named(value: Any) -> str:
    return str(value) if isinstance(value, Path) else type(value).__name__


def shards_of(work: Path) -> int | None:
    """Into how many shards the load goes that was begun; None where there is none."""
    return json.loads((work / ASKED).read_text(encoding="utf-8"))["shards"] if (work / ASKED).exists() else None


def take_up(work: Path, asked: Asked) -> None:
    """Go on with the load that was begun in a folder, or begin anew where there is none, or where its sources are no files.

    Raises:
        ParameterError: it is another one; says what differs.
    """
    path = work / ASKED
    if path.exists():
        begun = Asked(**json.loads(path.read_text(encoding="utf-8")))
        if begun != asked:
            raise ParameterError(
                f"{work.parent} has an unfinished load of something else: {_difference(begun, asked)} Ask for the same again to go on with it, or "
                "remove it first with --cancel."
            )
        if all("bytes" in source for source in asked.sources):
            return
    for left in work.iterdir():
        if left.name != parts.RUNNING:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    write_text(path, json.dumps(asdict(asked)))


def _difference(begun: Asked, asked: Asked) -> str:
    """What is another than it was, in a sentence."""
    before, now = ({source["label"]: source for source in one.sources} for one in (begun, asked))
    for label in [*now, *before]:
        if label not in before or label not in now:
            return f"{label} is {'new' if label in now else 'not'} among its sources."
        if before[label] != now[label]:
            return f"{label} has changed since it began ({before[label].get('bytes', 0):,} bytes then, {now[label].get('bytes', 0):,} now)."
    for name in {**begun.reading, **asked.reading}:
        then, here = begun.reading.get(name), asked.reading.get(name)
        if then != here:
            return f"it began with {name}={then!r}, and now it is {here!r}."
    return f"it began with {begun.shards} shards, and now it is {asked.shards}."


def is_committed(folder: Path) -> bool:
    """Whether a load was killed between its last word and the tidying: its manifest is there, and its work too."""
    path = folder / WORK / ASKED
    return (
        path.exists()
        and (folder / MANIFEST).exists()
        and read_manifest(folder).load >= json.loads(path.read_text(encoding="utf-8"))["load"]
    )


def is_there(folder: Path, asked: Asked) -> bool:
    """Whether the folder has the log that is asked for: of the same files as they are now, read in the same way."""
    if not (folder / MANIFEST).exists() or not all("bytes" in source for source in asked.sources):
        return False
    manifest = read_manifest(folder)
    stamps = [{name: value for name, value in source.items() if name in ("label", "bytes", "changed")} for source in manifest.sources]
    return stamps == asked.sources and manifest.reading == asked.reading and asked.shards in (0, len(manifest.shards))


def remove(folder: Path) -> None:
    """Take away what an unfinished load left, and the folder where there is nothing else.

    The work is renamed before anything is removed: a kill in between leaves nothing that looks like a load to go on with.
    """
    tidy(folder)
    if (folder / WORK).exists():
        (folder / WORK).rename(folder / GONE)
        tidy(folder)


def tidy(folder: Path) -> None:
    """Remove the work that was to be removed when a load was killed, and what it had made where there is no log. Without such work nothing is touched."""
    if not (folder / GONE).exists():
        return
    if not (folder / MANIFEST).exists():
        for part in FOLDERS:
            shutil.rmtree(folder / part, ignore_errors=True)
    shutil.rmtree(folder / GONE, ignore_errors=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
