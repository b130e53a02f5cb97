"""The addresses of docs/console.md are asked as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from looked_at import Looked

PAGE = Path(__file__).parents[3] / "docs" / "console.md"
ADDRESSES = re.findall(r"^curl 'http://localhost:8000(.*)'$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_the_page_answers(opened: Looked, address: str) -> None:
    answer = httpx.get(opened.address + address, timeout=60)
    assert answer.status_code == 200
    assert "Nobody knows" not in answer.text
    assert "There is no" not in answer.text


def test_there_are_some() -> None:
    assert len(ADDRESSES) > 12
