"""docs/service-file.md: every setting is there, and its examples are read."""

import re
from pathlib import Path

import pytest
from served import write_model

from vitrina.cli.serve_env import from_environment, keys_of
from vitrina.cli.serve_file import Tables, read_service
from vitrina.experiments import Experiment
from vitrina.service.settings import Key, ScenarioSettings

PAGE = (Path(__file__).parents[2] / "docs" / "service-file.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEYS = {
    "service": keys_of("service"), "limits": keys_of("limits"), "keep": keys_of("keep"), "telemetry": keys_of("telemetry"), "keys": list(Key.model_fields),
    "scenarios": list(ScenarioSettings.model_fields), "experiments": ["scenario", "serves"],
}  # fmt: skip


def section(name):
    return re.search(rf"^## \[{name}.*?\]\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("table", Tables.model_fields)
def test_every_key_is_documented_and_no_other(table):
    assert sorted(re.findall(r"^\| `(\w+)` \|", section(table), re.MULTILINE)) == sorted(KEYS[table])


def test_every_parameter_of_an_experiment_is_named():
    assert [name for name in Experiment.model_fields if f"`{name}`" not in section("experiments")] == []


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_is_read(number, tmp_path):
    folder = write_model(tmp_path)
    folder.with_name("better").symlink_to(folder)
    (tmp_path / "shop.toml").write_text(BLOCKS[number])
    settings = read_service(tmp_path / "shop.toml", from_environment({}), {})
    assert settings.scenarios
    assert settings.state == tmp_path / "shop.service"


def test_the_error_that_the_page_shows_is_the_one_that_comes(tmp_path):
    from vitrina.base.errors import UnknownNameError

    (tmp_path / "shop.toml").write_text(BLOCKS[0].replace("port = ", "prot = "))
    with pytest.raises(UnknownNameError) as refused:
        read_service(tmp_path / "shop.toml", from_environment({}), {})
    shown = re.search(r"`(shop\.toml, line 2: .*?\?)`", PAGE)[1]
    assert shown in str(refused.value)
