"""The examples of docs/service.md, asked of a real service in the order of the page."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from live_server import served, toy_settings

from vitrina.service.problems import WORDS
from vitrina.service.routes import API
from vitrina.service.settings import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|json|py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CHANGES = ("recommendation_id", "model_version", "request_id", "version", "previous")


def same(value):
    """An answer without what is another one each time."""
    if isinstance(value, dict):
        return {key: "..." if key in CHANGES and one is not None else same(one) for key, one in value.items()}
    return [same(one) for one in value] if isinstance(value, list) else value


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_examples(tmp_path):
    answer = ""
    with served(toy_settings(tmp_path)) as (_, port):
        for kind, block in BLOCKS:
            text = block.replace("localhost:8000", f"localhost:{port}")
            if kind == "json":
                assert same(json.loads(answer)) == same(json.loads(block))
                continue
            if kind == "py":
                exec(compile(text, "service.md", "exec"), {})
                continue
            for line in re.split(r"\n(?=curl)", text.strip()):
                done = subprocess.run(
                    [*shlex.split(line.replace("\\\n", " ")), "-sS"], capture_output=True, text=True, timeout=20, check=True
                )
                answer = done.stdout
                assert ("error" in json.loads(answer)) == ("users" in line and '-d \'{"users"' in line), f"{line}\n{answer}"


def test_every_route_scope_status_and_limit_is_on_the_page():
    for endpoint in API:
        assert endpoint.path in PAGE or endpoint.path.partition("{")[0] in PAGE, endpoint.path
        if endpoint.scope:
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{endpoint.scope}` |"))
            assert endpoint.path.removeprefix("/v1") in row
    for status, word in WORDS.items():
        assert re.search(rf"^\| [\d, ]*{status}[\d, ]* \| `{word}`", PAGE, re.MULTILINE), status
    for name in Limits.model_fields:
        assert f"`{name}`" in PAGE, name
