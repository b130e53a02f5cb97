"""Lists of the pipeline are those of the library for the same eligibility, whatever they were asked beside."""

import asyncio
import concurrent.futures

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.service.batcher import Batcher
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.records import Attributes, Event
from vitrina.wire import HistoryItem, RecommendRequest, SimilarRequest

RULES = vt.Rules(rules={"no g1": vt.rules.Hide(where={"group": "g1"}), "g2 first": vt.rules.Boost(where={"group": "g2"}, by=0.3)})
MODELS = {
    "items": vt.EASE(l2=10),
    "popular": vt.Popularity(),
    "sparse": vt.Cooccurrence(),
    "by an index": vt.Indexed(model=vt.IALS(dim=8)),
    "diverse": vt.Reranked(model=vt.EASE(l2=10), reranker=vt.MMR(), candidates=40),
    "ruled": vt.Reranked(model=vt.Cooccurrence(), reranker=RULES, candidates=40),
    "twice": vt.Reranked(model=vt.Reranked(model=vt.EASE(l2=10), reranker=vt.MMR(), candidates=40), reranker=RULES, candidates=20),
}


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic()


@pytest.fixture(scope="module")
def artifacts(data, tmp_path_factory):
    made = {}

    def of(name):
        if name not in made:
            made[name] = vt.load(vt.save(MODELS[name].fit(data), tmp_path_factory.mktemp(name) / "model", data=data))
        return made[name]

    return of


def pipeline(artifact, data, items=None, people=None, **settings):
    after = int(data.events.times.max()) + 1
    settings = {"budget": None, "clock": lambda: after, "version": "v1"} | settings
    return Pipeline.of(artifact, Histories.of_log(data), items or Facts(), people or Facts(), **settings)


def ids(answered):
    return [item.item for item in answered.items]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("repeat", [False, True])
def test_lists_are_those_of_the_library(name, repeat, data, artifacts):
    artifact, people = artifacts(name), [f"u{n}" for n in range(0, 300, 9)]
    asked = [RecommendRequest(user=user, k=7, repeat=repeat) for user in people]
    answers = pipeline(artifact, data).answer(asked)
    lists = artifact.recommender.recommend(data.queries(people), 7, eligible=vt.Eligibility(repeat=repeat))
    assert [ids(one) for one in answers] == [data.items.decode(row[row >= 0]).to_list() for row in lists.items]
    assert [item.score for item in answers[0].items] == pytest.approx(lists.scores[0].tolist())
    assert answers[0].version == "v1"


def test_an_event_counts_in_the_next_request(data, artifacts):
    served = pipeline(artifacts("items"), data)
    (before,) = served.answer([RecommendRequest(user="u1", k=3)])
    first = before.items[0].item
    served.enrichment.histories.add([Event("1", "purchase", "u1", first, 2_000_000_000_000_000, 0)])
    (after,) = served.answer([RecommendRequest(user="u1", k=3)])
    assert first not in ids(after)
    stranger = RecommendRequest(user="somebody new", history=[HistoryItem(first), "nonsense"], k=3)
    (told,) = served.answer([stranger])
    assert told.notes == ["The model doesn't know 1 of the 2 ids in 'history': 'nonsense'."]
    wanted = artifacts("items").recommender.recommend(vt.Queries.of_histories(data.items, [[first]]), 3)
    assert ids(told) == data.items.decode(wanted.items[0]).to_list()


def test_what_is_deleted_is_never_shown_and_conditions_read_columns_as_they_are_now(data, artifacts):
    items = Facts()
    served = pipeline(artifacts("items"), data, items)
    (before,) = served.answer([RecommendRequest(user="u1", k=3)])
    items.set([Attributes(ids(before)[0], {}, delete=True), Attributes("i7", {"group": "special", "title": "Seven"})])
    (after,) = served.answer([RecommendRequest(user="u1", k=3)])
    assert ids(after)[:2] == ids(before)[1:]
    (special,) = served.answer([RecommendRequest(user="nobody", k=3, where={"group": "special"})])
    assert [(item.item, item.title) for item in special.items] == [("i7", "Seven")]


def test_nothing_eligible_says_why(data, artifacts):
    served = pipeline(artifacts("items"), data)
    (none,) = served.answer([RecommendRequest(where={"group": "g2"}, candidates=["i1", "i2"], exclude=["i2"])])
    assert none.items == []
    assert none.empty == (
        "Nothing may be shown: of 120 items, 118 are left out as not among the candidates, 1 as not group is g2, 1 as excluded."
    )


def test_one_wrong_request_hurts_no_other(data, artifacts):
    served = pipeline(artifacts("items"), data)
    right, wrong, other = served.answer([
        RecommendRequest(user="u1"), RecommendRequest(user="u1", where={"colour": "red"}), RecommendRequest(user="u1", where={"group": {"near": 1}}),
    ])  # fmt: skip
    assert len(right.items) == 10
    assert isinstance(wrong.error, UnknownNameError)
    assert isinstance(other.error, ParameterError)


def test_similar_items_are_those_of_the_library(data, artifacts):
    served = pipeline(artifacts("sparse"), data)
    lists = artifacts("sparse").recommender.similar_items(["i3"], 5)
    assert ids(served.similar(SimilarRequest("i3", k=5))) == data.items.decode(lists.items[0][lists.items[0] >= 0]).to_list()
    assert served.similar(SimilarRequest("zz")).empty == "The model doesn't know the item 'zz'."
    assert isinstance(pipeline(artifacts("popular"), data).similar(SimilarRequest("i3")).error, ParameterError)


def test_requests_that_come_together_are_answered_together(data, artifacts):
    served, people = pipeline(artifacts("items"), data), [f"u{n}" for n in range(100)]
    alone = [ids(served.answer([RecommendRequest(user=user)])[0]) for user in people]

    async def ask():
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            batcher = Batcher(served, thread)
            return await asyncio.gather(*[batcher.ask(RecommendRequest(user=user)) for user in people])

    assert [ids(one) for one in asyncio.run(ask())] == alone


def test_histories_keep_the_order_of_time(data):
    histories = Histories.of_log(data)
    events = histories.of("u5")
    middle = int(events.times[len(events) // 2])
    histories.add([Event("1", "buy", "u5", "new one", middle, 0), Event("2", "buy", "u5", "i1", int(events.times[-1]) + 5, 0)])
    later = histories.of("u5")
    assert len(later) == len(events) + 2
    assert (np.diff(later.times) >= 0).all()
    assert histories.items.texts[later.items[np.flatnonzero(later.times == middle)[-1]]] == "new one"
    assert len(events) == len(later) - 2  # what was taken before stays as it is
    assert histories.erase("u5") == len(later)
    assert len(histories.of("u5")) == 0
    assert "u5" not in histories.users()
