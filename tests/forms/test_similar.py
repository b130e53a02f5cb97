"""Similar items and people against plain NumPy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.types import Eligibility, Ragged

DATA = vt.testing.synthetic(users=50, items=24, groups=4, seed=3)
RELATED = [
    vt.Cooccurrence(neighbours=100), vt.EASE(l2=3), vt.EASE(l2=3, max_items=12), vt.ContentSimilarity(columns=("group",)),
    vt.eSASRec(dim=8, training=vt.sequence.Training(epochs=1, patience=None)),
]  # fmt: skip
ALL = np.arange(DATA.n_items)


def relations(fitted):
    """(items, items) likeness, -inf where there is none, from the parameters alone."""
    if isinstance(fitted, vt.ItemMap) and fitted.is_dense:
        out = np.full((24, 24), -np.inf)
        out[np.ix_(fitted.kept, fitted.kept)] = fitted.weight_from_to
        return out
    if isinstance(fitted, vt.ItemMap):
        dense = fitted.weight_from_to.toarray()
        return np.where(dense == 0, -np.inf, dense)
    sparse = not isinstance(fitted.item_vectors, np.ndarray)
    vectors = fitted.item_vectors.toarray() if sparse else fitted.item_vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    out = unit @ unit.T
    return np.where((lengths == 0) | (lengths.T == 0) | ((out == 0) & sparse), -np.inf, out)


@pytest.fixture(scope="module", params=RELATED, ids=repr)
def fitted(request):
    return request.param.fit(DATA)


def test_similar_items_are_the_best_of_the_weights_or_cosines(fitted):
    ids, wanted = DATA.items.ids.to_list(), relations(fitted)
    lists = fitted.similar_items(ids, 5)
    for item in ALL:
        scores = {int(j): wanted[item, j] for j in fitted.catalogue.items if j != item and wanted[item, j] > -np.inf}
        best = sorted(scores.values(), reverse=True)[:5]
        got = [j for j in lists.items[item].tolist() if j >= 0]
        assert item not in got
        assert len(got) == len(best) == len(set(got))
        np.testing.assert_allclose(lists.scores[item][: len(got)], best, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose([scores[j] for j in got], best, rtol=1e-4, atol=1e-6)
    assert not lists.fallback.any()
    assert lists.to_frame().columns == ["similar_to", "rank", "item_id", "title", "score", "source"]
    assert fitted.similar_items(ids[3:4], 5).items.tolist() == lists.items[3:4].tolist()


def test_similar_items_keep_to_what_may_be_shown_and_survive_saving(fitted, tmp_path):
    ids = DATA.items.ids.to_list()[:3]
    only = Eligibility(include=[0, 5, 6, 7], exclude=Ragged.of([[5], [6], []]))
    lists = fitted.similar_items(ids, 4, eligible=only)
    assert set(lists.items.ravel().tolist()) <= {0, 5, 6, 7, -1}
    assert 5 not in lists.items[0]
    assert 6 not in lists.items[1]
    assert 0 not in lists.items[0]
    again = vt.load(vt.save(fitted, tmp_path / "a")).recommender.similar_items(ids, 4, eligible=only)
    assert again.items.tolist() == lists.items.tolist()
    with pytest.raises(ParameterError, match="as many rows"):
        fitted.similar_items(ids[:2], 4, eligible=only)


def test_what_is_not_known_or_not_related_is_said(fitted):
    for wrong in (["nope"], "i1", 3):
        with pytest.raises(ParameterError, match=r"doesn't know 'nope'|are a list of ids"):
            fitted.similar_items(wrong, 3)
    for model in (vt.Popularity(), vt.TopPersonal(), vt.RandomItems(), vt.TifuKNN(neighbours=2)):
        with pytest.raises(ParameterError, match="nothing about pairs of items"):
            model.fit(DATA).similar_items(["i1"], 3)
    with pytest.raises(ParameterError, match="nothing about people"):
        fitted.similar_users(["u1"], 3)
    assert fitted.similar_items([], 3).items.shape == (0, 3)


@pytest.mark.parametrize("ids", [[f"ü{c}" for c in range(50)], list(range(100, 150))])
def test_similar_users_are_the_nearest_vectors(ids, tmp_path):
    log = DATA.frame().with_columns(pl.col("user_id").replace_strict(dict(zip(DATA.users.ids, ids, strict=True))))
    data = vt.read_interactions(log.filter(pl.col("user_id") != ids[4]))
    fitted = vt.TifuKNN(neighbours=3).fit(data.sharded(3))
    people, vectors = fitted.people.ids.to_list(), fitted.vectors.toarray()
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    asked = [people[7], people[0]]
    lists = fitted.similar_users(asked, 4)
    for row, person in enumerate(asked):
        others = sorted(distance[people.index(person), j] for j in range(len(people)) if people[j] != person)
        np.testing.assert_allclose(-lists.scores[row], others[:4], rtol=1e-4, atol=1e-4)
        assert person not in lists.to_frame().filter(pl.col("similar_to") == person)["user_id"].to_list()
    again = vt.load(vt.save(fitted, tmp_path / "a")).recommender
    assert again.people.ids.to_list() == people
    assert again.similar_users(asked, 4).items.tolist() == lists.items.tolist()
    with pytest.raises(ParameterError, match="doesn't know"):
        fitted.similar_users([ids[4]], 2)
