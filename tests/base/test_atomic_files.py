"""What can't be written is told with its place and the reason, and no temporary file is named or left."""

import errno
import os
import re
from pathlib import Path

import polars as pl
import pytest

from vitrina.base.errors import WriteError
from vitrina.base.files import atomic_file, atomic_folder


def full(*given, **named):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def short(*given, **named):
    raise OSError("100000 requested and 5104 written")  # NumPy's word


def parquet(*given, **named):
    raise pl.exceptions.ComputeError("parquet: File out of specification: underlying IO error: No space left on device (os error 28)")


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
@pytest.mark.parametrize(
    ("fails", "reason"), [(full, "No space left on device"), (short, "disk may be full"), (parquet, "No space left on device")]
)
def test_a_full_disk_is_told_with_the_place(tmp_path, atomic, fails, reason):
    with (
        pytest.raises(WriteError, match=re.escape(f"{tmp_path / 'lists.csv'} can't be written: ")) as caught,
        atomic(tmp_path / "lists.csv"),
    ):
        fails()
    assert reason in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_read_only_place_is_told_without_the_temporary_name(tmp_path, atomic, monkeypatch):
    def refuse(path, *given, **named):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WriteError) as caught, atomic(tmp_path / "out") as staging, staging.open("w"):
        pass
    assert str(caught.value).startswith(f"{tmp_path / 'out'} can't be written: Read-only file system.")
    assert ".out" not in str(caught.value)


def test_a_place_that_polars_may_not_write_to_is_told_without_the_temporary_name(tmp_path):
    with pytest.raises(WriteError) as caught, atomic_file(tmp_path / "lists.csv") as staging:
        raise PermissionError(f"Permission denied (os error 13): {staging}")  # without a number of its own
    assert str(caught.value).startswith(f"{tmp_path / 'lists.csv'} can't be written: Permission denied.")
    with pytest.raises(FileNotFoundError, match=r"log\.csv"), atomic_file(tmp_path / "lists.csv"):
        raise FileNotFoundError("No such file or directory (os error 2): log.csv")


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match="taken"), atomic_file(tmp_path / "taken" / "lists.csv"):
        pass


def test_errors_about_other_things_go_on_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), atomic_file(tmp_path / "a"):
        (tmp_path / "other").read_text()
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a"):
        pl.read_csv(tmp_path / "other.csv")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "a"):
        1 / 0  # noqa: B018
