"""A policy is saved without code or pickle, and answers the same when it is read; damage is refused."""

import json

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError
from vitrina.base.files import sha256_of
from vitrina.policy import (
    Always,
    AtRandom,
    Boosting,
    Columns,
    DecisionLog,
    DRLearner,
    Explored,
    OfferWorld,
    Outcome,
    Plugin,
    PolicyTree,
    Ridge,
    Thompson,
    fit_policy,
)  # fmt: skip
from vitrina.policy.policies import chances_of

WORLD = OfferWorld()
LOG = WORLD.log(400, 1)
BIASED = DecisionLog.of_frame(
    WORLD.table(400, 2, random=0.0), action="arm", reward="orders", features=list(LOG.units.features.columns), arms=WORLD.arms
)


def policies():
    yield Always("5%")
    yield AtRandom()
    yield PolicyTree().fit(LOG, "orders")
    yield Plugin(model=Ridge()).fit(LOG, "orders")
    yield Plugin(model=Ridge()).fit(LOG, "orders", biased=BIASED)
    yield DRLearner(model=Ridge()).fit(LOG, "orders", biased=BIASED)
    yield Plugin(model=Outcome(model=Ridge(), monotone="increasing")).fit(LOG, "orders")
    tree = PolicyTree(depth=1).fit(LOG, "orders")
    yield Explored(tree, share=0.2, towards=Thompson(tree, least=0.02))


@pytest.mark.parametrize("policy", policies(), ids=repr)
def test_saved_and_read_it_answers_the_same(policy, tmp_path):
    artifact = vt.load(vt.save(policy, tmp_path / "policy"))
    assert np.array_equal(chances_of(artifact.policy, LOG), chances_of(policy, LOG))
    assert not any(path.suffix in (".pkl", ".pickle", ".joblib") for path in (tmp_path / "policy").rglob("*"))
    assert artifact.manifest["check"]["chances"]
    assert "a policy" in repr(artifact)


def test_trees_of_scikit_learn_are_kept_as_arrays(tmp_path):
    pytest.importorskip("sklearn")
    for model in (Boosting(rounds=5), Outcome(model=Boosting(rounds=5), monotone="increasing")):
        policy = Plugin(model=model).fit(LOG, "orders")
        read = vt.load(vt.save(policy, tmp_path / "trees")).policy
        assert np.array_equal(read.model.predict(LOG.units), policy.model.predict(LOG.units))


def test_a_learned_policy_is_saved_as_its_policy(tmp_path):
    learned = fit_policy(LOG, PolicyTree(depth=1), reward="orders", folds=2)
    read = vt.load(vt.save(learned, tmp_path / "learned")).policy
    assert str(read) == str(learned.policy)


def test_columns_are_kept(tmp_path):
    for policy in (Columns(arm="best"), Columns(chances={"0%": "p0", "5%": "p5"})):
        assert vt.load(vt.save(policy, tmp_path / "columns")).policy == policy


def test_no_client_is_in_the_artifact(tmp_path):
    folder = vt.save(PolicyTree().fit(LOG, "orders"), tmp_path / "tree")
    assert not any(client.encode() in path.read_bytes() for client in LOG.cluster_ids[:20] for path in folder.rglob("*") if path.is_file())


def test_damage_is_refused(tmp_path):
    folder = vt.save(PolicyTree().fit(LOG, "orders"), tmp_path / "tree")
    arm = folder / "parameters" / "arm.npy"
    np.save(arm, 2 - np.load(arm))
    with pytest.raises(ArtifactError, match="is damaged"):
        vt.load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["parameters/arm.npy"] = sha256_of(arm)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"answers otherwise.*the chance of"):
        vt.load(folder)


def test_somebodys_own_model_is_refused_with_what_to_do(tmp_path):
    linear = pytest.importorskip("sklearn.linear_model")
    policy = Plugin(model=linear.LinearRegression()).fit(LOG, "orders")
    with pytest.raises(ArtifactError, match=r"LinearRegression.*no pickle.*Use Ridge"):
        vt.save(policy, tmp_path / "own")
    with pytest.raises(ArtifactError, match="not fitted yet"):
        vt.save(PolicyTree(), tmp_path / "own")


def test_a_policy_is_no_recommender(tmp_path):
    artifact = vt.load(vt.save(Always("5%"), tmp_path / "policy"))
    with pytest.raises(ArtifactError, match="holds a policy"):
        _ = artifact.vocabulary
    with pytest.raises(AttributeError, match=r"artifact\.policy\.probabilities"):
        artifact.probabilities(None)
    data = vt.testing.toy()
    with pytest.raises(ArtifactError, match="log of decisions"):
        vt.save(Always("5%"), tmp_path / "policy", data=data)
    popular = vt.load(vt.save(vt.Popularity().fit(data), tmp_path / "popular"))
    with pytest.raises(ArtifactError, match="no policy"):
        _ = popular.policy
