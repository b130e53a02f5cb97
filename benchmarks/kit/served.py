"""What the benchmarks of the service serve: three artifacts of a made-up log of 100,000 items, made once and kept in the cache.

    python -m benchmarks.kit.served

The log has tastes (200 groups of items), so that neighbours mean something, a million events of 50,000 people, and titles. Nothing is tuned: only sizes and costs are those of a shop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import vitrina as vt
from benchmarks.kit.places import CACHE

USERS, ITEMS, EVENTS = 50_000, 100_000, 20  # events per person, on average
FOLDER = CACHE / "service"
LOG, TABLE = FOLDER / "log.parquet", FOLDER / "items.parquet"
READ: dict[str, Any] = {"source": str(LOG), "user": "user_id", "item": "item_id", "time": "timestamp"}


def esasrec() -> vt.SequenceModel:
    """Vectors of 64 numbers, one epoch with sampled negatives: the answers cost what those of a good one would."""
    return vt.sequence.published_eSASRec(dim=64, layers=2, training=vt.sequence.Training(epochs=1))


def item_map() -> vt.Cooccurrence:
    """50 neighbours per item: 5 million weights."""
    return vt.Cooccurrence(neighbours=50)


def two_stage() -> vt.TwoStage:
    """200 candidates of two sources, the standard features, LightGBM."""
    sources = (vt.ranking.Source(model=item_map(), n=150), vt.ranking.Source(model=vt.Popularity(days=30), n=50, name="Popularity, recent"))
    return vt.TwoStage(sources=sources, windows=1, queries=3000)


MODELS: Mapping[str, Callable[[], Any]] = {"esasrec": esasrec, "itemmap": item_map, "twostage": two_stage}


def log() -> vt.Dataset:
    """Read from the file, which is drawn where it isn't there yet."""
    if not LOG.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        data = vt.testing.synthetic(USERS, ITEMS, EVENTS, groups=200)
        assert data.item_table is not None
        data.item_table.frame.with_columns(item_id=data.items.ids).write_parquet(TABLE)
        data.frame().write_parquet(LOG)
    return vt.read_interactions(**READ, items=TABLE, title="title")


def artifact(name: str) -> Path:
    """The folder of an artifact, fitted where it isn't there yet."""
    from vitrina.cli.log import events_fingerprint

    folder = FOLDER / name
    if not (folder / "manifest.json").exists():
        model, data = MODELS[name](), replace(log(), repeat=False)
        source = {"read": READ, "filters": {}, "fingerprint": events_fingerprint(data), "repeat": False}
        vt.save(model.fit(data), folder, model=model, data=data, source=source, onnx=True)  # as vitrina fit writes it
    return folder


def main() -> None:
    for name in MODELS:
        size = sum(path.stat().st_size for path in artifact(name).rglob("*") if path.is_file())
        print(json.dumps({"artifact": name, "MB": round(size / 1e6)}), flush=True)


if __name__ == "__main__":
    main()
