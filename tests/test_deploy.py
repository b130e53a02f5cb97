"""The files of deploy/ are what their tools take, and speak of what the service has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vitrina as vt

yaml = pytest.importorskip("yaml")
pytest.importorskip("prometheus_client")

DEPLOY = Path(__file__).parents[1] / "deploy"
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
STYLE = "{extends: default, rules: {line-length: {max: 170}, document-start: disable, comments: disable, braces: {max-spaces-inside: 1}, indentation: {indent-sequences: consistent}, octal-values: disable}}"


def tool(name: str) -> str:
    """A linter of this environment or of the machine."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} isn't installed")
    return found


def passes(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_is_built_as_hadolint_wants_it() -> None:
    passes(tool("hadolint"), DEPLOY / "Dockerfile")


def test_yaml_is_well_formed() -> None:
    passes(tool("yamllint"), "--strict", "-d", STYLE, *sorted(DEPLOY.glob("*.yaml")))


def test_compose_has_its_schema() -> None:
    passes(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_kubernetes_has_its_schemas() -> None:
    passes(tool("kubernetes-validate"), "--strict", "-k", "1.34", *sorted(DEPLOY.glob("kubernetes*.yaml")))


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    unit = tmp_path / "vitrina.service"
    unit.write_text((DEPLOY / "vitrina.service").read_text().replace("/opt/vitrina/bin/vitrina", "/bin/true"))
    passes(analyze, "verify", unit)


def test_the_image_runs_as_nobody_and_gets_its_signals() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["vitrina", "serve"]' in text
    assert re.search(r'CMD \["python", "-c", ', text)
    allowed = set((DEPLOY / "Dockerfile.dockerignore").read_text().split())
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    assert all(f"!{name}" in allowed for line in copied for name in line.split())


def test_pods_write_nowhere_but_into_their_volumes_and_have_probes() -> None:
    for file in ("kubernetes.yaml", "kubernetes-sqlite.yaml"):
        documents = list(yaml.safe_load_all((DEPLOY / file).read_text()))
        pod = next(one["spec"]["template"]["spec"] for one in documents if one["kind"] in ("Deployment", "StatefulSet"))
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["enableServiceLinks"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        mounted = {one["name"] for one in container["volumeMounts"]}
        claimed = {
            one["metadata"]["name"]
            for kind in documents
            for one in kind.get("spec", {}).get("volumeClaimTemplates", ())
            if kind["kind"] == "StatefulSet"
        }
        assert mounted == {one["name"] for one in pod["volumes"]} | claimed


def settings_in() -> list[tuple[str, str]]:
    config = next(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    return [("service.toml", (DEPLOY / "service.toml").read_text()), ("kubernetes.yaml", config["data"]["service.toml"])]


@pytest.mark.parametrize(("name", "text"), settings_in())
def test_the_settings_are_read(name: str, text: str, tmp_path: Path) -> None:
    from vitrina.cli.serve_env import from_environment
    from vitrina.cli.serve_file import read_service

    data, config = vt.testing.toy(), vt.Popularity()
    vt.save(config.fit(data), tmp_path / "model", model=config, data=data)
    (tmp_path / "service.toml").write_text(text.replace('"/models/model"', '"model"'))
    keys = {f"VITRINA_KEY_{one}": "k" * 30 for one in ("SHOP", "TEAM")}
    settings = read_service(tmp_path / "service.toml", from_environment(keys), {})
    assert sorted(settings.keys) == ["shop", "team"]
    assert settings.histories == "store"


def test_variables_that_the_files_set_are_settings() -> None:
    from vitrina.cli.serve_env import FILE, KEY, variables

    for path in DEPLOY.iterdir():
        for name in re.findall(r"\bVITRINA_\w+", path.read_text()):
            assert name.startswith(KEY) or name.removesuffix(FILE) in variables() or name == "VITRINA_PORT", f"{path.name}: {name}"


def alerts() -> list[dict[str, str]]:
    return yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one["alert"])
def test_an_alarm_asks_for_numbers_that_there_are_and_says_what_to_do(alert: dict[str, str]) -> None:
    from vitrina.service.metrics import Metrics

    families = {family.name: family for family in Metrics().registry.collect()}
    known = set(families) | {f"{name}_total" for name, one in families.items() if one.type == "counter"}
    known |= {f"{name}_bucket" for name, one in families.items() if one.type == "histogram"}
    asked = re.findall(r"\b((?:vitrina|process)_\w+)", alert["expr"])
    assert set(asked) - known == set()
    assert asked or "up{" in alert["expr"]
    assert alert["alert"] in OPERATIONS


def test_the_page_names_no_alarm_that_is_not_there() -> None:
    assert set(re.findall(r"\bVitrina[A-Z]\w+", OPERATIONS)) == {one["alert"] for one in alerts()}


def test_a_backup_is_made_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    pytest.importorskip("apsw")
    from vitrina.service.records import Event
    from vitrina.service.store.store import Store

    async def state() -> None:
        store = Store.open(tmp_path / "model.service")
        await store.append("default", [Event("e1", "click", "ann", "tea", 1, 1)])
        await store.close()

    asyncio.run(state())
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"^```py\n(.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    exec(compile(code, "operations.md", "exec"), {})
    [frame] = Store.read_only(tmp_path / "backup-2026-11-26").events("default")
    assert frame["event_id"].to_list() == ["e1"]
