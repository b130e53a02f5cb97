"""`vitrina recommend --explain`: why each item stands where it does, on the screen, as JSON and in files."""

import json
import sys

import polars as pl
import pytest

import vitrina as vt
from vitrina.artifacts import Artifact
from vitrina.cli import screen, why
from vitrina.cli.config import read_config
from vitrina.cli.demo import with_two_stages
from vitrina.told import in_words

DATA = vt.testing.toy()
SOURCES = [{"source": "own", "place": 1, "score": 3.0}, {"source": "near", "place": 14, "score": 0.25}]
HEADS = [{"head": "taken", "expected": 0.0312, "weight": 1.0}]
FEATURES = [
    {"head": "taken", "feature": "days since", "value": 6.0, "adds": 0.81}, {"head": "taken", "feature": "price", "value": None, "adds": -0.1},
    {"head": "taken", "feature": "third", "value": 0.12345, "adds": 0.04}, {"head": "taken", "feature": "fourth", "value": 1.0, "adds": 0.01},
]  # fmt: skip


class Explains:
    """Popularity that has something to say."""

    def __init__(self):
        self.fitted = vt.Popularity().fit(DATA)
        self.vocabulary, self.catalogue, self.notes = self.fitted.vocabulary, self.fitted.catalogue, ()

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        return self.fitted.recommend(queries, k, eligible=eligible)

    def explain(self, queries, k, *, eligible=vt.Eligibility()):
        table = self.recommend(queries, k, eligible=eligible).to_frame()
        said = {"sources": SOURCES, "heads": HEADS, "features": FEATURES, "reasons": ["new"]}
        return table.with_columns(pl.Series(name, [value] * len(table)) for name, value in said.items())


@pytest.fixture
def artifact():
    return Artifact(Explains(), {}, DATA.item_table)


def test_a_place_is_explained_on_the_screen_and_in_json(artifact, capsys):
    screen.show_history(artifact, "tea", 2, vt.Eligibility(), explain=True, json=False)
    told = capsys.readouterr()
    assert "own 1, near 14" in told.out
    assert "new; taken 0.0312; days since 6 (+0.81); price missing (-0.1); third 0.1235 (+0.04)" in told.out
    assert "fourth" not in told.out
    assert told.err == ""
    screen.show_history(artifact, "tea", 2, vt.Eligibility(), explain=True, json=True)
    places = json.loads(capsys.readouterr().out)["items"]
    assert [place["rank"] for place in places] == [1, 2]
    assert places[0]["features"] == FEATURES
    assert places[0]["sources"] == SOURCES
    assert places[0]["reasons"] == ["new"]
    screen.show_history(artifact, "tea", 2, vt.Eligibility(), explain=False, json=False)
    assert "days since" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_of_explained_lists_has_the_lists_and_why(artifact, tmp_path, ending):
    queries = DATA.queries()
    plain, told = tmp_path / f"plain.{ending}", tmp_path / f"told.{ending}"
    assert vt.recommend_to(plain, artifact.recommender, queries, k=2, item_column="sku") == 5
    assert vt.recommend_to(told, artifact.recommender, queries, k=2, item_column="sku", explain=True) == 5
    read = pl.read_parquet if ending == "parquet" else pl.read_csv
    lists, with_why = read(plain), read(told)
    assert with_why.select(lists.columns).equals(lists)
    first = with_why.row(0, named=True)
    if ending == "parquet":
        assert first["features"] == FEATURES
    else:
        assert first["features"] == "days since=6 (+0.81)|price= (-0.1)|third=0.12345 (+0.04)|fourth=1 (+0.01)"
        assert (first["sources"], first["heads"], first["reasons"]) == ("own=1|near=14", "taken=0.0312", "new")


def test_nobody_asked_is_a_file_with_the_columns(artifact, tmp_path):
    assert vt.recommend_to(tmp_path / "none.csv", artifact.recommender, DATA.queries()[:0], k=2, explain=True) == 0
    assert "features" in pl.read_csv(tmp_path / "none.csv").columns


def test_several_heads_say_which_one_a_feature_adds_to():
    row = {"rank": 2, "source": "own", "heads": [*HEADS, {"head": "money", "expected": 1.5, "weight": 0.2}], "features": FEATURES[:1]}
    assert why.why(row) == "taken 0.0312; money 1.5; days since 6 (+0.81 to taken)"
    assert why.source(row) == "own"
    assert why.source({"source": "fallback"}) == "popular"


