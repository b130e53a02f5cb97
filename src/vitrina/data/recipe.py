"""How a log over shards is made, as plain values beside a few files: another process makes the same from it, and nothing of the log is copied.

What shards are made of is plain by contract (`vitrina.data.sharded.Parts`): records of paths, numbers and configs, functions of modules, and here
and there an array or a table that a filter settled. Each is written for what it is, and only classes and functions of Vitrina are made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.config import Config, from_plain, to_plain
from vitrina.base.errors import ArtifactError, ParameterError
from vitrina.base.exports import PACKAGE, class_at
from vitrina.vocabulary import Vocabulary

MARK = "made of"


@final
@dataclasses.dataclass(frozen=True)
class Recipe:
    """Writes values beside each other in a folder, and reads them again.

    Args:
        folder: where arrays, tables and datasets go; numbered.
        save, load: write a Dataset in memory to a folder, and open it.

    >>> import tempfile
    >>> recipe = Recipe(Path(tempfile.mkdtemp()), print, print)
    >>> kept = recipe.plain({"items": np.arange(3), "step": ParameterError, "of": (1, None)})
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: A log over shards is made of plain values, arrays and functions of Vitrina's modules, so that other processes \
can make it. Got <class 'vitrina.base.errors.ParameterError'>.
    >>> recipe.made(recipe.plain({"items": np.arange(3), "of": (1, None)}))
    {'items': array([0, 1, 2]), 'of': (1, None)}
    """

    folder: Path
    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]

    def plain(self, value: Any) -> Any:
        """The value as JSON has it.

        Raises:
            ParameterError: it holds something that another process can't make again.
        """
        kind = kind_of(value)
        if kind in ("plain", "list"):
            return value if kind == "plain" else [self.plain(one) for one in value]
        if kind == "mapping":
            said: Any = [[self.plain(key), self.plain(one)] for key, one in value.items()]
        elif kind == "config":
            said = to_plain(value)
        elif kind == "function":
            said = _path_of(value)
        elif kind == "record":
            said = {"class": _path_of(type(value)), "fields": {name: self.plain(one) for name, one in fields_of(value).items()}}
        else:
            said = self._written(value, kind)
        return {MARK: kind, "is": said}

    def made(self, plain: Any) -> Any:
        """What `plain` wrote. Arrays are mapped from the disk.

        Raises:
            ArtifactError: the folder names what isn't Vitrina's.
        """
        if isinstance(plain, list):
            return tuple(self.made(one) for one in plain)
        if not isinstance(plain, Mapping):
            return plain
        kind, said = plain[MARK], plain["is"]
        if kind == "mapping":
            made: Any = {self.made(key): self.made(one) for key, one in said}
        elif kind == "config":
            made = from_plain(said)
        elif kind == "function":
            made = _own(said)
        elif kind == "record":
            made = _own(said["class"])(**{name: self.made(one) for name, one in said["fields"].items()})
        else:
            made = self._read(self.folder / said, kind)
        return made

    def _written(self, value: Any, kind: str) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{len(list(self.folder.iterdir())):04d}"
        if kind == "array":
            np.save(path.with_suffix(".npy"), np.ascontiguousarray(value), allow_pickle=False)
            return f"{path.name}.npy"
        if kind == "log":
            self.save(value, path)
            return path.name
        table = (
            value if kind == "table" else (value.ids if kind == "vocabulary" else value).to_frame(value.name if kind == "series" else "id")
        )
        table.write_parquet(path.with_suffix(".parquet"))
        return f"{path.name}.parquet"

    def _read(self, path: Path, kind: str) -> Any:
        if kind == "array":
            return np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
        if kind == "log":
            return self.load(path)
        table = pl.read_parquet(path)
        return table if kind == "table" else Vocabulary(table.to_series()) if kind == "vocabulary" else table.to_series()


def kind_of(value: Any) -> str:
    """What a value is, of what shards are made of.

    Raises:
        ParameterError: it is nothing that another process can make again.
    """
    kinds: Mapping[Any, str] = {
        (type(None), bool, int, float, str): "plain", (list, tuple): "list", Mapping: "mapping", Config: "config", np.ndarray: "array",
        pl.Series: "series", pl.DataFrame: "table", Vocabulary: "vocabulary",
    }  # fmt: skip
    found = next((kind for types, kind in kinds.items() if isinstance(value, types)), None)
    if found is not None:
        return found
    if getattr(value, "in_memory", False):
        return "log"
    of_module = "<" not in getattr(value, "__qualname__", "<") and getattr(value, "__module__", "").startswith(f"{PACKAGE}.")
    if isinstance(value, FunctionType) and of_module:
        return "function"
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(f"{PACKAGE}."):
        return "record"
    raise ParameterError(
        "A log over shards is made of plain values, arrays and functions of Vitrina's modules, so that other processes can make it. "
        f"Got {value!r}."
    )


def fields_of(record: Any) -> dict[str, Any]:
    """What a dataclass is made of."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record) if field.init}


def digest_of(value: Any) -> str:
    """16 hex digits of a sha256 over what a log is made of; what has a fingerprint of its own says that.

    >>> digest_of((1, np.arange(2))) == digest_of((1, np.arange(2))) != digest_of((1, np.arange(3)))
    True
    """
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()[:16]


def _add(digest: Any, value: Any) -> None:
    own = getattr(value, "fingerprint", None)
    if own is not None:
        digest.update(str(own() if callable(own) else own).encode())
        return
    kind = kind_of(value)
    digest.update(kind.encode())
    if kind in ("list", "mapping"):
        for one in value if kind == "list" else (part for pair in value.items() for part in pair):
            _add(digest, one)
    elif kind == "record":
        digest.update(type(value).__qualname__.encode())
        _add(digest, fields_of(value))
    elif kind == "array":
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif kind in ("series", "table"):
        table = value.to_frame() if kind == "series" else value
        digest.update(table.write_csv().encode())
    else:
        text = _path_of(value) if kind == "function" else json.dumps(to_plain(value), sort_keys=True)
        digest.update(text.encode())


def _path_of(named: Any) -> str:
    return f"{named.__module__}:{named.__qualname__}"


def _own(path: str) -> Any:
    if not path.startswith(f"{PACKAGE}."):
        raise ArtifactError(f"The folder of a log names {path}, which isn't Vitrina's, so it isn't run. Write the folder again.")
    return class_at(path)
