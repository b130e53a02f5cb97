"""Configs in plain values and back: one codec for files, workers, boards and artifacts."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from inspect import isabstract
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.config import Config, from_plain, to_plain
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.exports import class_at, exported_class, exports, name_of, names_of, path_of

LEAVES = (None, True, False, 0, 1, 2, 7, 40, 0.0, 0.25, 1.0, 3.5, 1e-300, 1e300, "a", "users", "last", ("a", "b"), (), {"view": 0.5, "name": 1.0}, datetime(2024, 1, 31, 5), datetime(2024, 1, 1, tzinfo=UTC))  # fmt: skip


WHERE = {"aisle": "drinks", "price": {"above": 3}}
HIDE = vt.rules.Hide(where=WHERE)
OF_RULES = (
    {"where": WHERE}, {"where": WHERE, "by": 0.5}, {"where": WHERE, "n": 1}, {"where": WHERE, "n": 1, "first": 5}, {"each": "brand", "n": 1}, {"item": "tea", "place": 1},
    {"item": "age", "relation": "at_most", "person": "age"}, {"table": "pairs.csv"}, {"times": 3}, {"rules": {"hide": HIDE}},
)  # fmt: skip


@dataclass(frozen=True)
class Mine:
    many: tuple
    first: object = None


class Own(Config):
    table: dict


@cache
def classes():
    """Every exported config, and what it is at."""
    found = {name: class_at(path) for name, path in exports().items()}
    return {n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, Config) and not isabstract(c)}


@cache
def made():
    """Configs for the parameters of others: each class as it is, or with the one parameter that it needs."""
    by_default = [one for cls in classes().values() if (one := built(cls, {})) is not None]
    return (
        *by_default,
        vt.decay.Window(events=3),
        vt.decay.Exponential(days=2.5),
        MODEL,
        vt.answers.Sampled(model=MODEL),
        vt.decay.All(of=(vt.decay.Linear(events=2), vt.decay.Window(days=1))),
    )


MODEL = vt.language.Endpoint(url="http://localhost:1/v1", model="m")
SCALE = vt.judge.Scale(grades=("no", "yes"))
OF_LANGUAGE = (
    {"most": 0.1}, {"asker": vt.answers.Sampled(model=MODEL)}, {"model": MODEL}, {"method": "MACE"}, {"query": "tea", "text": "Green tea", "label": 1},
    {"criteria": "relevance", "scale": SCALE, "model": MODEL}, {"query": "tea", "first": "Tea", "second": "Jam", "winner": "first"}, {"grades": ("no", "yes")},
    {"url": "http://localhost:1/v1", "model": "m"}, {"url": "http://localhost:1/v1", "model": "m", "dim": 8}, {"url": "http://localhost:1/v1"},
    {"path": "folder"}, {"path": "codes.parquet", "column": "code"}, {"folder": "folder"}, {"columns": ("price",)}, {"columns": {"title": 1.0}},
    {"encoder": vt.search.HttpCrossEncoder(url="http://localhost:1/v1")}, {"fixed": 1.0}, {"point": 1.0, "quantity": 2.0}, {"low": 1.0, "high": 2.0},
)  # fmt: skip


def built(cls, parameters):
    try:
        return cls(**parameters)
    except ParameterError:
        return None


@cache
def choices(cls):
    """Values that each parameter takes where the others are left alone, or where one of them is given."""
    required = {name: field.annotation for name, field in cls.model_fields.items() if field.is_required()}
    needed = {n: next((one for one in made() if isinstance(kind, type) and isinstance(one, kind)), None) for n, kind in required.items()}
    parts, models = {"parts": (vt.sequence.Ids(),)}, {"models": (vt.Popularity(), vt.EASE())}
    given = [{}, needed, {"events": 2}, {"days": 3}, {"low": 1, "high": 5}, {"of": (vt.decay.Window(events=3),)}, parts, models]
    given += [{"of": (("a", "b"),)}, {"sources": (vt.ranking.Source(model=vt.EASE(), name="one"),)}, *OF_RULES]
    given += [{"model": vt.EASE(), "reranker": vt.Rules(rules={"hide": HIDE})}]
    given += [{"id": "sku", "columns": {"title": 1.0}}, {"sources": ("words",), "scales": (vt.scale.MinMax(),), "weights": ((1.0,),)}]
    given += OF_LANGUAGE
    given += [{"name": "offer", "arms": {"none": 0.5, "five": 0.5}}, {"column": "revenue"}, {"numerator": "revenue"}]
    given = given[:1] if built(cls, {}) else [parameters for parameters in given if built(cls, parameters)]
    values = (*LEAVES, *made(), *((one,) for one in made()))
    return {name: [v for v in values if any(built(cls, g | {name: v}) for g in given)] for name in cls.model_fields}


def again(value, **rest):
    return from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False)), **rest)


@pytest.mark.parametrize("name", sorted(classes()))
def test_every_config_comes_back(name):
    cls = classes()[name]

    @settings(max_examples=15, deadline=None, database=None)
    @given(st.fixed_dictionaries({}, optional={n: st.sampled_from(values) for n, values in choices(cls).items() if values}))
    def check(parameters):
        one = built(cls, parameters)
        if one is None:
            return
        assert again(one) == one
        assert type(again(one)) is cls

    if built(cls, {}):
        assert again(cls()) == cls()
    assert any(choices(cls).values()) or not cls.model_fields
    check()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4) | st.dates() | st.datetimes().map(lambda moment: moment.replace(fold=0)),
    lambda inner: st.lists(inner, max_size=3)
    | st.tuples(inner, inner)
    | st.dictionaries(st.sampled_from(["name", "class", "float", "list", "a"]) | st.integers() | st.tuples(st.integers(), st.text(max_size=1)), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=80, deadline=None, database=None)
@given(PLAIN)
def test_any_value_comes_back_with_its_type(value):
    got = again(value)
    assert got == value
    assert repr(got) == repr(value)


def test_what_json_does_not_hold_is_marked():
    assert to_plain((inf, date(2024, 1, 2), [1], {3: "x"}, np.float32(0.5), np.int64(4))) == [
        {"float": "inf"}, {"date": "2024-01-02"}, {"list": [1]}, {"mapping": [[3, "x"]]}, 0.5, 4,
    ]  # fmt: skip
    assert isnan(again(nan))


def test_classes_of_ones_own_are_named_by_their_module_and_only_read_where_they_may_be_run():
    mine = Mine((1, [2]), vt.decay.Window(days=1))
    plain = to_plain(mine)
    assert plain["class"] == "test_codec:Mine"
    with pytest.raises(ParameterError, match=r"test_codec:Mine.*would run its code"):
        from_plain(plain)
    assert again(mine, class_at=class_at) == mine
    assert again(Own(table={"name": (1, 2)}), class_at=class_at) == Own(table={"name": (1, 2)})


@pytest.mark.parametrize("value", [len, object(), Mine, {1, 2}, b"bytes", np.zeros(2)])
def test_what_is_no_parameter_is_refused(value):
    with pytest.raises(ParameterError, match="must be plain values or an object"):
        to_plain({"a": [value]})


def test_an_exported_class_that_is_no_config_is_not_made():
    with pytest.raises(ParameterError, match="'ContractError' is no config"):
        from_plain({"name": "ContractError"})


@pytest.mark.parametrize("name", ["Exponentail", "compare", "load", "decay", "os.system", ""])
def test_a_name_that_is_no_class_is_answered_with_the_closest(name):
    with pytest.raises(UnknownNameError, match="There is no class") as error:
        from_plain({"name": name, "events": 3})
    assert name != "Exponentail" or "Did you mean 'Exponential'" in str(error.value)


def test_what_the_files_of_modules_say_is_what_they_export():
    for public, path in exports().items():
        assert class_at(path) is (
            getattr(vt, public) if "." not in public else getattr(getattr(vt, public.split(".")[0]), public.split(".")[1])
        )
    modules = {path.partition(":")[0] for public, path in exports().items() if "." in public}
    assert all(sorted(names_of(module)) == sorted(__import__(module, fromlist=["x"]).__all__) for module in modules)


def test_short_names_are_of_one_class():
    for public, cls in classes().items():
        assert name_of(cls) in (public, public.rpartition(".")[2])
        assert exported_class(name_of(cls)) is cls
    assert path_of(Mine) == "test_codec:Mine"
