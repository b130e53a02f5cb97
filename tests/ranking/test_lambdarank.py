from __future__ import annotations

import importlib
import threading
from multiprocessing import get_context

import numpy as np
import pytest

from vitrina.base.errors import ArtifactError, MissingExtraError, ParameterError
from vitrina.ranking import lambdarank
from vitrina.ranking.lambdarank import LambdaRank, TreeRanker, grades_of, levels_of
from vitrina.ranking.ranker import Examples
from vitrina.ranking.trees import Trees

lightgbm = pytest.importorskip("lightgbm")
SMALL = LambdaRank(trees=30, leaves=7, least_pairs=5)


def examples(queries: int = 120, seed: int = 0, missing: float = 0.1) -> Examples:
    """Taken where the first feature is high, or the second where the third is."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 20, queries)
    features = rng.normal(size=(lengths.sum(), 5)).astype(np.float32)
    wanted = features[:, 0] + np.where(features[:, 2] > 0, features[:, 1], 0)
    gains = (wanted + rng.normal(size=len(wanted)) > 1.5).astype(np.float32)
    features[rng.random(features.shape) < missing] = np.nan
    return Examples(features, gains, lengths, ("a", "b", "c", "d", "e"), rng.random(queries) < 0.2)


def booster(ranker: TreeRanker) -> object:
    return lightgbm.Booster(model_str=ranker.trees.text.decode() + "\nfeature_importances:\n\nparameters:\nend of parameters\n")


@pytest.mark.parametrize("seed", range(20))
def test_scores_and_contributions_are_those_of_lightgbm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    learned = examples(60, seed, missing=rng.choice([0, 0.2]))
    ranker = LambdaRank(trees=12, leaves=int(rng.integers(2, 33)), least_pairs=int(rng.integers(1, 20)), seed=seed).fit(learned)
    asked = np.vstack([learned.features, np.full((2, 5), np.nan, np.float32), np.zeros((1, 5), np.float32)])
    expected = booster(ranker).predict(asked, num_threads=1)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(ranker.score(asked), expected.astype(np.float32))
    explained = booster(ranker).predict(asked[-40:], num_threads=1, pred_contrib=True)  # type: ignore[attr-defined]
    np.testing.assert_allclose(ranker.contributions(asked[-40:]), explained[:, :-1], atol=1e-9)
    assert ranker.trees.base == pytest.approx(explained[0, -1], abs=1e-9)
    gains = booster(ranker).feature_importance("gain")  # type: ignore[attr-defined]
    np.testing.assert_allclose(ranker.gains, gains / max(gains.sum(), 1e-300), atol=1e-5)


def test_what_was_learned_orders_better_than_chance_and_stops_early() -> None:
    learned = examples(400)
    ranker = LambdaRank(trees=500, leaves=4, least_pairs=20, learning_rate=0.3, patience=10).fit(learned)
    assert 1 <= len(ranker.trees) < 100
    assert set(np.argsort(-ranker.gains)[:3]) == {0, 1, 2}
    taken, scores = learned.gains > 0, ranker.score(learned.features)
    assert scores[taken].mean() > scores[~taken].mean() + 0.5


def test_what_learns_again_has_as_many_trees_and_does_not_stop_by_what_is_held_out() -> None:
    model = LambdaRank(trees=300, leaves=7, least_pairs=5, patience=10)
    stopped, more = model.fit(examples(200)), examples(400, seed=1)
    again = model.fit_again(more, stopped)
    assert len(again.trees) == len(stopped.trees) < 300
    alone = model.model_copy(update={"trees": len(stopped.trees)}).fit(more.take(~more.held_out))
    assert again.trees.text == alone.trees.text


def test_the_same_seed_gives_the_same_trees_and_another_one_others() -> None:
    learned = examples()
    texts = [SMALL.model_copy(update={"seed": seed}).fit(learned).trees.text for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_scores_from_threads_and_processes_made_by_fork_are_the_same() -> None:
    learned = examples()
    ranker = SMALL.fit(learned)
    expected = ranker.score(learned.features)
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(np.array_equal(ranker.score(learned.features), expected))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 8
    with get_context("fork").Pool(2) as pool:
        for scores in pool.map(ranker.score, [learned.features] * 4):
            np.testing.assert_array_equal(scores, expected)


def test_state_makes_the_same_ranker_again_without_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = examples()
    ranker = SMALL.fit(learned)
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail(f"{name} is imported"))
    again = TreeRanker.of_state(ranker.state())
    np.testing.assert_array_equal(again.score(learned.features), ranker.score(learned.features))
    assert repr(again) == repr(ranker)


def test_gains_become_grades() -> None:
    assert levels_of(np.zeros(3, np.float32)).tolist() == [0]
    many = np.linspace(0, 1000, 5000, dtype=np.float32)
    levels = levels_of(many)
    assert len(levels) == 32
    assert levels[0] == 0
    assert (np.diff(levels) > 0).all()
    grades = grades_of(many, levels)
    assert (np.diff(grades) >= 0).all()
    assert grades.max() == 31
    assert (grades[many > 0] > 0).all()
    assert grades[0] == 0
    graded = examples()
    stars = np.where(graded.gains > 0, np.random.default_rng(0).integers(1, 6, len(graded.gains)), 0).astype(np.float32)
    SMALL.fit(Examples(graded.features, stars, graded.lengths, graded.names, graded.held_out))


def test_nothing_held_out_and_nothing_to_learn() -> None:
    learned = examples()
    whole = Examples(learned.features, learned.gains, learned.lengths, learned.names, np.zeros(len(learned), bool))
    assert len(SMALL.fit(whole).trees) == 30
    with pytest.raises(ParameterError, match="nothing to learn from: all 120 queries are held out"):
        SMALL.fit(Examples(learned.features, learned.gains, learned.lengths, learned.names, np.ones(len(learned), bool)))
    nobody = Examples(learned.features, np.zeros_like(learned.gains), learned.lengths, learned.names, learned.held_out)
    assert len(np.unique(SMALL.fit(nobody).score(learned.features))) == 1  # nothing was taken: no tree has a split


def test_without_lightgbm_or_its_library_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    def broken(name: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(lambdarank.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"LambdaRank needs LightGBM. Install it with: pip install 'vitrina\[rank\]'"):
        LambdaRank().fit(examples())
    monkeypatch.setattr(lambdarank.importlib, "import_module", broken)
    with pytest.raises(MissingExtraError, match=r"can't be loaded: libgomp.so.1.*apt install libgomp1"):
        LambdaRank().fit(examples())


@pytest.mark.parametrize(
    "text", [b"no trees", b"tree\n\nTree=0\nnum_leaves=2\n", b"tree\n\nTree=0\nnum_leaves=40\nnum_cat=0\nis_linear=0\n", b"\xff"]
)
def test_what_is_not_of_lightgbm_is_refused(text: bytes) -> None:
    with pytest.raises(ArtifactError, match="trees of a ranker are not as LightGBM writes them"):
        Trees(("a",), text).score(np.zeros((1, 1), np.float32))


def test_examples_that_do_not_fit_together_are_refused() -> None:
    features, three = np.zeros((3, 1), np.float32), np.zeros(3, np.float32)
    with pytest.raises(ParameterError, match="'lengths' that sum up"):
        Examples(features, three, np.array([2]), ("a",), np.zeros(1, bool))
    with pytest.raises(ParameterError, match=r"'held_out' of Examples must have 1 rows\. Got 2"):
        Examples(features, three, np.array([3]), ("a",), np.zeros(2, bool))
