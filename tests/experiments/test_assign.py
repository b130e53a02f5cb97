"""Assignment against the written rule, in plain Python; golden values are `printf '%s' TEXT | sha256sum`."""

import hashlib
import json
import shutil
import subprocess
import sys
from itertools import pairwise
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from scipy import stats

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.base.places import places

OFFER = vt.experiments.Experiment(name="offer", arms={"none": 0.5, "five": 0.25, "ten": 0.25})
GOLDEN = {
    ("arm", "offer", "ann"): "ac1166372684077b305ae2023ef40",
    ("arm", "offer", "7"): "cde6a66d61a6febec8d8eb902f7f8",
    ("layer", "page", "ann"): "a27caf2fc6e0e601ec5a6c314e72d",
    ("holdout", "holdout", "ann"): "6e8ba49f6a9c6528c2dbd60c28cbc",
    ("arm", "скидка", "Аня"): "b49e00fb21c44fe530e74a9144d1f",
}
IDS = {
    "numbers": [str(n) for n in range(20_000)],
    "thousands": [str(1000 * n) for n in range(20_000)],
    "padded": [f"{n:012d}" for n in range(20_000)],
    "mail": [f"user{n}@example.org" for n in range(20_000)],
    "uuid": [str(UUID(int=n << 64)) for n in range(20_000)],
}


def place_by_hand(purpose, salt, id, first=0):
    digits = hashlib.sha256(f"{purpose}:{salt}:{id}".encode()).hexdigest()
    return int(digits[first : first + 13], 16) / 16**13


def arm_by_hand(experiment, id):
    """The docstring, read aloud."""
    if place_by_hand("holdout", experiment.holdout_salt, id) < experiment.holdout:
        return None
    first, stop = experiment.buckets
    if experiment.layer is not None and not first <= int(place_by_hand("layer", experiment.layer, id) * 1000) < stop:
        return None
    salt = experiment.salt or experiment.name
    if place_by_hand("arm", salt, id, 16) >= experiment.ramp:
        return None
    at, end = place_by_hand("arm", salt, id), 0.0
    for arm, share in experiment.arms.items():
        end += share
        if at < end:
            return arm
    return arm


@pytest.mark.parametrize(("text", "digest"), GOLDEN.items())
def test_places_are_those_of_sha256sum(text, digest):
    purpose, salt, id = text
    first, second = places(purpose, salt, pl.Series([id]))
    assert (first[0], second[0]) == (int(digest[:13], 16) / 16**13, int(digest[16:], 16) / 16**13)


def test_arms_are_for_good():
    assert OFFER.assign(["ann", "bob", "7", "Аня", "user@example.org"])["arm"].to_list() == ["five", "none", "ten", "five", "none"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"layer": "page", "buckets": (100, 700)},
        {"holdout": 0.2},
        {"ramp": 0.3},
        {"salt": "again", "layer": "p", "holdout": 0.1, "ramp": 0.7},
    ],
)
def test_it_is_the_written_rule(more):
    experiment = vt.experiments.Experiment(**{"name": "offer", "arms": {"a": 0.2, "b": 0.3, "c": 0.5}, **more})
    ids = IDS["mail"][:2000]
    assigned = experiment.assign(ids)
    assert assigned["arm"].to_list() == [arm_by_hand(experiment, id) for id in ids]
    assert assigned["outside"].is_null().to_list() == assigned["arm"].is_not_null().to_list()
    assert assigned["propensity"].to_list() == [experiment.arms.get(arm) for arm in assigned["arm"]]
    assert assigned["arm"].is_not_null().mean() == pytest.approx(experiment.share, abs=0.05)
    assert [experiment.arm(id) for id in ids[:20]] == assigned["arm"].to_list()[:20]


def test_another_process_gives_the_same():
    code = "import vitrina as vt; print(vt.experiments.Experiment(name='offer', arms={'none': .5, 'five': .25, 'ten': .25}).assign(range(300))['arm'].to_list())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(OFFER.assign(range(300))["arm"].to_list())


@pytest.mark.skipif(shutil.which("node") is None, reason="Node isn't installed")
def test_another_language_gives_the_same():
    """The line of docs/experiments.md."""
    place = 'parseInt(require("node:crypto").createHash("sha256").update(`arm:discount:${id}`).digest("hex").slice(0, 13), 16) / 16 ** 13'
    code = f"console.log(JSON.stringify({json.dumps(IDS['mail'][:50])}.map(id => {place})))"
    told = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == places("arm", "discount", pl.Series(IDS["mail"][:50]))[0].tolist()


