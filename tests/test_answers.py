"""What every model answers on a small log, kept in a file: who changes it raises `ANSWERS`, or caches would hold former answers.

Make the file again with: python tests/test_answers.py
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.cli import names
from vitrina.cli.main import app
from vitrina.jobs import cache

FIXTURES = Path(__file__).parent / "fixtures"
DAY = vt.decay.Exponential(days=20)
MODELS = {  # networks are left out: their numbers depend on the machine
    "popularity": vt.Popularity(),
    "popularity, fading": vt.Popularity(half_life=30),
    "popularity, recent": vt.Popularity(days=14, by="events"),
    "random": vt.RandomItems(seed=3),
    "top personal": vt.TopPersonal(),
    "top personal, fading": vt.TopPersonal(decay=DAY),
    "co-occurrence": vt.Cooccurrence(),
    "co-occurrence, BM25": vt.Cooccurrence(weighting=vt.weighting.BM25(), neighbours=10, decay=vt.decay.Exponential(events=3), last=8),
    "co-occurrence, content": vt.Cooccurrence(content=vt.Content(weight=0.3), gap=DAY, one_way=True),
    "EASE": vt.EASE(l2=20),
    "EASE, some items": vt.EASE(l2=20, max_items=12),
    "TIFU-KNN": vt.TifuKNN(neighbours=5),
    "content": vt.ContentSimilarity(decay=DAY),
    "blend": vt.Blend(models=(vt.Cooccurrence(), vt.ContentSimilarity(decay=DAY)), weights=(1, 0.5), scale=vt.scale.AsIs()),
    "blend of lists": vt.Blend(models=(vt.EASE(l2=20), vt.Reranked(model=vt.Popularity(), reranker=vt.testing.ByHash())), weights=(1, 1)),
    "transitions": vt.Cooccurrence(weighting=vt.weighting.Transitions(), gap=vt.decay.Window(events=3), one_way=0.5),
    "two stages by their best source": vt.TwoStage(
        sources=(vt.ranking.Source(model=vt.Cooccurrence(), n=5), vt.ranking.Source(model=vt.TopPersonal(), n=5)), queries=10
    ),  # too few to learn from: trees would depend on the machine
    "IALS by an index": vt.Indexed(model=vt.IALS(dim=8)),
    "re-ranked": vt.Reranked(model=vt.EASE(l2=20), reranker=vt.testing.ByHash(), candidates=6),
}


def path() -> Path:
    return FIXTURES / f"answers-{cache.ANSWERS}.json"


def unlisted() -> dict[str, Any]:
    """Models that the package has got since: as they come, until somebody lists a variant. They are in the file when it is made next."""
    recorded = {type(model).__name__ for model in MODELS.values()}
    found = {name: cls for name, cls in names.models().items() if isinstance(cls, type) and cls.__name__ not in recorded}
    return {name: cls() for name, cls in found.items() if "torch" not in cls.needs}


def answers() -> dict[str, dict]:
    """Three items for every fifth query of a split, with and without repeats, by model."""
    found = {}
    for repeat in (True, False):
        split = vt.testing.synthetic(users=60, items=24).split(vt.split.GlobalTime(days=12, repeat=repeat))
        rows = np.arange(0, len(split.queries), 5)
        for name, model in (MODELS | unlisted()).items():
            lists = model.fit(split.train).recommend(split.queries[rows], 3, eligible=split.eligible)
            scores = [[None if np.isnan(s) else float(f"{s:.5g}") for s in row] for row in lists.scores.tolist()]
            found[f"{name}, {'repeats' if repeat else 'no repeats'}"] = {"items": lists.items.tolist(), "scores": scores}
    return found


def test_models_answer_as_the_number_of_the_cache_says():
    told = "answers changed: raise ANSWERS in jobs/cache.py and make the file again with: python tests/test_answers.py"
    assert path().exists(), f"{path().name} is missing; {told}"
    kept, found = json.loads(path().read_text(encoding="utf-8")), answers()
    assert list(kept) == [name for name in found if name in kept], told
    for name, answer in found.items():
        if name not in kept:
            continue
        assert kept[name]["items"] == answer["items"], f"{name}: {told}"
        wanted, got = (np.array(a["scores"], np.float64) for a in (kept[name], answer))
        assert np.allclose(wanted, got, rtol=1e-3, atol=1e-6, equal_nan=True), f"{name}: {told}"


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("former", [cache.ANSWERS, 1])
def test_only_answers_of_this_code_are_taken_from_a_cache(former, tmp_path, monkeypatch):
    split = vt.testing.synthetic(users=40, items=20).split(vt.split.GlobalTime(quantile=0.8))
    with monkeypatch.context() as at:
        at.setattr(cache, "ANSWERS", former)
        vt.compare([vt.Popularity()], split, metrics=["nDCG@10"], baselines=False, cache=tmp_path, progress=False)
    again = vt.compare([vt.Popularity()], split, metrics=["nDCG@10"], baselines=False, cache=tmp_path, progress=False)
    assert again.entries[0].cached == (former == cache.ANSWERS)


@pytest.mark.usefixtures("one_process")
def test_the_board_that_former_code_kept_is_fitted_again(tmp_path, monkeypatch):
    shutil.copytree(FIXTURES / "board-1", tmp_path / "board")
    monkeypatch.chdir(tmp_path / "board")
    assert [p.name for p in Path("report/.cache").iterdir() if p.name.startswith("model-")]
    done = CliRunner().invoke(app, ["compare", "vitrina.toml", "--out", "report", "--force"])
    assert done.exit_code == 0, done.output
    board = json.loads(Path("report/board.json").read_text(encoding="utf-8"))
    assert [e["name"] for e in board["entries"] if e["cached"]] == []


if __name__ == "__main__":
    path().write_text(json.dumps(answers(), indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
