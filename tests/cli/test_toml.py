"""Lines of keys, against counting them by eye."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.cli.toml import TomlFile

TEXT = """# a comment
[data]
source = "a # b.csv"
text = '''
[not.a.table]
key = 1
'''

[models."my model"]
weighting = {type = "BM25", k1 = 1.2}
l2 = [
  1,  # one
  2,
]
a.b.c = 1

[[many]]
x = 1
[[many]]
x = 2
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("data",), 2),
        (("data", "source"), 3),
        (("data", "text"), 4),
        (("models", "my model"), 9),
        (("models", "my model", "weighting"), 10),
        (("models", "my model", "weighting", "k1"), 10),
        (("models", "my model", "l2"), 11),
        (("models", "my model", "a", "b", "c"), 15),
        (("models", "my model", "nothing", "of this"), 9),
        (("many", 0, "x"), 18),
        (("many", 1, "x"), 20),
        (("absent",), None),
    ],
)
def test_line_of_a_key(tmp_path: Path, keys: tuple, line: int | None) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    assert TomlFile.read(path).line_of(keys) == line


def test_what_is_not_toml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[data]\nsource = \n")
    with pytest.raises(ParameterError, match="line 2"):
        TomlFile.read(path)


def test_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        TomlFile.read(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(DataError, match="UTF-8"):
        TomlFile.read(tmp_path / "a.toml")
