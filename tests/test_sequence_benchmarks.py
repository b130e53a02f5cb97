"""The benchmarks of sequence models: what they would train, and that a finished run is not run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = (
    "bench_sequence_epoch.py", "bench_sequence_memory.py", "reproduce_sequence.py", "ablation.py", "sequence_repeats.py", "sequence_cold.py", "sequence_tuned.py",
    "sequence_time.py",
)  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_tells_its_use(script: str) -> None:
    done = subprocess.run([sys.executable, script, "--help"], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {script}")


@pytest.mark.parametrize("days", [True, False])
def test_an_ablation_changes_one_part_at_a_time(days: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from ablation import BASE, MOST, networks

    found = networks(days=days)
    base = found[BASE][1]
    assert 10 < len(found) <= MOST
    for name, (kind, model) in found.items():
        if name != BASE:
            differing = [field for field in type(base).model_fields if getattr(model, field) != getattr(base, field)]
            wanted = {"negatives": ["loss"], "block": ["layers" if "one block" in name else "block"]}.get(kind, [kind])
            assert differing == wanted + ["training"] * (name in ("next action", "all action, 60 days")), (
                name
            )  # what asks once a window needs more epochs
            assert model.training.learning_rate == base.training.learning_rate
    assert not any(model.objective.needs_time for _, model in found.values()) or days


def test_a_finished_run_is_read_and_not_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import sequence_runs
    import vitrina as vt

    monkeypatch.setattr(sequence_runs, "CACHE", tmp_path)
    split = vt.testing.synthetic(users=40, items=30).split(vt.split.GlobalTime(quantile=0.7))
    model = vt.eSASRec(dim=8, training=vt.sequence.Training(epochs=1))
    first = sequence_runs.measured(model, split, ["nDCG@10"])
    assert first.epochs == 1
    assert len(first.per_query) == len(split.queries)

    def refuse(*_: object) -> None:
        raise AssertionError("it ran again")

    monkeypatch.setattr(sequence_runs, "_run", refuse)
    assert sequence_runs.measured(model, split, ["nDCG@10"]) == first
    with pytest.raises(AssertionError, match="ran again"):
        sequence_runs.measured(sequence_runs.changed(model, seed=1), split, ["nDCG@10"])
    monkeypatch.setattr(sequence_runs, "CODE", {"sequence": "other", "models": "other"})
    assert sequence_runs.measured(model, split, ["nDCG@10"], resume=True) == first
    with pytest.raises(AssertionError, match="ran again"):
        sequence_runs.measured(model, split, ["nDCG@10"])
