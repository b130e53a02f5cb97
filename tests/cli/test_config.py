"""A config becomes objects; each mistake names its line and the closest known names."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import VitrinaError
from vitrina.board.tune import Search
from vitrina.cli import names, results
from vitrina.cli.config import read_config

Write = Callable[..., Path]


def test_objects(config: Write) -> None:
    plan = read_config(
        config("""
[split]
rule = "GlobalTime"
at = 2024-01-20
[job]
k = 5
repeat = false
[models.EASE]
l2 = 20
[models.near]
type = "Cooccurrence"
weighting = {type = "BM25", k1 = 2}
gap = {type = "decay.Exponential", days = 3}
[models.short]
type = "Cooccurrence"
weighting = "Lift"
[models.fading]
type = "TopPersonal"
decay = {type = "All", of = [{type = "Exponential", days = 3}, {type = "Window", events = 9}]}
""")
    )
    assert plan.rule == vt.split.GlobalTime(at=datetime(2024, 1, 20), repeat=False)
    assert plan.models["EASE"] == vt.EASE(l2=20)
    assert plan.models["near"] == vt.Cooccurrence(weighting=vt.weighting.BM25(k1=2), gap=vt.decay.Exponential(days=3))
    assert plan.models["short"] == vt.Cooccurrence(weighting=vt.weighting.Lift())
    assert plan.models["fading"] == vt.TopPersonal(decay=vt.decay.All(of=(vt.decay.Exponential(days=3), vt.decay.Window(events=9))))
    assert plan.options()["primary"] == "nDCG@5"
    assert "Recall@5" in plan.options()["metrics"]


def test_lists_and_ranges_are_searches(config: Write) -> None:
    plan = read_config(
        config("""