def test_ids_are_the_ids_of_the_house():
    for ids in (["7", 7, 7.0, "7.0"], np.array([7, 7]), pl.Series([7.0, 7.0]), pl.Series([7], dtype=pl.Int8)):
        assert set(OFFER.assign(ids)["arm"]) == {"ten"}
    assert OFFER.assign(pl.Series([3, 4])).columns == ["user", "arm", "propensity", "outside"]
    assert OFFER.assign(pl.Series([3, 4]))["user"].dtype == pl.Int64
    assert OFFER.assign([]).height == 0
    assert OFFER.assign(n for n in (7, 7))["arm"].to_list() == ["ten", "ten"]
    for bad in ([None], ["ann", 7.5], [""], [True]):
        with pytest.raises(ParameterError, match="place"):
            OFFER.assign(bad)
    with pytest.raises(ParameterError, match="given as a list"):
        OFFER.assign("ann")


@pytest.mark.parametrize("kind", IDS)
def test_shares_are_kept_and_independent_between_salts(kind):
    one = OFFER.assign(IDS[kind])["arm"]
    expected = [len(one) * OFFER.arms[arm] for arm in OFFER.arms]
    assert stats.chisquare([(one == arm).sum() for arm in OFFER.arms], expected).pvalue > 1e-3
    other = OFFER.model_copy(update={"salt": "again"}).assign(IDS[kind])["arm"]
    crossed = pl.DataFrame({"one": one, "other": other}).pivot("other", index="one", values="other", aggregate_function=pl.len())
    assert stats.chi2_contingency(crossed.drop("one").to_numpy()).pvalue > 1e-3


@pytest.mark.parametrize("kind", IDS)
def test_layers_holdout_ramp_and_arms_are_independent(kind):
    ids = pl.Series(IDS[kind])
    halves = [
        places("layer", "page", ids)[0] < 0.5, places("layer", "price", ids)[0] < 0.5, places("holdout", "holdout", ids)[0] < 0.5,
        places("arm", "offer", ids)[0] < 0.5, places("arm", "offer", ids)[1] < 0.5,
    ]  # fmt: skip
    together = sum(half.astype(int) << k for k, half in enumerate(halves))
    assert stats.chisquare(np.bincount(together, minlength=32)).pvalue > 1e-3
    steps = np.histogram(places("arm", "offer", ids)[0], 100, (0, 1))[0]
    assert stats.chisquare(steps).pvalue > 1e-3
    neighbours = pairwise(places("arm", "offer", ids)[0][:2000])
    assert abs(np.corrcoef(list(neighbours), rowvar=False)[0, 1]) < 0.08


def test_a_ramp_grows_and_nobody_changes_the_arm():
    before = OFFER.model_copy(update={"ramp": 0.01}).assign(IDS["numbers"])["arm"]
    for ramp in (0.05, 0.2, 0.5, 1.0):
        now = OFFER.model_copy(update={"ramp": ramp}).assign(IDS["numbers"])["arm"]
        stay = before.is_not_null()
        assert now.filter(stay).equals(before.filter(stay))
        assert now.is_not_null().mean() == pytest.approx(ramp, abs=0.01)
        before = now


def test_experiments_of_a_layer_share_nobody_and_the_holdout_is_untouched():
    one, two, three = (
        vt.experiments.Experiment(name=name, arms={"a": 0.5, "b": 0.5}, layer=layer, buckets=buckets, holdout=0.1)
        for name, layer, buckets in (("one", "page", (0, 400)), ("two", "page", (400, 1000)), ("three", "price", (0, 500)))
    )
    vt.experiments.check_together([one, two, three])
    in_one, in_two, in_three = (e.assign(IDS["mail"])["arm"].is_not_null() for e in (one, two, three))
    assert not (in_one & in_two).any()
    assert (in_one | in_two).mean() == pytest.approx(0.9, abs=0.01)
    assert (in_one & in_three).mean() == pytest.approx(0.9 * 0.4 * 0.5, abs=0.01)
    held = {frozenset(e.assign(IDS["mail"]).filter(pl.col("outside") == "holdout")["user"]) for e in (one, two, three)}
    assert len(held) == 1


