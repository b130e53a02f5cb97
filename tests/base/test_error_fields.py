"""Errors know the parameter that they are about: who has it, its name, what came."""

from copy import copy
from pathlib import Path

import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VitrinaError, WriteError
from vitrina.cli.build import located
from vitrina.cli.log import typed
from vitrina.cli.toml import TomlFile


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (lambda: vt.EASE(l2=-1), ("EASE", "l2", -1)),
        (lambda: vt.EASE(lambda_=2), ("EASE", "lambda_", 2)),
        (lambda: vt.decay.Window(days=3, events=2), ("Window", None, None)),
        (lambda: vt.TopPersonal(decay={"days": 3}), ("TopPersonal", "decay", {"days": 3})),
        (lambda: vt.filters.dedupe(vt.testing.toy(), keep="none"), ("dedupe", "keep", "none")),
        (lambda: vt.EASE().fit(vt.testing.toy()).recommend(vt.testing.toy().queries(), 0), (None, "k", 0)),
    ],
)
def test_an_error_names_owner_parameter_and_value(make, fields):
    with pytest.raises(ParameterError) as caught:
        make()
    error = caught.value
    assert (error.owner, error.parameter, error.value) == fields
    again = copy(error)
    assert (str(again), again.parameter) == (str(error), error.parameter)


def test_in_other_words_and_places_an_error_is_what_it_was():
    error = ParameterError("too small", owner="EASE", parameter="l2", value=0)
    moved = error.at("shop.toml, line 3").at("shop.toml, line 9")
    assert (str(moved), moved.owner, moved.parameter, moved.value) == ("shop.toml, line 3: too small", "EASE", "l2", 0)
    assert isinstance(moved, ParameterError)
    full = WriteError(Path("a"), "the disk is full")
    assert str(full.at("here")) == f"here: {full}"
    assert full.at("here").reason == "the disk is full"


TOML = '[models.EASE]\nl2 = 5\nmax_items = 3\n\n[filters]\nuser_days = {days = 3, keep = "no"}\n'


@pytest.mark.parametrize(
    ("keys", "error", "line"),
    [
        (("models", "EASE"), ParameterError("no word of a name", parameter="max_items"), 3),
        (("models", "EASE"), ParameterError("The 'l2' is only in the words"), 1),
        (("models", "EASE"), ParameterError("of a part", parameter="days"), 1),
        (("models", "EASE"), UnknownNameError("without fields"), 1),
        (("filters", "user_days"), DataError("elsewhere"), 6),
    ],
)
def test_the_line_is_that_of_the_parameter_which_the_error_names(tmp_path, keys, error, line):
    path = tmp_path / "shop.toml"
    path.write_text(TOML)
    with pytest.raises(type(error), match=rf"shop\.toml, line {line}: "), located(TomlFile.read(path), keys):
        raise error


def test_an_option_is_the_parameter_of_the_error():
    assert (
        typed("A 'separator' is for text, and 'columns' are yours.", "separator") == "A --separator is for text, and 'columns' are yours."
    )
    assert typed("The column 'header' is empty.") == "The column 'header' is empty."
    assert issubclass(ParameterError, VitrinaError)
