"""Search over HTTP: the lists of the index, of what may be shown, with values counted; nothing popular where nothing was found."""

import polars as pl
import pytest
from live_server import served, toy_settings
from test_pipeline import ids

import vitrina as vt
from vitrina.base.errors import UnknownNameError
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.records import Attributes
from vitrina.wire import RecommendRequest, SearchRequest

SHOES = pl.DataFrame(
    {
        "sku": [f"s{n}" for n in range(40)],
        "title": [f"{('red', 'blue')[n % 2]} {('shoe', 'boot', 'sandal', 'slipper')[n % 4]} number {n}" for n in range(40)],
        "brand": [("A", "B", None)[n % 3] for n in range(40)],
    }
)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    index = vt.search.ItemIndex.build(SHOES, id="sku", columns={"title": 1})
    return vt.load(vt.save(index, tmp_path_factory.mktemp("index") / "model"))


@pytest.fixture
def items():
    return Facts()


@pytest.fixture
def pipeline(artifact, items):
    return Pipeline.of(artifact, Histories.of_log(None), items, Facts(), budget=None, version="v1")


def test_lists_are_those_of_the_index_whatever_they_were_asked_beside(pipeline, artifact):
    texts = ["red shoe", "blue", "nothing of the kind", "slipper"]
    requests = [SearchRequest(text=text, k=7) for text in texts] + [
        RecommendRequest(k=7),
        SearchRequest(text="boot", k=7, where={"brand": "A"}),
    ]
    found = [ids(one) for one in pipeline.answer(requests)]
    wanted = artifact.recommender.search(texts, k=7).to_frame()
    assert found[:4] == [wanted.filter(pl.col("query") == q)["sku"].to_list() for q in range(4)]
    assert found[2] == found[4] == []
    assert found[5] == artifact.recommender.search(["boot"], k=7, where={"brand": "A"}).to_frame()["sku"].to_list()


def test_values_are_counted_over_all_that_was_found_and_is_eligible(pipeline, artifact):
    asked = vt.Queries.of_texts(artifact.vocabulary, ["boot"])
    wanted = artifact.recommender.facets(asked, ["brand"]).select("value", "count").rows()
    (one,) = pipeline.answer([SearchRequest(text="boot", k=2, facets=["brand"])])
    assert len(one.items) == 2
    assert [(value.value, value.count) for value in one.facets["brand"]] == wanted
    (limited,) = pipeline.answer([SearchRequest(text="boot", k=2, facets=["brand"], where={"brand": "B"})])
    assert [value.value for value in limited.facets["brand"]] == ["B"]
    (wrong,) = pipeline.answer([SearchRequest(text="boot", facets=["brnd"])])
    assert isinstance(wrong.error, UnknownNameError)


def test_what_is_said_of_items_later_counts(pipeline, items):
    before = pipeline.answer([SearchRequest(text="boot", k=40, where={"brand": "A"})])[0]
    first = before.items[0].item
    items.set([Attributes(first, {"brand": "B"}), Attributes(before.items[1].item, {}, delete=True)])
    after = pipeline.answer([SearchRequest(text="boot", k=40, where={"brand": "A"}, facets=["brand"])])[0]
    assert ids(after) == ids(before)[2:]
    assert [(value.value, value.count) for value in after.facets["brand"]] == [("A", len(before.items) - 2)]


def test_who_saw_an_item_finds_it_again_unless_told_otherwise(pipeline):
    seen, unseen = pipeline.answer(
        [SearchRequest(text="number 3", k=1, history=["s3"]), SearchRequest(text="number 3", k=1, history=["s3"], repeat=False)]
    )
    assert ids(seen) == ["s3"]
    assert ids(unseen) != ["s3"]


def test_an_empty_list_says_why(pipeline):
    nothing, left_out = pipeline.answer([SearchRequest(text="piano"), SearchRequest(text="boot", candidates=["s1"], exclude=["s1"])])
    assert nothing.empty == "Nothing that may be shown was found for 'piano'."
    assert left_out.empty == "Nothing may be shown: of 40 items, 39 are left out as not among the candidates, 1 as excluded."


def test_the_route(tmp_path):
    from vitrina.client import Client, ClientError

    with served(toy_settings(tmp_path)) as (_, port):
        client = Client(f"http://127.0.0.1:{port}", retries=0)
        answer = client.search("green tea", scenario="search", k=2, facets=["brand"])
        assert [place.item for place in answer.items] == ["tea", "mint"]
        assert [(one.value, one.count) for one in answer.facets["brand"]] == [("Ahmad", 1), ("Lipton", 1)]
        with pytest.raises(ClientError, match="text"):
            client.search("", scenario="search")
        with pytest.raises(ClientError, match=r"doesn't read what is typed. Serve a model that searches"):
            client.search("tea")


def test_what_the_search_tells_comes_with_the_list(tmp_path, items):
    index = vt.search.ItemIndex.build(SHOES, id="sku", columns={"title": 1})
    known = vt.search.KnownWords.of_index(index)
    source = vt.search.Relaxed(index.lexical(match="all"), known)
    read = vt.search.Query(steps=(vt.search.Spelling(known),)).before(source)
    made = Pipeline.of(vt.load(vt.save(read, tmp_path / "read")), Histories.of_log(None), items, Facts(), budget=None)
    mended, fewer, nothing = made.answer([SearchRequest(text=text, k=3) for text in ("slippre", "red piano", "piano")])
    assert ids(mended) == index.search(["slipper"], k=3).to_frame()["sku"].to_list()
    assert "slipper" in mended.notes[0]
    assert ids(fewer)
    assert "piano" in fewer.notes[0]
    assert (ids(nothing), nothing.notes) == ([], [])
    assert nothing.empty is not None
    assert "piano" in nothing.empty
