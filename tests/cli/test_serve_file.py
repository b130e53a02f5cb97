"""Settings of a service from a file, the environment and the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError, DataError, VitrinaError
from vitrina.cli.serve_env import from_environment, variables
from vitrina.cli.serve_file import read_service
from vitrina.service.settings import Key, Settings, hash_of, new_key


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An artifact whose log calls the item "sku"."""
    data, config = vt.testing.toy(), vt.Popularity()
    vt.save(config.fit(data), tmp_path / "model", model=config, data=data, source={"read": {"source": "shop.csv", "item": "sku"}})
    return tmp_path / "model"


@pytest.fixture
def read(tmp_path: Path, model: Path) -> Callable[..., Settings]:
    """Settings of a file with this text and a scenario, under an environment, with options."""

    def settings(text: str = "", environ: dict[str, str] | None = None, scenario: str = 'artifact = "model"', **options: Any) -> Settings:
        path = tmp_path / "service.toml"
        path.write_text(text + f"\n[scenarios.default]\n{scenario}\n")
        return read_service(path, from_environment(environ or {}), options)

    return settings


def refusal(read: Callable[..., Settings], *args: Any, **named: Any) -> str:
    with pytest.raises(VitrinaError) as refused:
        read(*args, **named)
    return str(refused.value)


def test_an_artifact_alone_is_enough(model: Path) -> None:
    settings = read_service(model, from_environment({}), {"port": 0})
    assert list(settings.scenarios) == ["default"]
    assert settings.scenarios["default"].artifact == model
    assert (settings.port, settings.state) == (0, model.with_name("model.service"))


def test_paths_of_the_file_are_beside_it_and_others_are_where_the_command_is(read: Callable[..., Settings], tmp_path: Path) -> None:
    settings = read('[service]\nstate = "kept"\nmodels = ["more"]')
    assert settings.state == tmp_path / "kept"
    assert settings.models == (tmp_path / "more",)
    assert settings.scenarios["default"].artifact == tmp_path / "model"
    assert read().state == tmp_path / "service.service"
    assert read("", {"VITRINA_STATE": "here", "VITRINA_MODELS": "/a, /b"}).state == Path("here")
    assert read("", {"VITRINA_MODELS": "/a, /b"}).models == (Path("/a"), Path("/b"))


