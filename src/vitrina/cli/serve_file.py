"""The settings of a service: from a TOML file or an artifact alone, the environment, and the command, of which the last that speaks counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from vitrina.artifacts.read import read_manifest
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.cli import build
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.serve_env import TABLES, Environment, keys_of, same_name
from vitrina.cli.toml import Keys, TomlFile
from vitrina.experiments import Experiment
from vitrina.service.settings import DEFAULT, AnswerSettings, Key, ScenarioSettings, ServedExperiment, Settings, hash_of

EXAMPLE = 'A whole file: [service] port = 8000, then [scenarios.default] artifact = "model".'
OPTION = "--{}"
PATHS = ("state", "models")


class Tables(Section):
    """The whole file."""

    service: dict[str, Any] = Field(default_factory=dict, description="Where it listens, and where it keeps things.")
    limits: dict[str, Any] = Field(default_factory=dict, description="What one client may ask.")
    keep: dict[str, Any] = Field(default_factory=dict, description="How long things are kept.")
    telemetry: dict[str, Any] = Field(default_factory=dict, description="Where traces go.")
    keys: dict[str, dict[str, Any]] = Field(default_factory=dict, description="One table per key of a client; its name is what logs say.")
    scenarios: dict[str, dict[str, Any]] = Field(description="One table per place where lists are shown; its name is in requests.")
    experiments: dict[str, dict[str, Any]] = Field(default_factory=dict, description="One table per experiment, with its arms.")


def read_service(target: Path, environment: Environment, given: Mapping[str, Any], *, trust: bool = False) -> Settings:
    """Settings from all places.

    Args:
        target: an artifact, which is then the scenario "default", or a TOML file.
        given: options of the command by the names of settings; None where one wasn't typed.
        trust: may artifacts and the file name code of somebody's own.
    Raises:
        UnknownNameError: a table, a key or a part is not known; names the line and the closest names.
        ParameterError: a value is wrong, or things don't go together; names the line, the variable or the option.
        ArtifactError, DataError: an artifact or a file isn't there.
    """
    options: dict[Keys, tuple[Any, str]] = {
        ("service", name): (value, OPTION.format(name.replace("_", "-"))) for name, value in given.items() if value is not None
    }
    file = _file(target, trust).with_values(environment.values).with_values(options)
    tables = settings_of(file, Tables, EXAMPLE)
    for name in TABLES:
        _check_keys(file, (name,), getattr(tables, name), keys_of(name))
    parts: dict[str, Any] = {
        name: build.construct(file, (name,), cls, getattr(tables, name)) for name, cls in TABLES.items() if name != "service"
    }
    parts["keys"] = _keys(file, tables.keys, environment.keys)
    parts["scenarios"] = {name: _scenario(file, ("scenarios", name), table) for name, table in tables.scenarios.items()}
    parts["experiments"] = {name: _experiment(file, name, table, tables.scenarios) for name, table in tables.experiments.items()}
    return _whole(file, tables.service, parts)


def _file(target: Path, trust: bool) -> TomlFile:
    if target.suffix == ".toml" or target.is_file():
        return TomlFile.read(target, trust=trust, remedy=EXAMPLE)
    read_manifest(target)
    return TomlFile(target, {"scenarios": {DEFAULT: {"artifact": str(target.absolute())}}}, {}, trust)


def _whole(file: TomlFile, table: Mapping[str, Any], parts: Mapping[str, Any]) -> Settings:
    """The settings, with paths of the file beside it; an error points at the key, or at the table, that it names."""
    values = {key: build.value_of(file, ("service", key), value, *build.field_of(Settings, key)) for key, value in table.items()}
    for key in PATHS:
        if key in values and ("service", key) not in file.elsewhere:
            values[key] = _beside(file, values[key])
    if file.content.get("service", {}).get("state") is None and file.lines:
        values.setdefault("state", file.path.with_suffix(".service"))
    try:
        return Settings(**values, **parts)
    except ParameterError as error:
        keys: Keys = (str(error.parameter),) if error.parameter in parts else ("service", str(error.parameter))
        raise error.at(file.where(keys)) from None


def _beside(file: TomlFile, path: Any) -> Any:
    """A path of the file from anywhere; what is no path is left to the settings to refuse."""
    if isinstance(path, (list, tuple)):
        return tuple(_beside(file, one) for one in path)
    return (file.folder / Path(path).expanduser()).absolute() if isinstance(path, (str, Path)) else path


def _check_keys(file: TomlFile, keys: Keys, table: Mapping[str, Any], known: list[str]) -> None:
    for name in table:
        if name not in known:
            with build.located(file, (*keys, name)):
                raise UnknownNameError.of(f"key in [{'.'.join(map(str, keys))}]", name, known)


def _keys(file: TomlFile, tables: Mapping[str, Mapping[str, Any]], secrets: Mapping[str, str]) -> dict[str, Key]:
    """Keys of the file, which may leave the hash to the environment, and those that only the environment has."""
    made: dict[str, Key] = {}
    taken = set()
    for name, table in tables.items():
        keys: Keys = ("keys", name)
        _check_keys(file, keys, table, list(Key.model_fields))
        secret = secrets.get(same_name(name))
        with build.located(file, keys):
            if ("hash" in table) == (secret is not None):
                raise ParameterError(
                    f"The key {name!r} needs a hash here, or the variable VITRINA_KEY_{same_name(name).upper()}, and not both. "
                    f"Make one with: vitrina key {name}"
                )
        taken.add(same_name(name))
        made[name] = build.construct(file, keys, Key, table if secret is None else {**table, "hash": hash_of(secret)})
    return made | {name: Key(hash=hash_of(secret)) for name, secret in secrets.items() if name not in taken}


def _scenario(file: TomlFile, keys: Keys, table: Mapping[str, Any]) -> ScenarioSettings:
    _check_keys(file, keys, table, list(ScenarioSettings.model_fields))
    given = {key: value for key, value in table.items() if key not in ("rules", "rerank", "answers")}
    with build.located(file, (*keys, "artifact")):
        if not isinstance(given.get("artifact"), str):
            raise ParameterError(f'A scenario needs the folder of an artifact: artifact = "model". Got {given.get("artifact")!r}.')
        given["artifact"] = _beside(file, given["artifact"])
        source = read_manifest(given["artifact"]).get("source")
    if file.trust:
        given["trust"] = True
    item = source.get("read", {}).get("item", "item_id") if isinstance(source, Mapping) else "item_id"
    if "answers" in table:
        given["answers"] = _answers(file, (*keys, "answers"), table["answers"])
    made = build.construct(file, keys, ScenarioSettings, given)
    rules = build.rules(file, table.get("rules", {}), item, at=(*keys, "rules"))
    order = build.one_reranker(file, (*keys, "rerank"), table["rerank"]) if "rerank" in table else None
    with build.located(file, keys):
        return ScenarioSettings(**{name: getattr(made, name) for name in type(made).model_fields} | {"rules": rules, "rerank": order})


def _answers(file: TomlFile, keys: Keys, table: Any) -> AnswerSettings:
    """How questions are answered; a model without a type is one behind an address."""
    with build.located(file, keys):
        if not isinstance(table, Mapping):
            raise ParameterError(f"[{'.'.join(map(str, keys))}] is a table, which may be empty. Got {table!r}.")
    _check_keys(file, keys, table, list(AnswerSettings.model_fields))
    given = {**table, "model": {"type": "Endpoint", **table["model"]}} if isinstance(table.get("model"), Mapping) else table
    return build.construct(file, keys, AnswerSettings, given)


def _experiment(file: TomlFile, name: str, table: Mapping[str, Any], scenarios: Mapping[str, Mapping[str, Any]]) -> ServedExperiment:
    """An experiment, whose arms change what they name of the scenario."""
    keys: Keys = ("experiments", name)
    _check_keys(file, keys, table, [*Experiment.model_fields, "scenario", "serves"])
    scenario = table.get("scenario", DEFAULT)
    with build.located(file, (*keys, "scenario")):
        if scenario not in scenarios:
            raise UnknownNameError.of("scenario", str(scenario), scenarios)
    own = {key: value for key, value in table.items() if key not in ("scenario", "serves")}
    experiment = build.construct(file, keys, Experiment, {"name": name} | own)
    arms = {}
    for arm, changes in table.get("serves", {}).items():
        with build.located(file, (*keys, "serves", arm)):
            if arm not in experiment.arms:
                raise UnknownNameError.of(f"arm in the experiment {name!r}", arm, experiment.arms)
        arms[arm] = _scenario(file, (*keys, "serves", arm), {**scenarios[scenario], **changes})
    return ServedExperiment(experiment=experiment, scenario=scenario, arms=arms)
