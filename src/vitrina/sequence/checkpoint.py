"""The state of a training run in a folder, so that a run goes on after a kill."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from vitrina.base.config import fingerprint
from vitrina.base.errors import ArtifactError
from vitrina.base.executor import InProcess
from vitrina.base.files import atomic_file, write_text
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.models.base import ModelConfig

if TYPE_CHECKING:
    from vitrina.sequence.recommender import Encoded


@final
@dataclass(frozen=True)
class Checkpoint:
    """A folder with one file per stage of the fit, and the name of what is being fitted."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, model: ModelConfig, data: Dataset, split: Split | None, start: Encoded | None) -> Checkpoint:
        """A checkpoint for this fit, new or to be continued from.

        Raises:
            ArtifactError: the folder holds the state of another model, log, validation or start.
        """
        if folder.exists() and not folder.is_dir():
            raise ArtifactError(f"The checkpoint must be a folder. {str(folder)!r} is a file: give another name.")
        table = np.empty(0) if start is None else start.table
        start_hash = hashlib.sha256(np.ascontiguousarray(table).data).hexdigest()[:16]
        name, identity = folder / "of.txt", f"{fingerprint(model)} {data.fingerprint} {_validation_hash(split)} {start_hash}\n"
        if name.exists() and name.read_text(encoding="utf-8") != identity:
            raise ArtifactError(
                f"The checkpoint {str(folder)!r} is of another model, log, validation or start. Remove the folder, or give another one."
            )
        write_text(name, identity)
        return cls(folder)

    def file(self, stage: str) -> Path:
        return self.folder / f"{stage}.npz"

    def remove(self) -> None:
        """Remove its files, and the folder when nothing else is in it."""
        for path in (self.file("search"), self.file("again"), self.folder / "of.txt"):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


@contextmanager
def room_for(data: Dataset, saved: Checkpoint | None) -> Iterator[Callable[[str], Path | None]]:
    """A folder per stage of a fit, for what it doesn't hold in memory or hands to other processes: beside its checkpoint, or a temporary one.

    None for a log in memory that is fitted here, which needs none.
    """
    if data.in_memory and isinstance(data.executor, InProcess):
        yield lambda stage: None
        return
    with ExitStack() as stack:
        if saved is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="vitrina-training-")))
        else:
            folder = saved.folder / "work"
            stack.callback(rmtree, folder, ignore_errors=True)
        yield lambda stage: folder / stage


def _validation_hash(split: Split | None) -> str:
    """16 hex digits of what a validation trains on, asks and expects."""
    digest = hashlib.sha256()
    if split is not None:
        digest.update(split.train.fingerprint.encode())
        if not split.train.in_memory:  # what is asked follows from the log and the rule
            digest.update(repr(split.rule).encode())
            return digest.hexdigest()[:16]
        for column in (split.queries.users, split.queries.lengths, split.truth.indptr, split.truth.values):
            digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()[:16]


def write_state(state: dict[str, Tensor], path: Path) -> None:
    """One .npz without pickles, in one step: a run that is killed while it writes leaves the file of the epoch before."""
    with atomic_file(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: tensor.numpy() for name, tensor in state.items()})


def read_state(path: Path) -> dict[str, Tensor]:
    """What `write_state` wrote.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ArtifactError(f"The checkpoint {str(path)!r} is damaged, so the fit can't go on from it. Remove its folder.") from error