def test_the_command_goes_before_the_environment_and_that_before_the_file(read: Callable[..., Settings]) -> None:
    text, environ = "[service]\nport = 1\nadmin_port = 11\nhost = 'localhost'", {"VITRINA_PORT": "2", "VITRINA_ADMIN_PORT": "12"}
    settings = read(text, environ, port=3)
    assert (settings.port, settings.admin_port, settings.host) == (3, 12, "localhost")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[service]\nprot = 8000", "line 2: There is no key in [service] 'prot'. Did you mean 'port'"),
        ("[sevice]\nport = 8000", "line 1: There is no table 'sevice'. Did you mean 'service'"),
        ("[service]\nport = '8000'", "line 2: The 'port' parameter of Settings must be a whole number. Got '8000'."),
        ("[limits]\n\nrate = -1", "line 3: The 'rate' parameter of Limits must be greater than 0. Got -1."),
        ("[keep]\nevent = 3", "line 2: There is no key in [keep] 'event'. Did you mean 'events' or 'every'"),
        ("[keys.web]\nscopes = ['recommend']", "line 1: The key 'web' needs a hash here, or the variable VITRINA_KEY_WEB, and not both"),
        ("[keys.web]\nhash = 'x'\nscope = ['recommend']", "line 3: There is no key in [keys.web] 'scope'. Did you mean 'scopes'"),
        ("[service]\nhost = '0.0.0.0'", "line 2: On 0.0.0.0 others can come to the service, so that it needs a key"),
        ("[experiments.a]\narms = {x = 0.5, y = 0.5}\nscenario = 'hme'", "line 3: There is no scenario 'hme'"),
        ("[experiments.a]\narms = {x = 0.5, y = 0.4}", "The shares of the arms of Experiment must add up to 1"),
        ("[experiments.a]\narms = {x = 0.5, y = 0.5}\n[experiments.a.serves.z]\ncandidates = 3", "line 3: There is no arm in the experiment 'a' 'z'"),
        ("service = 3", "line 1: service must be a table of names and values"),
        ("[service\nport = 1", "is not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(read: Callable[..., Settings], text: str, said: str) -> None:
    assert said in refusal(read, text)


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("", "line 2: A scenario needs the folder of an artifact"),
        ('artifact = "modle"', "line 3: There is no folder"),
        ('artifact = "model"\nrerank = "MRM"', "line 4: There is no part 'MRM'. Did you mean 'MMR'"),
        (
            'artifact = "model"\nrerank = {type = "MMR", diversity = [0.1, 0.2]}',
            "line 4: Here is one re-ranker, with one value per parameter",
        ),
        ('artifact = "model"\nrules = {a = {typ = "Hide"}}', "The rule 'a' needs a type"),
        (
            'artifact = "model"\nanswers = {modle = {}}',
            "line 4: There is no key in [scenarios.default.answers] 'modle'. Did you mean 'model'",
        ),
        ('artifact = "model"\nanswers = {model = {ulr = "x"}}', "line 4: There is no Endpoint parameter 'ulr'. Did you mean 'url'"),
        ('artifact = "model"\nanswers = true', "line 4: [scenarios.default.answers] is a table, which may be empty. Got True."),
        ('artifact = "model"\nbudget = 3', "line 4: There is no key in [scenarios.default] 'budget'. Did you mean 'budget_ms'"),
        ('artifact = "model"\nbudget_ms = 0', "line 4: The 'budget_ms' parameter of ScenarioSettings must be greater than 0. Got 0."),
    ],
)
def test_a_mistake_in_a_scenario_is_said_with_its_line(read: Callable[..., Settings], scenario: str, said: str) -> None:
    assert said in refusal(read, "", scenario=scenario)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"VITRINA_PORT": "80a"}, "VITRINA_PORT: The 'port' parameter of Settings must be a whole number. Got '80a'."),
        ({"VITRINA_LIMITS_RATE": "0"}, "VITRINA_LIMITS_RATE: The 'rate' parameter of Limits must be greater than 0"),
        ({"VITRINA_HOST": "0.0.0.0"}, "VITRINA_HOST: On 0.0.0.0 others can come"),
        ({"VITRINA_HISTORIES": "memory"}, "VITRINA_HISTORIES: The 'histories' parameter of Settings must be 'log' or 'store'"),
        ({"VITRINA_STORE_FILE": "/none"}, "VITRINA_STORE_FILE: /none can't be read (No such file or directory)"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(read: Callable[..., Settings], environ: dict[str, str], said: str) -> None:
    assert refusal(read, "", environ).startswith(said)


def test_an_option_is_named_in_its_error(read: Callable[..., Settings]) -> None:
    assert refusal(read, "", port=70000).startswith("--port: The 'port' parameter")


def test_rules_and_order_are_parts_as_in_a_config(read: Callable[..., Settings]) -> None:
    settings = read(
        "",
        scenario='artifact = "model"\ncandidates = 50\n[scenarios.default.rules."no tea"]\ntype = "Hide"\nwhere = {sku = "tea"}\n'
        '[scenarios.default.rerank]\ntype = "MMR"\ndiversity = 0.3',
    ).scenarios["default"]
    assert settings.candidates == 50
    assert settings.reranker == vt.Rules(rules={"no tea": vt.rules.Hide(where={"item_id": "tea"})}, then=vt.MMR(diversity=0.3))


def test_an_arm_changes_what_it_names_of_its_scenario(read: Callable[..., Settings]) -> None:
    text = '[experiments.order]\narms = {now = 0.5, varied = 0.5}\nsalt = "s"\n[experiments.order.serves.varied]\nrerank = {type = "MMR", diversity = 0.5}\n'
    settings = read(text, scenario='artifact = "model"\ncandidates = 77')
    served = settings.experiments["order"]
    assert served.experiment == vt.experiments.Experiment(name="order", arms={"now": 0.5, "varied": 0.5}, salt="s")
    assert served.arms["varied"] == settings.scenarios["default"].model_copy(update={"rerank": vt.MMR(diversity=0.5)})


def test_code_of_ones_own_runs_only_where_it_is_trusted(read: Callable[..., Settings], tmp_path: Path) -> None:
    assert "--trust" in refusal(read, "", scenario='artifact = "model"\nrerank = "own_order:Mine"')
    assert read_service(tmp_path / "model", from_environment({}), {}, trust=True).scenarios["default"].trust


def test_secrets_come_from_the_environment_and_are_shown_nowhere(read: Callable[..., Settings], tmp_path: Path) -> None:
    key, other, password = new_key(), new_key(), "hunter-2"
    (tmp_path / "secret").write_text(f"{other}\n")
    (tmp_path / "store").write_text(f"postgresql://ann:{password}@db/shop\n")
    environ = {
        "VITRINA_KEY_WEB_SHOP": key, "VITRINA_KEY_APP_FILE": str(tmp_path / "secret"), "VITRINA_STORE_FILE": str(tmp_path / "store"), "VITRINA_HOST": "0.0.0.0",
    }  # fmt: skip
    settings = read("[keys.web-shop]\nscopes = ['recommend', 'events']", environ)
    assert settings.keys == {"web-shop": Key(hash=hash_of(key), scopes=("recommend", "events")), "app": Key(hash=hash_of(other))}
    assert settings.store.endswith("@db/shop")
    environment = from_environment(environ)
    assert not any(secret in f"{settings!r}{settings}{environment.notes}{environment}" for secret in (key, other, password))


def test_a_short_key_and_a_wrong_store_are_refused_unseen(read: Callable[..., Settings]) -> None:
    for environ in ({"VITRINA_KEY_WEB": "hunter-2"}, {"VITRINA_STORE": "mysql://ann:hunter-2@db/shop"}):
        said = refusal(read, "", environ)
        assert said.startswith(next(iter(environ)))
        assert "hunter-2" not in said


def test_a_variable_without_an_effect_is_said() -> None:
    environment = from_environment(
        {"VITRINA_PROT": "1", "VITRINA_PORT": "tcp://10.0.0.1:80", "VITRINA_SERVICE_HOST": "10.0.0.1", "VITRINA_PORT_80_TCP": "x"}
    )
    assert not environment.values
    assert [note.split()[0] for note in environment.notes] == ["VITRINA_PORT", "VITRINA_PROT"]
    assert "enableServiceLinks" in environment.notes[0]
    assert "Did you mean VITRINA_PORT?" in environment.notes[1]


def test_every_variable_sets_what_it_names(read: Callable[..., Settings]) -> None:
    examples = {
        "host": "localhost", "admin_host": "::1", "store": "postgresql://db/x", "histories": "store", "logs": "json", "state": "s",
        "models": "m", "endpoint": "http://c:4318", "name": "x", "origins": "https://shop.example", "any_year": "true", "share": "0.5", "body": "5000",
    }  # fmt: skip
    for variable, (table, key) in variables().items():
        settings = read("", {variable: examples.get(key, "31")})
        part = settings if table == "service" else getattr(settings, table)
        default = type(part).model_fields[key].get_default()
        assert getattr(part, key) != default, variable
    assert read("", {"VITRINA_ADMIN_PORT": "none"}).admin_port is None


def test_a_target_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A whole file"):
        read_service(tmp_path / "none.toml", from_environment({}), {})
    with pytest.raises(ArtifactError, match="There is no folder"):
        read_service(tmp_path / "none", from_environment({}), {})
