"""What `vitrina search build` does and says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from vitrina.cli import console, outputs
from vitrina.cli.search_file import read_search_file
from vitrina.cli.search_make import engine_of, index_of, mixed, sources_of

ARTIFACT = "search"  # the folder of the search, inside that of the results


def built(config: Path, out: Path | None, *, trust: bool, force: bool) -> dict[str, Any]:
    """The search as an artifact; what it is made of, and how long that took."""
    from vitrina import artifacts

    job = read_search_file(config, trust=trust)
    folder = out or job.out
    artifact = folder / ARTIFACT
    outputs.check_artifact(artifact, "Search", {"source": job.sources()}, force=force)
    began = time.perf_counter()
    with console.working("Reading the items"):
        table = job.items()
    index = index_of(job, table, folder)
    with console.working("Writing the search"):
        engine = engine_of(job, index, mixed(job, sources_of(job, index)))
        artifacts.save(engine, artifact)
    for note in engine.notes:
        console.note(note)
    return {
        "artifact": artifact, "items": len(table), "columns": job.weights, "language": list(job.languages), "parts": repr(engine),
        "vectors": 0 if job.encoder is None else job.encoder.dim, "seconds": round(time.perf_counter() - began, 2),
    }  # fmt: skip


def built_in_words(said: dict[str, Any]) -> str:
    """What was built, and what to type next."""
    meaning = f" and by vectors of {said['vectors']} numbers" if said["vectors"] else ""
    return (
        f"{said['items']:,} items can be searched by the words of {', '.join(said['columns'])}{meaning}. It took {said['seconds']:.1f} seconds.\n"
        f'Ask with: vitrina search ask {said["artifact"].parent} "what somebody types"'
    )
