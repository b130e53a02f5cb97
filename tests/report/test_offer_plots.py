"""The plots of docs/offers.md are what its code draws: python examples/taxi_plots.py docs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"-?\d+\.?\d*")


def test_the_plots_of_the_page_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    runpy.run_path(str(ROOT / "examples" / "taxi_plots.py"))["write_plots"](tmp_path)
    drawn = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert drawn == sorted(path.name for path in (ROOT / "docs").glob("offers-*.svg"))
    for name in drawn:
        new, kept = (folder.joinpath(name).read_text() for folder in (tmp_path, ROOT / "docs"))
        assert NUMBER.sub("n", new) == NUMBER.sub("n", kept)
        found, wanted = (np.array([float(n) for n in NUMBER.findall(text)]) for text in (new, kept))
        assert np.abs(found - wanted).max() < 1  # pixels, and the last digit of a number in the text
