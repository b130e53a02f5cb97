"""Requests that are made from the description, by the hundred, on a real server: whatever comes is answered as the description says, and never by a failure."""

import re
import subprocess
import sys

from fake_service import KEYS
from live_server import served, toy_settings

from vitrina.service.routes import API

EXPECTED = ["2xx", "401", "403", "404", "409", "422"]  # 422: a time of the next century, a folder that isn't there
CONFIG = f"""
[checks]
positive_data_acceptance.expected-statuses = {EXPECTED}
"""


def test_whatever_is_asked(tmp_path, caplog):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with served(toy_settings(tmp_path, keys=KEYS)) as (host, port):
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file", str(tmp_path / "schemathesis.toml"),
            "run", f"http://{host}:{port}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "3", "--seed", "1",
            "--no-color", "--continue-on-failure", "--request-timeout", "10", "--no-shrink", "--suppress-health-check", "all",
            "-H", "X-API-Key: vt_all",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 500
    assert f"Tested: {len(API)}" in done.stdout
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
