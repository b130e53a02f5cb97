"""What `vitrina compare --quality` does beside the comparison: finds out how far it can be believed, and writes the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrina.base.executor import Executor
from vitrina.base.files import write_text
from vitrina.board.examine import Examined, announced, examine, planned
from vitrina.board.result import Board
from vitrina.cli import console
from vitrina.cli.config import Plan
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.pages.quality import Study, render

OF_COMPARE = ("metrics", "primary", "k", "seed", "rules")  # options of a comparison that its examination shares


@dataclass(frozen=True)
class Asked:
    """That the quality is asked, and the seconds of fitting that it may take."""

    seconds: float

    def examine(
        self, plan: Plan, board: Board, folds: Sequence[Split], data: Dataset, cache: Path, executor: Executor | None
    ) -> Examined | None:
        """Find out what the board doesn't hold; None where there is no order, which a note says."""
        models = [entry.name for entry in board.entries if entry.status == "ok"]
        if len(models) < 2:
            console.warn(f"No quality of an order: it takes two models that have answered. Got {', '.join(models) or 'none'}.")
            return None
        for line in announced(*planned(board, folds[-1], self.seconds), self.seconds):
            console.note(line)
        options = {name: value for name, value in plan.options().items() if name in OF_COMPARE}
        try:
            return examine(
                board, folds, data, seconds=self.seconds, cache=cache, executor=executor, **options,
                report=lambda what, number, of: console.note(f"{number + 1} of {of}: {what}"),
            )  # fmt: skip
        except KeyboardInterrupt:
            console.note(f"Finished fits are kept in {cache}: the same command goes on from there.")
            raise

    def write(self, found: Examined, out: Path, *, quiet: bool) -> None:
        """The page and the numbers."""
        left = (f"Left out of {self.seconds:,.0f} s: {step.what}" for step in found.left)
        settings = {
            name: str(found.board.settings[name])
            for name in ("seed", "split_fingerprint", "machine", "command")
            if name in found.board.settings
        }
        date = str(found.board.settings.get("date", "")).partition("T")[0]
        study = Study(f"Which benchmark to believe: {_log(found.board)}", found.quality, (*found.notes, *left), settings, date)
        write_text(out / "quality.json", json.dumps(console.plain(found.quality), ensure_ascii=False, indent=1))
        write_text(out / "quality.html", render(study))
        if not quiet:
            console.out().print(found.quality)
            console.note(f"\nPage: {out / 'quality.html'}")


def _log(board: Board) -> str:
    return board.title.removeprefix("Models for ")