def test_strata_are_shared_out_exactly_and_without_regard_to_order():
    rng = np.random.default_rng(0)
    ids, strata = pl.Series(IDS["numbers"][:5000]), pl.Series(rng.choice(["big", "small", "rare"], 5000, p=[0.3, 0.69, 0.01]))
    assigned = OFFER.assign(ids, strata=strata)
    for name in strata.unique():
        part = assigned.filter(strata == name)["arm"]
        for arm, share in OFFER.arms.items():
            assert abs((part == arm).sum() - share * len(part)) < 1 + 1e-9
    order = rng.permutation(5000)
    again = OFFER.assign(ids.gather(order), strata=strata.gather(order))
    assert again.sort("user").equals(assigned.sort("user"))


def test_strata_keep_the_chances():
    """Over many salts everybody has every arm as often as its share says."""
    ids, strata = list(range(7)), ["a"] * 5 + ["b"] * 2
    arms = [OFFER.model_copy(update={"salt": f"s{k}"}).assign(ids, strata=strata)["arm"].to_list() for k in range(800)]
    for column in zip(*arms, strict=True):
        assert stats.chisquare([column.count(a) for a in OFFER.arms], [800 * s for s in OFFER.arms.values()]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"arms": {"a": 0.5, "b": 0.4}}, "add up to 0.9"),
        ({"arms": {"a": 1.0}}, "2 or more"),
        ({"buckets": (0, 500)}, "has none"),
        ({"layer": "l", "buckets": (500, 500)}, "first < stop"),
        ({"salt": "a:b"}, "'salt'"),
        ({"ramp": 0.0}, "'ramp'"),
        ({"holdout": 1.0}, "'holdout'"),
        ({"unit": "household"}, "'unit'"),
    ],
)
def test_what_makes_no_experiment_is_refused(parameters, said):
    with pytest.raises(ParameterError, match=said):
        vt.experiments.Experiment(**{"name": "offer", "arms": {"a": 0.5, "b": 0.5}, **parameters})


def test_strata_that_make_no_sense_are_refused():
    with pytest.raises(ParameterError, match="per id"):
        OFFER.assign([1, 2], strata=["a"])
    with pytest.raises(ParameterError, match="'1' is there several times"):
        OFFER.assign([1, 1], strata=["a", "a"])
    with pytest.raises(ParameterError, match="take 1"):
        OFFER.model_copy(update={"ramp": 0.5}).assign([1], strata=["a"])


def test_experiments_that_can_not_run_together_are_refused():
    one = vt.experiments.Experiment(name="one", arms={"a": 0.5, "b": 0.5}, layer="page", buckets=(0, 500))
    with pytest.raises(ParameterError, match="the salt 'one'"):
        vt.experiments.check_together([one, one.model_copy(update={"buckets": (500, 1000)})])
    with pytest.raises(ParameterError, match="holds out"):
        vt.experiments.check_together([one, one.model_copy(update={"name": "two", "buckets": (500, 1000), "holdout": 0.1})])


def test_a_session_level_experiment_says_what_it_risks():
    sessions = OFFER.model_copy(update={"unit": "session"})
    assert "may see both arms" in sessions.notes[0]
    assert sessions.assign(["s1"]).columns[0] == "session"
    assert OFFER.notes == ()


def test_one_unit_stands_where_the_table_of_many_says():
    rng = np.random.default_rng(3)
    for number in range(200):
        shares = rng.dirichlet(np.ones(rng.integers(2, 6)))
        arms = {f"a{place}": float(share) for place, share in enumerate(shares)}
        first, stop = sorted(rng.choice(1001, 2, replace=False).tolist())
        layered = {"layer": "page", "buckets": (first, stop)} if rng.random() < 0.5 else {}
        some = {"holdout": float(rng.choice([0.0, 0.2])), "ramp": float(rng.choice([1.0, 0.5]))}
        experiment = vt.experiments.Experiment(name=f"e{number}", arms=arms, **layered, **some)
        ids = [f"p{id}" for id in rng.integers(0, 10_000, 20)]
        assert [experiment.one(id) for id in ids] == [tuple(row[1:]) for row in experiment.assign(ids).rows()]
