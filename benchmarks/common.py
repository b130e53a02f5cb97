"""What `run.py` and `reproduce.py` share: running the scripts in turn, and keeping what they print in a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"


def run_all(scripts: Iterable[Path], page: Path = RESULTS) -> list[str]:
    """Run each script, put what it prints into its block of the page, and return the names of those that failed."""
    failed = []
    for script in scripts:
        started = time.perf_counter()
        print(f"{script.name} ...", flush=True)
        printed = run(script)
        if printed is None:
            failed.append(script.stem)
            continue
        page.write_text(with_block(page.read_text(encoding="utf-8") if page.exists() else "", script.stem, printed), encoding="utf-8")
        print(f"{printed}\n{script.name}: {time.perf_counter() - started:.0f} s\n", flush=True)
    return failed


def run(script: Path) -> str | None:
    """What a script prints; None if it fails, and then its last words are shown."""
    done = subprocess.run([sys.executable, script.name], cwd=script.parent, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        print(f"{script.name} failed:\n{(done.stderr or done.stdout)[-2000:]}", file=sys.stderr, flush=True)
        return None
    return done.stdout.strip()


def with_block(page: str, name: str, text: str) -> str:
    """The page with the text between the marks of that name; at the end of the page where it has no such marks.

    >>> page = "# Results\\n\\n<!-- begin speed -->\\nold\\n<!-- end speed -->\\nsaid by hand\\n"
    >>> print(with_block(page, "speed", "new"))
    # Results
    <BLANKLINE>
    <!-- begin speed -->
    new
    <!-- end speed -->
    said by hand
    <BLANKLINE>
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text}\n{end}"
    if begin not in page:
        return f"{page.rstrip()}\n\n{block}\n".lstrip()
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)


def finish(failed: list[str]) -> None:
    """End with a status that tells whether everything ran."""
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}. Everything else is written.")
