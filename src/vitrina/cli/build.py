"""Plain values of a config to objects: models, their parts, filters; every error says the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from vitrina.base.config import Config, in_words
from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VitrinaError
from vitrina.board.tune import Range, Search, is_range, tune
from vitrina.cli import names
from vitrina.cli.toml import Keys, TomlFile
from vitrina.models.base import ModelConfig
from vitrina.rerank.base import RerankerConfig
from vitrina.rerank.reranked import Reranked
from vitrina.rerank.rules.base import Rule
from vitrina.rerank.rules.conditions import ITEM
from vitrina.rerank.rules.conflicts import check_together
from vitrina.rerank.rules.filters import HidePairs
from vitrina.rerank.rules.ruled import Rules

NONE = "none"  # TOML has no such value

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset


@contextmanager
def located(file: TomlFile, keys: Keys) -> Iterator[None]:
    """Puts file and line before an error that is raised inside: `with located(file, ("job", "metrics")): ...`.

    The line is that of the parameter which the error names, where the file has it below `keys`.
    """
    try:
        yield
    except VitrinaError as error:
        parameter = getattr(error, "parameter", None)
        inner: Keys = keys if parameter is None else (*keys, parameter)
        raise error.at(file.where(inner if inner in file.lines else keys)) from None


def construct(file: TomlFile, keys: Keys, cls: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """`cls(**given)`; nested tables with a `type` become parts.

    Raises:
        UnknownNameError: a parameter or a part has an unknown name.
        ParameterError: a value is wrong.
    """
    _check_names(file, keys, cls, given)
    return _call(file, keys, cls, {name: value_of(file, (*keys, name), value, *field_of(cls, name)) for name, value in given.items()})


def tunable(file: TomlFile, keys: Keys, cls: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """A model, or a search over models where a parameter is a list or a range.

    A list is a search unless the parameter itself takes a list.
    """
    _check_names(file, keys, cls, given)
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        field, default = field_of(cls, name)
        arguments[name] = value_of(file, (*keys, name), value, field, default)
        if isinstance(value, list) and (field is None or not accepts(field, arguments[name])):
            arguments[name] = [value_of(file, (*keys, name), choice, field, default) for choice in value]
        elif isinstance(value, list):
            arguments[name] = tuple(arguments[name])
    if any(isinstance(v, (list, Range)) for v in arguments.values()):
        return _call(file, keys, partial(tune, cls), arguments)
    return _call(file, keys, cls, arguments)


def reranked(file: TomlFile, keys: Keys, model: Any, given: Mapping[str, Any]) -> Any:
    """The model with its lists ranked again, as `rerank` and `candidates` of its table say; a search where one of them is one."""
    arguments: dict[str, Any] = {"model": model, "reranker": _reranker(file, (*keys, "rerank"), given["rerank"])}
    if "candidates" in given:
        arguments["candidates"] = value_of(file, (*keys, "candidates"), given["candidates"], *field_of(Reranked, "candidates"))
    searched = any(isinstance(value, (list, Range, Search)) for value in arguments.values())
    return _call(file, keys, partial(tune, Reranked) if searched else Reranked, arguments)


def _reranker(file: TomlFile, keys: Keys, value: Any) -> Any:
    """A re-ranker, or a search over some: a name, a table with a type, or a list of these."""
    if isinstance(value, list):
        return [_reranker(file, keys, choice) for choice in value]
    table = {"type": value} if isinstance(value, str) else value
    with located(file, keys):
        if not isinstance(table, Mapping) or "type" not in table:
            raise ParameterError(
                f"A 'rerank' is a table with a type: {{type = \"MMR\", diversity = 0.3}}. Got {value!r}.", parameter="rerank"
            )
        cls = _part(file, str(table["type"]), RerankerConfig)
    return tunable(file, keys, cls, {name: inner for name, inner in table.items() if name != "type"})


def one_reranker(file: TomlFile, keys: Keys, given: Any) -> RerankerConfig:
    """A re-ranker from a name or a table with a `type`; no search.

    Raises:
        ParameterError: it is a list, or has lists or ranges of values to search.
    """
    made = _reranker(file, keys, given)
    if not isinstance(made, RerankerConfig):
        with located(file, keys):
            raise ParameterError(f"Here is one re-ranker, with one value per parameter. Got {given!r}.")
    return made


def rules(file: TomlFile, tables: Mapping[str, Mapping[str, Any]], item: str, at: Keys = ("rules",)) -> Rules | None:
    """The rules of the file, each a table [rules.NAME] with a `type`; None where there are none.

    Files that they name are beside the config, and conditions on the log's own column of items (`item`) are on ids. `at` is where the tables stand.
    """
    made: dict[str, Rule] = {}
    for name, table in tables.items():
        keys: Keys = (*at, name)
        with located(file, (*keys, "type")):
            if "type" not in table:
                raise ParameterError(f"The rule {name!r} needs a type: {', '.join(sorted(names.kinds(Rule)))}.")
            cls = names.find("rule", str(table["type"]), names.kinds(Rule))
        given = {key: value for key, value in table.items() if key != "type"}
        if cls is HidePairs and isinstance(given.get("table"), str):
            given["table"] = str((file.path.parent / Path(given["table"]).expanduser()).resolve())
            with located(file, (*keys, "table")):
                if not Path(given["table"]).exists():
                    raise DataError(f"There is no file {given['table']}. Paths are relative to the config.")
        made[name] = construct(file, keys, cls, given)
        where = getattr(made[name], "where", None)
        if isinstance(where, Mapping) and item in where:
            made[name] = made[name].model_copy(update={"where": {ITEM if column == item else column: v for column, v in where.items()}})
    with located(file, at):
        check_together(made)
        return Rules(rules=made) if made else None


def _check_names(file: TomlFile, keys: Keys, cls: Callable[..., Any], given: Mapping[str, Any]) -> None:
    known = names.parameters(cls)
    for name in given:
        if name not in known:
            with located(file, (*keys, name)):
                raise UnknownNameError.of(f"{cls.__name__} parameter", name, known)


def _call(file: TomlFile, keys: Keys, make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """`make(**arguments)`; an error points at the line of the parameter that it names."""
    with located(file, keys):
        try:
            return make(**arguments)
        except VitrinaError:
            raise
        except (TypeError, ValueError, ArithmeticError) as error:  # a class of one's own
            raise ParameterError(str(error)) from None


def value_of(file: TomlFile, keys: Keys, value: Any, field: Any = None, default: Any = None) -> Any:
    """A value of the file as a parameter of this type and default wants it."""
    if isinstance(value, list):
        return [value_of(file, keys, v, _element(field)) for v in value]
    if isinstance(value, str) and field is not None and not accepts(field, value):
        if value == NONE and accepts(field, None):
            return None
        if _is_part(value) or _bases(field):
            return value_of(file, keys, {"type": value}, field)
    return _of_table(file, keys, value, field, default) if isinstance(value, Mapping) else value


def _of_table(file: TomlFile, keys: Keys, table: Mapping[str, Any], field: Any, default: Any) -> Any:
    """A part, a range, or a mapping."""
    if "type" in table and not (table["type"] not in names.parts() and field is not None and accepts(field, table)):
        with located(file, keys):
            cls = _part(file, str(table["type"]), field)
        return construct(file, keys, cls, {name: v for name, v in table.items() if name != "type"})
    if is_range(table) and not (field is not None and accepts(field, table)):
        return _call(file, keys, Range, table)
    if isinstance(default, Config):  # without a type it changes what stands there
        before = {name: getattr(default, name) for name in type(default).model_fields if name not in table}
        return construct(file, keys, type(default), before | dict(table))
    return {name: value_of(file, (*keys, name), v) for name, v in table.items()}


def _is_part(name: str) -> bool:
    return name in names.parts() or name in names.exported()


def own_class(file: TomlFile, path: str) -> type:
    """The class at `package.module:Class`, where the file is trusted; modules beside it can be imported.

    Raises:
        ParameterError: it isn't trusted, or there is no such class.
    """
    if not file.trust:
        raise ParameterError(f"The type {path!r} is code of your own. Allow it to run with: --trust")
    return names.trusted(path, file.path.parent)


def _part(file: TomlFile, name: str, field: Any) -> Callable[..., Any]:
    """The part of this name. A misspelt one is answered with those that the parameter takes."""
    if ":" in name:
        return own_class(file, name)
    if ModelConfig in _bases(field):
        return names.find("model", name, names.models())
    fitting = {known: cls for known, cls in names.parts().items() if issubclass(cls, _bases(field))} if _bases(field) else {}
    return names.find("part", name, names.parts() if _is_part(name) or not fitting else fitting)


def _bases(field: Any) -> tuple[type[Config], ...]:
    """The kinds of parts that a parameter of this type takes."""
    kinds = get_args(field) if get_origin(field) in (Union, UnionType) else (field,)
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Config))


def _element(field: Any) -> Any:
    """The type of the elements of a parameter that takes a list; None where it isn't known."""
    kinds = get_args(field) if get_origin(field) in (Union, UnionType) else (field,)
    return next((get_args(kind)[0] for kind in kinds if get_origin(kind) in (tuple, list)), None)


