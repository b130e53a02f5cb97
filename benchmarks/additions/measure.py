"""What an addition touches: each patch of this folder is put into a copy of the repository, and held to its laws there.

    python -m benchmarks.additions.measure [NAME ...] [--check]

A patch is an addition as somebody would make it: a model (RP3beta), a block (a gated convolution), a metric (RBP), a re-ranker (MSD), a command. Asked of each: its
laws, its own tests, those of the layers, of the docs and of the exports. `--check` only says whether the patches still fit. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kit.machine import commit
from benchmarks.kit.places import ROOT

HERE = Path(__file__).parent
TESTS = ("tests/test_layers.py", "tests/base/test_frozen_configs.py", "tests/test_answers.py", "tests/cli/test_documented.py")
DOCS = ("tests/test_docs.py", "-k", "public_name or links or commands")


@dataclass(frozen=True)
class Addition:
    """What was added, how it is held to its laws, and what the same took before."""

    what: str
    laws: str  # prints the report of the suite; "" where a command has none
    before: str  # files (of these new)


ADDITIONS: Mapping[str, Addition] = {
    "model": Addition("RP3beta", "vt.testing.check_model(vt.RP3beta())", "4 (2)"),
    "block": Addition("gated convolution", "vt.testing.check_block(vt.sequence.GatedConvolution())", "11 (1)"),
    "metric": Addition("RBP", "vt.testing.check_metric(vt.metrics.metric('RBP@10'))", "4"),
    "reranker": Addition("MSD", "vt.testing.check_reranker(vt.MSD(diversity=0.5))", "6 (3), three laws broken"),
    "command": Addition("`vitrina popular`", "", "3"),
}


def patch_of(name: str) -> Path:
    return HERE / f"{name}.patch"


def fits(name: str) -> bool:
    """Whether the patch can be put into this checkout."""
    command = ["git", "apply", "--check", str(patch_of(name))]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def copy_with(name: str, folder: Path) -> Path:
    """The files that git knows as they are in the checkout, and the patch; the numbers of a copy are those of nothing else."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = b"\0".join(one for one in listed.split(b"\0") if one and (ROOT / os.fsdecode(one)).exists())
    packed = subprocess.run(["tar", "--null", "-T", "-", "-c"], cwd=ROOT, input=files, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    subprocess.run(["git", "apply", str(patch_of(name))], cwd=folder, check=True)
    return folder


def touched(name: str) -> list[tuple[str, bool, int]]:
    """Each file of a patch: its path, whether it is new, and the lines that it adds."""
    files = []
    for part in re.split(r"^diff --git ", patch_of(name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        path = part.split(" b/", 1)[1].splitlines()[0]
        files.append((path, "\nnew file mode" in part, len(re.findall(r"^\+(?!\+\+ )", part, re.MULTILINE))))
    return files


def asked(name: str, copy: Path) -> tuple[str, str]:
    """What its laws and its tests say in the copy: how many laws are kept, how many tests pass; or the failure."""
    environment = os.environ | {"PYTHONPATH": str(copy / "src")}

    def run(*command: str) -> str:
        done = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: {' '.join(command)}\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    laws = ADDITIONS[name].laws
    report = run("-W", "ignore", "-c", f"import vitrina as vt; print({laws})") if laws else ""
    kept = re.search(r"keeps (\d+) laws", report)
    new = [path for path, is_new, _ in touched(name) if is_new]
    own = run("-m", "pytest", "-o", "addopts=", "--doctest-modules", *new, *TESTS)
    docs = run("-m", "pytest", "-o", "addopts=", *DOCS)
    passed = sum(int(count) for count in re.findall(r"(\d+) passed", own + docs))
    return (f"all {kept[1]}" if kept else ""), str(passed)


def row(name: str) -> str:
    files = touched(name)
    code = [file for file in files if not file[0].endswith(".md")]
    pages = [path for path, _, _ in files if path.endswith(".md")]
    with tempfile.TemporaryDirectory() as folder:
        kept, passed = asked(name, copy_with(name, Path(folder)))
    new = sum(is_new for _, is_new, _ in code)
    lines = " + ".join(str(count) for _, _, count in code)
    cells = [name, ADDITIONS[name].what, f"{len(code)} ({new})", ", ".join(pages), lines, kept, passed, ADDITIONS[name].before]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(ADDITIONS)}; all where none is named")
    parser.add_argument("--check", action="store_true", help="only whether the patches fit")
    options = parser.parse_args()
    unknown = set(options.names) - set(ADDITIONS)
    if unknown:
        parser.error(f"There is no addition {', '.join(sorted(unknown))}. Known: {', '.join(ADDITIONS)}.")
    names = options.names or list(ADDITIONS)
    stale = [name for name in names if not fits(name)]
    if stale:
        sys.exit(f"These patches don't fit the checkout any more: {', '.join(stale)}. Make them again where they touch it.")
    if options.check:
        return
    print(
        "| addition | what | files (new) | and a row in | lines added per file | laws kept | tests passed | files before (new) |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        print(row(name), flush=True)
    print(f"\nCommit {commit()}.")


if __name__ == "__main__":
    main()
