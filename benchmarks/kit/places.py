"""Where the benchmarks keep what they make, and where the real data are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
ROOT = BENCHMARKS.parent
CACHE = BENCHMARKS / ".cache"  # logs, runs, boards and the environments of the peers
SHARED = Path(os.environ.get("VITRINA_CACHE", CACHE))  # large logs and what was measured on them, which several checkouts may share


def data_folder() -> Path:
    """Where the real data are: $VITRINA_DATA, or shared/data beside the project."""
    folder = Path(os.environ.get("VITRINA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"The real data are not in {folder}. Set VITRINA_DATA to their folder.")
    return folder
