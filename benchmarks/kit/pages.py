"""Running scripts in turn, and keeping what each prints in its block of a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.kit.places import BENCHMARKS, ROOT

RESULTS = BENCHMARKS / "RESULTS.md"


def scripts(folder: str) -> dict[str, Path]:
    """The scripts of a folder by the names of their modules after `benchmarks`: "speed.ease"."""
    return {f"{folder}.{path.stem}": path for path in sorted((BENCHMARKS / folder).glob("[!_]*.py"))}


def run_all(names: Iterable[str], page: Path = RESULTS) -> list[str]:
    """Run each script, put what it prints into its block of the page, and return the names of those that failed."""
    failed = []
    for name in names:
        started = time.perf_counter()
        print(f"{name} ...", flush=True)
        printed = run(name)
        if printed is None:
            failed.append(name)
            continue
        keep(page, name, printed)
        print(f"{printed}\n{name}: {time.perf_counter() - started:.0f} s\n", flush=True)
    return failed


def run(name: str) -> str | None:
    """What a script prints; None if it fails, and then its last words are shown."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        print(f"{name} failed:\n{(done.stderr or done.stdout)[-2000:]}", file=sys.stderr, flush=True)
        return None
    return done.stdout.strip()


def keep(page: Path, name: str, text: str) -> None:
    """Write the text into the block of that name in a page."""
    page.write_text(with_block(page.read_text(encoding="utf-8") if page.exists() else "", name, text), encoding="utf-8")


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