def field_of(cls: Any, name: str) -> tuple[Any, Any]:
    """The annotation and the default of a parameter, None where they are not known. A ready mixture has defaults of its own."""
    made = names.config_of(cls) if callable(cls) else None
    if made is None:
        return None, None
    if names.own_parameters(cls):
        return get_type_hints(cls)[name], signature(cls).parameters[name].default
    return made.model_fields[name].annotation, made.model_fields[name].default if isinstance(cls, type) else getattr(cls(), name)


def accepts(annotation: Any, value: Any) -> bool:
    """Whether a parameter of this type takes the value as it is."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return isinstance(value, annotation)
    try:
        TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except (ValidationError, VitrinaError):
        return False
    except (PydanticSchemaGenerationError, NameError, TypeError):
        return False
    return True


def check_filter(name: str, argument: Any) -> None:
    """Refuse an unknown filter or parameter, and a value of another type.

    Raises:
        UnknownNameError: there is no such filter, or it has no such parameter.
        ParameterError: a value is none that the parameter takes.
    """
    function = names.find("filter", name, names.filters())
    known = names.parameters(function)[1:]
    by_name = isinstance(argument, Mapping) and not _is_first(argument, known)
    types = get_type_hints(function, include_extras=True)
    for key, value in (argument if by_name else {known[0]: argument}).items():
        if key not in known:
            raise UnknownNameError.of(f"{name} parameter", key, known)
        try:
            TypeAdapter(types[key], config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise ParameterError(
                f"The {key!r} of the filter {name} must be {in_words(error)}. Got {value!r}.", owner=name, parameter=key, value=value
            ) from None


def filtered(data: Dataset, name: str, argument: Any) -> Dataset:
    """Apply a filter: a table of its parameters gives them by name, anything else is its first one."""
    function = names.filters()[name]
    if not isinstance(argument, Mapping) or _is_first(argument, names.parameters(function)[1:]):
        return function(data, argument)
    return function(data, **argument)


def _is_first(argument: Mapping[str, Any], known: list[str]) -> bool:
    """Whether a table is itself the one parameter of the filter: kinds = {view = 0.1, buy = 1}."""
    return len(known) == 1 and not set(argument) <= set(known)