[models.EASE]
l2 = {low = 1, high = 1e3, log = true}
max_items = 20
[models.near]
type = "Cooccurrence"
weighting = ["Cosine", {type = "BM25", k1 = 2}]
""")
    )
    assert plan.models["EASE"] == vt.tune(vt.EASE, l2=vt.Range(low=1, high=1e3, log=True), max_items=20)
    near = plan.models["near"]
    assert isinstance(near, Search)
    assert near.space == {"weighting": (vt.weighting.Cosine(), vt.weighting.BM25(k1=2))}


MISTAKES = [
    ("[models.EASE]\nl3 = 5", 8, "l2"),
    ("[models.EESE]\nl2 = 5", 7, "EASE"),
    ("[models.x]\n\ntype = 'Cooccurence'", 9, "Cooccurrence"),
    ("[models.x]\ntype = 'Cooccurrence'\nneighbours = 3\nweighting = {type = 'BM52'}", 10, "BM25"),
    ("[models.x]\ntype = 'Cooccurrence'\nweighting = {type = 'BM25', k2 = 1}", 9, "k1"),
    ("[models.x]\ntype = 'Cooccurrence'\nweighting = {type = 'BM25', k1 = -1}", 9, "greater than or equal to 0. Got -1"),
    ("[models.EASE]\nmax_items = 9\nl2 = -1", 9, "greater than 0. Got -1"),
    ("[models.EASE]\nmax_items = 9\nl2 = [10, -1]", 9, "greater than 0. Got -1"),
    ("[models.EASE]\nl2 = {low = 5, high = 1}", 8, "low must be below high"),
    ("[job]\nmetrics = ['nDGC@10']\n[models.EASE]", 8, "nDCG@10"),
    ("[job]\nk = 5\nprimary = 'nDGC@5'\n[models.EASE]", 9, "nDCG@5"),
    ("[job]\nk = 0\n[models.EASE]", 8, "greater than or equal to 1. Got 0"),
    ("[jobs]\nk = 5\n[models.EASE]", 7, "job"),
    ("[job]\nkk = 5\n[models.EASE]", 8, "repeat"),
    ("[split]\nrule = 'GlobalTme'\n[models.EASE]", 8, "GlobalTime"),
    ("[split]\nrule = 'GlobalTime'\nday = 3\n[models.EASE]", 9, "days"),
    ("[split]\ndays = 3\n[models.EASE]", 7, "GlobalTime"),
    ("[split]\nrule = 'GlobalTime'\nfold = 3\n[models.EASE]", 9, "Did you mean 'folds'"),
    ("[split]\nrule = 'GlobalTime'\nfolds = 0\n[models.EASE]", 9, "split.folds must be a whole number of at least 1. Got 0"),
    ("[split]\nfolds = 2.0\n[models.EASE]", 8, "must be a whole number of at least 1. Got 2.0"),
    ("[split]\nrule = 'LeaveOneOut'\nfolds = 3\n[models.EASE]", 9, 'Take rule = "GlobalTime"'),
    ("[split]\nrule = 'UserShare'\nfolds = 3\n[models.EASE]", 9, "UserShare has no folds"),
    ("[job]\nfit = 3\n[models.EASE]", 8, "Did you mean 'fits'"),
    ("[job]\nfits = 0\n[models.EASE]", 8, "greater than or equal to 1. Got 0"),
    ("[filters]\nkcore = 3\n[models.EASE]", 8, "k_core"),
    ("[filters]\nk_core = {user = 3}\n[models.EASE]", 8, "users"),
    ("[models.x]\ntype = 'shelf:Cls'", 8, "--trust"),
    ("[job]\nbaseline = 'easy'\n[models.ease]\ntype = 'EASE'", 8, "Did you mean 'ease'"),
    ("[job]\nbaselines = false\nbaseline = 'TopPersonal'\n[models.ease]\ntype = 'EASE'", 9, "Known: ease"),
    ("[job]\nprimary = 'Coverage@10'\n[models.EASE]", 8, "one number of all lists"),
    ("[job]\nrepeat = 'yes'\n[models.EASE]", 8, "must be true or false. Got 'yes'"),
    ("[job]\nk = 3.0\n[models.EASE]", 8, "must be a whole number. Got 3.0"),
    ("[job]\nk = true\n[models.EASE]", 8, "must be a whole number. Got True"),
    ("[job]\nlimit = inf\n[models.EASE]", 8, "must be a finite number"),
    ("[job]\nbaselines = 1\n[models.EASE]", 8, "must be true or false. Got 1"),
    ("[tune]\nseed = -1\n[models.EASE]", 8, "greater than or equal to 0. Got -1"),
    ("[tune]\ntrials = '3'\n[models.EASE]", 8, "must be a whole number. Got '3'"),
    ("[tune]\nseconds = nan\n[models.EASE]", 8, "must be a finite number"),
    ("[models.EASE]\nl2 = inf", 8, "must be a finite number. Got inf"),
    ("[models.EASE]\nl2 = [1, inf]", 8, "must be a finite number. Got inf"),
    ("[models.EASE]\nl2 = {low = 1, high = inf}", 8, "finite number. Got inf"),
    ("[models.EASE]\nmax_items = 20.0", 8, "must be a whole number. Got 20.0"),
    ("[models.Popularity]\ndays = 1e9", 8, "less than or equal to 1000000. Got 1000000000.0"),
    ("[models.TopPersonal]\ndecay = {type = 'Exponential', days = 1e9}", 8, "less than or equal to 1000000"),
    ("[models.TifuKNN]\nneighbours = true", 8, "must be a whole number. Got True"),
    ("[models.TifuKNN]\nneighbours = '30'", 8, "must be a whole number. Got '30'"),
    ("[models.eSASRec]\ndim = 32.0", 8, "must be a whole number. Got 32.0"),
    ("[split]\nrule = 'GlobalTime'\ndays = 1e9\n[models.EASE]", 9, "less than or equal to 1000000"),
    ("[split]\nrule = 'GlobalTime'\nseed = -1\n[models.EASE]", 9, "greater than or equal to 0"),
    ("[split]\nrule = 'GlobalTime'\nat = '31.12.2024'\n[models.EASE]", 9, "a date like 2024-01-31"),
    ("[split]\nrule = 'GlobalTime'\nat = true\n[models.EASE]", 9, "whole number. Got True"),
    ("[filters]\nmin_length = true\n[models.EASE]", 8, "must be a whole number. Got True"),
    ("[filters]\nk_core = {users = 2.5}\n[models.EASE]", 8, "must be a whole number. Got 2.5"),
    ("[filters]\nmin_value = 'high'\n[models.EASE]", 8, "must be a number. Got 'high'"),
    ("[filters]\ndedupe = 'latest'\n[models.EASE]", 8, "'last'"),
]


@pytest.mark.parametrize(("text", "line", "hint"), MISTAKES)
def test_a_mistake_names_its_line_and_what_is_meant(config: Write, text: str, line: int, hint: str) -> None:
    with pytest.raises(VitrinaError) as raised:
        read_config(config(text))
    assert f"vitrina.toml, line {line}: " in str(raised.value)
    assert hint in str(raised.value)
    assert str(raised.value).count("toml, line ") == 1


def test_folds_and_fits(config: Write) -> None:
    plan = read_config(config('[split]\nrule = "GlobalTime"\ndays = 14\nfolds = 2\n[job]\nfits = 3\n[models.EASE]\n'))
    data = plan.log()
    rolled = vt.split.rolling(data, vt.split.GlobalTime(days=14), folds=2)
    assert [fold.train.fingerprint for fold in plan.folds(data)] == [fold.train.fingerprint for fold in rolled]
    assert plan.split(data).train.fingerprint == rolled[-1].train.fingerprint
    assert plan.options()["budget"] == vt.Budget(fits=3)
    decided = read_config(config("[split]\nfolds = 2\n[models.EASE]\n"))
    assert decided.rule is None
    assert len(decided.folds(data)) == 2
    no_time = '[data]\nsource = "shop.csv"\nuser = "customer"\nitem = "sku"\n'
    steps = read_config(config("[split]\nfolds = 2\n[models.EASE]\n", head=no_time))
    with pytest.raises(VitrinaError, match=r"line 6: .*vt\.split\.rolling"):
        steps.folds(steps.log())


def test_a_misspelt_key_is_told_before_the_missing_one(config: Write) -> None:
    with pytest.raises(VitrinaError, match=r"line 2: There is no \[data\] key 'sorce'. Did you mean 'source'"):
        read_config(config('[data]\nsorce = "shop.csv"\n[models.EASE]\n', head=""))


def test_a_missing_file_is_told_before_anything_is_read(config: Write) -> None:
    with pytest.raises(VitrinaError, match=r"line 2: there is no file .*shp.csv"):
        read_config(config('[data]\nsource = "shp.csv"\n[models.EASE]\n', head=""))


def test_filters_apply_in_the_order_of_the_file(config: Write) -> None:
    plan = read_config(config('[filters]\nmin_length = 3\ndedupe = "last"\nk_core = {users = 2, items = 4}\n[models.EASE]\n'))
    data = plan.filtered(plan.log())
    assert [step.name for step in data.steps][1:] == [s.name for s in _by_hand(plan.log()).steps][1:]
    assert data.fingerprint == _by_hand(plan.log()).fingerprint


def _by_hand(data: vt.Dataset) -> vt.Dataset:
    return vt.filters.k_core(vt.filters.dedupe(vt.filters.min_length(data, 3), "last"), users=2, items=4)


def test_paths_are_relative_to_the_config(config: Write, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = config("[models.EASE]\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    plan = read_config(path)
    assert plan.out == path.parent / "vitrina-report"
    assert plan.log().n_users == 120


def test_a_model_of_ones_own(config: Write, shop: Path) -> None:
    (shop / "own_shelf.py").write_text(
        "from vitrina.base.config import Config\nfrom vitrina import Popularity\n"
        "class Shelf(Config):\n    days: int = 1\n"
        "    def fit(self, data, *, validation=None, start=None):\n        return Popularity().fit(data)\n"
    )
    plan = read_config(config('[models.mine]\ntype = "own_shelf:Shelf"\ndays = 3\n'), trust=True)
    assert repr(plan.models["mine"]) == "Shelf(days=3)"
    with pytest.raises(VitrinaError, match="has no class 'Shef'"):
        read_config(config('[models.mine]\ntype = "own_shelf:Shef"\n'), trust=True)
    with pytest.raises(VitrinaError, match="can't be imported"):
        read_config(config('[models.mine]\ntype = "nowhere_at_all:X"\n'), trust=True)


def test_the_table_of_names_holds_every_exported_model_and_part() -> None:
    assert {"EASE", "Cooccurrence", "TopPersonal", "Popularity"} <= set(names.models())
    assert {"BM25", "Exponential", "EASE"} <= set(names.parts())
    assert "Range" not in names.parts()
    assert set(names.rules()) == {"GlobalTime", "LeaveLastBasket", "LeaveOneOut", "RandomShare", "UserShare"}
    assert names.find("part", "weighting.BM25", names.parts()) is vt.weighting.BM25
    for name in ("published_eSASRec", "sequence.published_eSASRec"):
        assert names.find("model", name, names.models()) is vt.sequence.published_eSASRec


def test_a_recipe_is_a_type_of_model_and_can_be_searched(config: Write) -> None:
    head = '[models.order]\ntype = "SASRec"\nlayers = 1\ntraining = {type = "Training", epochs = 2}\n'
    plan = read_config(config(head + "dim = 16\n"))
    assert plan.models["order"] == vt.SASRec(layers=1, dim=16, training=vt.sequence.Training(epochs=2))
    search = read_config(config(head + "dim = [8, 16]\n")).models["order"]
    assert search == vt.tune(vt.SASRec, layers=1, dim=[8, 16], training=vt.sequence.Training(epochs=2))
    assert [vt.SequenceModel(**search.fixed, dim=dim) for dim in (8, 16)] == [
        vt.SASRec(layers=1, dim=dim, training=vt.sequence.Training(epochs=2)) for dim in (8, 16)
    ]
    with pytest.raises(VitrinaError, match="dimm"):
        read_config(config(head + "dimm = 16\n"))


def test_a_recipe_with_parameters_of_its_own_takes_those(config: Write) -> None:
    plan = read_config(config('[models.both]\ntype = "with_counts"\nnetwork = {type = "eSASRec", dim = 32}\n'))
    assert plan.models["both"] == vt.sequence.with_counts(vt.eSASRec(dim=32))
    with pytest.raises(VitrinaError, match="network"):
        read_config(config('[models.both]\ntype = "with_counts"\nnetwrk = "eSASRec"\n'))
    with pytest.raises(VitrinaError, match="weights"):
        read_config(config('[models.both]\ntype = "with_counts"\ncandidates = 50\n'))


def test_a_table_without_a_type_changes_what_the_model_has(config: Write) -> None:
    s = vt.sequence
    plan = read_config(config('[models.paper]\ntype = "published_eSASRec"\ntraining = {epochs = 2, patience = "none"}\n'))
    paper = s.published_eSASRec().training
    assert plan.models["paper"].training == paper.model_copy(update={"epochs": 2, "patience": None})
    plain = read_config(config('[models.eSASRec]\ntraining = {epochs = 2, schedule = "WarmupCosine"}\nloss = {smoothing = 0.1}\n'))
    assert plain.models["eSASRec"].training == s.Training(epochs=2, schedule=s.WarmupCosine())
    assert plain.models["eSASRec"].loss == s.FullSoftmax(smoothing=0.1)
    with pytest.raises(VitrinaError, match="epoch"):
        read_config(config("[models.eSASRec]\ntraining = {epoch = 2}\n"))


def test_parts_in_a_list_go_by_their_names_and_misspelt_ones_are_answered_with_their_kind(config: Write) -> None:
    s = vt.sequence
    plan = read_config(config('[models.eSASRec]\nembed = {type = "SumOf", parts = ["Ids", {type = "ContentProjection", rank = 8}]}\n'))
    assert plan.models["eSASRec"].embed == s.SumOf(parts=(s.Ids(), s.ContentProjection(rank=8)))
    with pytest.raises(VitrinaError, match=r"FullSoftmax") as refused:
        read_config(config('[models.eSASRec]\nloss = "FulSoftmax"\n'))
    assert "BM25" not in str(refused.value)
    with pytest.raises(VitrinaError, match="Ids"):
        read_config(config('[models.eSASRec]\nembed = {type = "SumOf", parts = ["Idss"]}\n'))
    with pytest.raises(VitrinaError, match="loss"):
        read_config(config('[models.eSASRec]\nloss = "BM25"\n'))


def test_a_file_names_what_makes_semantic_codes(config: Write) -> None:
    s = vt.sequence
    plan = read_config(config(
        '[models.eSASRec]\nembed = {type = "SumOf", parts = ["Ids", {type = "SemanticIds", codes = '
        '{type = "ResidualKMeans", sizes = [8, 8], vectors = {type = "OfContent", dim = 16}}}]}\n'
        '[models.given]\ntype = "eSASRec"\nembed = {type = "SemanticIds", codes = {type = "GivenCodes", path = "codes.parquet", column = "rqvae"}}\n'
    ))  # fmt: skip
    own = s.ResidualKMeans(sizes=(8, 8), vectors=vt.similarity.OfContent(dim=16))
    assert plan.models["eSASRec"].embed == s.SumOf(parts=(s.Ids(), s.SemanticIds(codes=own)))
    assert plan.models["given"].embed == s.SemanticIds(codes=s.GivenCodes(path="codes.parquet", column="rqvae"))


def test_what_a_comparison_found_may_hold_a_part_of_ones_own(config: Write, shop: Path) -> None:
    (shop / "own_part.py").write_text(
        "from vitrina.base.config import Config\nclass Part(Config):\n    x: int = 1\n"
        "class Mine(Config):\n    part: Part = Part()\n    n: int = 1\n    def fit(self, data, *, validation=None, start=None): ...\n"
    )
    plan = read_config(config('[models.mine]\ntype = "own_part:Mine"\nn = [1, 2]\n'), trust=True)
    found = plan.model("mine").model(n=2)
    plan.out.mkdir()
    entries = [{"name": "mine", "status": "ok", "config": to_plain(found)}]
    (plan.out / "board.json").write_text(json.dumps({"entries": entries}))
    assert results.settled(plan, "mine") == found


def test_two_stages_of_sources_features_a_ranker_and_heads(config: Write) -> None:
    plan = read_config(
        config("""