def test_what_a_re_ranker_moved_says_from_where():
    assert why.why({"rank": 2, "rank_before": 9, "reasons": ["new", "at least 1"]}) == "from 9; new; at least 1"
    assert why.why({"rank": 2, "rank_before": 2, "reasons": []}) == ""
    assert why.why({"rank": 2, "rank_before": None}) == "from below"


def test_lists_of_nothing_are_empty_words():
    table = pl.DataFrame(
        {"rank": [1], "reasons": [[]], "why": [None]}, schema={"rank": pl.Int64, "reasons": pl.List(pl.String), "why": pl.List(pl.String)}
    )
    assert in_words(table).row(0) == (1, "", "")


def test_a_model_that_says_no_more_is_said_to(shop, config, vitrina):
    config('[models.pop]\ntype = "Popularity"\n')
    assert vitrina("fit", "vitrina.toml", "--model", "pop", "--out", "model").exit_code == 0
    told = vitrina("recommend", "model", "--history", "i3", "-k", 2, "--explain")
    assert told.exit_code == 0, told.stderr
    assert "says no more of a place than its lists do" in told.stderr
    assert "model" in told.stdout
    user = pl.read_csv(shop / "shop.csv")["customer"][0]
    asked = json.loads(vitrina("recommend", "model", "--users", user, "-k", 2, "--explain", "--json").stdout)["users"][0]["items"]
    assert set(asked[0]) == {"rank", "item_id", "score", "source", "title"}
    told = vitrina("recommend", "model", "--out", "lists.csv", "-k", 2, "--explain")
    assert told.exit_code == 0, told.stderr
    assert "says no more" in told.stderr


def test_an_explained_artifact_of_two_stages_says_sources_and_features(shop, config, vitrina):
    pytest.importorskip("lightgbm")
    config(
        '[models.two]\ntype = "TwoStage"\nqueries = 300\nsources = [{type = "Source", name = "own", model = {type = "TopPersonal"}}, '
        '{type = "Source", name = "near", model = {type = "Cooccurrence"}}]\n[job]\nrepeat = true\n'
        '[models.again]\ntype = "Reranked"\nreranker = "KeepOrder"\ncandidates = 9\n[models.again.model]\ntype = "TwoStage"\nqueries = 300\n'
        'sources = [{type = "Source", name = "own", model = {type = "TopPersonal"}}, {type = "Source", name = "near", model = {type = "Cooccurrence"}}]\n'
    )
    user = pl.read_csv(shop / "shop.csv")["customer"][0]
    for name in ("two", "again"):
        done = vitrina("fit", "vitrina.toml", "--model", name, "--out", name)
        assert done.exit_code == 0, done.stderr
        told = vitrina("recommend", name, "--user", user, "-k", 3, "--explain")
        assert told.exit_code == 0, told.stderr
        assert "says no more" not in told.stderr
        places = json.loads(vitrina("recommend", name, "--user", user, "-k", 3, "--explain", "--json").stdout)["users"][0]["items"]
        assert {source["source"] for place in places for source in place["sources"]} <= {"own", "near"}
        assert all(len(place["features"]) <= 5 for place in places)
        assert vitrina("recommend", name, "--out", f"{name}.csv", "-k", 3, "--explain").exit_code == 0
        written = pl.read_csv(shop / f"{name}.csv").filter(pl.col("customer") == user)
        assert written["sku"].to_list() == [place["item_id"] for place in places]


def test_the_demo_of_two_stages_says_at_once_that_a_package_is_missing(vitrina, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    told = vitrina("demo", "--two-stage", "--out", tmp_path / "demo")
    assert told.exit_code == 2
    assert "pip install 'vitrina[rank]'" in told.stderr
    assert not (tmp_path / "demo").exists()


def test_the_config_of_the_demo_with_two_stages_is_read(tmp_path):
    (tmp_path / "two.toml").write_text(with_two_stages())
    plan = read_config(tmp_path / "two.toml")
    assert {"two-stage", "ruled", "fading"} <= set(plan.models)
    assert plan.out == tmp_path / "two-stage"
