"""Every table of quality on the pages says above itself how its numbers came about."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / "boards.md", ROOT / "docs" / "sequence.md", ROOT / "benchmarks" / "RESULTS.md"]
QUALITY = re.compile(r"nDCG|Recall@|HitRate@|HR@|Coverage@")  # in the head of a table


def uncarded(page: str) -> Iterator[str]:
    """Heads of the tables of quality that have no protocol between themselves and what is before them: a title, or another table."""
    said, lines = False, page.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        said = (said or bool(re.match(r"(- )?Protocol(, [^:]+)?: ", line))) and not re.match(r"#+ ", line)
        if after.startswith("|---") and QUALITY.search(line) and not said:
            yield line
        said = said and (not line.startswith("|") or after.startswith("|"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_table_of_quality_has_its_protocol(page: Path) -> None:
    assert list(uncarded(page.read_text(encoding="utf-8"))) == []


def test_a_table_without_a_protocol_is_found() -> None:
    table = "| model | nDCG@10 |\n|---|---|\n| a | 1 |\n"
    assert list(uncarded(f"Protocol: strict.\n\n{table}")) == []
    assert list(uncarded(f"- Protocol, a log: strict.\n- Protocol, another: strict.\n\n{table}")) == []
    assert list(uncarded("| work | seconds |\n|---|---|\n| a | 1 |\n")) == []
    assert len(list(uncarded(f"Protocol: strict.\n\n{table}\n{table}"))) == 1
    assert len(list(uncarded(f"Protocol: strict.\n\n## Others\n\n{table}"))) == 1