[models.two]
type = "TwoStage"
sources = [{type = "Source", n = 50, model = {type = "EASE", l2 = 20}}, {type = "Source", name = "own", model = "TopPersonal"}]
features = ["SourceScores", {type = "Relations", last = 20}]
ranker = {type = "LambdaRank", leaves = 7}
heads = [{type = "Head", name = "money", values = true, calibration = "Isotonic"}]
window = {type = "GlobalTime", days = 3}
negatives = [20, 50]
""")
    )
    ranking = vt.ranking
    sources = ranking.Source(model=vt.EASE(l2=20), n=50), ranking.Source(model=vt.TopPersonal(), name="own")
    two = vt.TwoStage(
        sources=sources, features=(ranking.SourceScores(), ranking.Relations(last=20)), ranker=ranking.LambdaRank(leaves=7),
        heads=(ranking.Head(name="money", values=True, calibration=ranking.Isotonic()),), window=vt.split.GlobalTime(days=3), negatives=20,
    )  # fmt: skip
    search = plan.models["two"]
    assert isinstance(search, Search)
    assert two in search.candidates(2)
    assert from_plain(json.loads(json.dumps(to_plain(two)))) == two
    with pytest.raises(VitrinaError, match=r"There is no part 'LambdaRnk'. Did you mean 'LambdaRank'"):
        read_config(config('[models.two]\ntype = "TwoStage"\nsources = [{type = "Source", model = "EASE"}]\nranker = "LambdaRnk"\n'))
