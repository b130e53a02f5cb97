"""Sources that raise, sleep or give nonsense: the list is right all the same, and the answer says what is missing."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import vitrina as vt
from vitrina.artifacts import Artifact
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline, PipelineError
from vitrina.types import Recommendations
from vitrina.wire import RecommendRequest

pytest.importorskip("lightgbm")
PEOPLE = [f"u{n}" for n in range(0, 60, 7)]


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic()


@pytest.fixture(scope="module")
def ranked(data):
    sources = (
        vt.ranking.Source(model=vt.Popularity(), n=15), vt.ranking.Source(model=vt.Cooccurrence(), n=15), vt.ranking.Source(model=vt.EASE(), n=15),
    )  # fmt: skip
    return vt.TwoStage(sources=sources).fit(data)


@pytest.fixture(scope="module")
def learned():
    """Two stages in which a ranker orders, and their log."""
    data = vt.testing.synthetic(users=150, items=40, mean_length=10, groups=4, seed=2)
    sources = (
        vt.ranking.Source(model=vt.Cooccurrence(), n=60),
        vt.ranking.Source(model=vt.TopPersonal(), n=60),
        vt.ranking.Source(model=vt.Popularity(), n=60),
    )
    fitted = vt.TwoStage(
        sources=sources, features=(vt.ranking.SourceScores(),), window=vt.split.GlobalTime(quantile=0.7), held_out=0.3,
        ranker=vt.ranking.LambdaRank(trees=30, leaves=4, least_pairs=20, learning_rate=0.1),
    ).fit(data)  # fmt: skip
    assert fitted.features is not None
    return fitted, data


class Faulty:
    """A recommender that does something else than what it stands for, while it is switched on."""

    def __init__(self, right, fault):
        self.right, self.fault, self.on = right, fault, True
        self.vocabulary, self.catalogue, self.notes = right.vocabulary, right.catalogue, right.notes

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        lists = self.right.recommend(queries, k, eligible=eligible)
        return self.fault(lists) if self.on else lists


def raises(lists):
    raise RuntimeError("the disk is gone")


def sleeps(lists):
    time.sleep(0.4)
    return lists


def nonsense(lists):
    """Codes of no item, items twice, items that may not be shown, scores that are no numbers."""
    items, scores = lists.items.copy(), lists.scores.copy()
    items[:, 0], items[:, 1], items[:, 3], items[:, 4] = 10**6, -7, items[:, 2], 0
    scores[:, 2], scores[:, 5], scores[:, 6] = np.nan, np.inf, -np.inf
    return replace(lists, items=items, scores=scores)


def short(lists):
    return Recommendations(lists.items[:, :2], lists.scores[:, :2], lists.vocabulary)


def other_shape(lists):
    return lists[:1]


def nothing(lists):
    return None


def pipeline(recommender, data, budget=None, **settings):
    after = int(data.events.times.max()) + 1
    artifact = Artifact(recommender, {}, data.item_table)
    return Pipeline.of(artifact, Histories.of_log(data), Facts(), Facts(), budget=budget, clock=lambda: after, **settings)


def with_fault(ranked, source, fault):
    recommenders = list(ranked.sources.recommenders)
    recommenders[source] = Faulty(recommenders[source], fault)
    return replace(ranked, sources=replace(ranked.sources, recommenders=tuple(recommenders))), recommenders[source]


def ids(answered):
    return [item.item for item in answered.items]


def sound(answers, data, k=10, items=120):
    """Every list is full, holds nothing twice and nothing of the history."""
    for user, answered in zip(PEOPLE, answers, strict=True):
        assert answered.error is None
        own = set(data.items.decode(data.queries([user]).events.items[slice(*data.indptr[data.users.encode([user])[0] :][:2])]).to_list())
        assert len(set(ids(answered))) == len(ids(answered)) == min(k, items - len(own))
        assert not own & set(ids(answered))
        assert all(item.score is None or np.isfinite(item.score) for item in answered.items)


def test_two_stages_are_those_of_the_library(ranked, data):
    answers = pipeline(ranked, data).answer([RecommendRequest(user=user) for user in PEOPLE])
    lists = ranked.recommend(data.queries(PEOPLE), 10)
    assert [ids(one) for one in answers] == [data.items.decode(row).to_list() for row in lists.items]
    assert answers[0].items[0].source in (*ranked.sources.names, "fallback")
    assert not any(one.notes for one in answers)


@pytest.mark.parametrize("fault", [raises, other_shape, nothing])
@pytest.mark.parametrize("source", [0, 1, 2])
def test_a_source_that_fails_is_left_out_and_said(source, fault, ranked, data, caplog):
    broken, _ = with_fault(ranked, source, fault)
    name = ranked.sources.names[source]
    answers = pipeline(broken, data).answer([RecommendRequest(user=user) for user in PEOPLE])
    sound(answers, data)
    assert all(one.notes == [next(iter(one.notes))] and f"The {name} was left out: it failed" in one.notes[0] for one in answers)
    assert all(item.source != name for one in answers for item in one.items)


@pytest.mark.parametrize("fault", [nonsense, short])
def test_a_source_of_nonsense_spoils_no_list(fault, ranked, data):
    for source in range(3):
        broken, _ = with_fault(ranked, source, fault)
        sound(pipeline(broken, data).answer([RecommendRequest(user=user) for user in PEOPLE]), data)


def test_a_slow_source_is_left_out_within_the_budget_and_comes_back(ranked, data):
    broken, slow = with_fault(ranked, 1, sleeps)
    served = pipeline(broken, data, budget=0.2)
    slow.on = False
    requests = [RecommendRequest(user=user) for user in PEOPLE]
    served.answer(requests, patient=True)
    slow.on = True
    began = time.perf_counter()
    late = served.answer(requests)
    assert time.perf_counter() - began < 0.4
    again = served.answer(requests)
    sound(late, data)
    sound(again, data)
    assert late[0].notes == ["The Cooccurrence was left out: it took longer than 200 ms."]
    assert again[0].notes == ["The Cooccurrence was left out: it is still busy with an earlier request."]
    slow.on = False
    time.sleep(0.5)
    whole = broken.recommend(data.queries(PEOPLE), 10)
    assert [ids(one) for one in served.answer(requests, patient=True)] == [data.items.decode(row).to_list() for row in whole.items]


@pytest.mark.parametrize("fault", [raises, other_shape, nothing])
def test_without_its_model_a_list_is_what_is_popular(fault, data):
    model = vt.EASE().fit(data)
    answers = pipeline(Faulty(model, fault), data).answer([RecommendRequest(user=user) for user in PEOPLE])
    sound(answers, data)
    popular = vt.Popularity().fit(data).recommend(data.queries(PEOPLE), 10)
    assert [ids(one) for one in answers] == [data.items.decode(row).to_list() for row in popular.items]
    assert {item.source for one in answers for item in one.items} == {"fallback"}
    assert all("The model was left out: it failed" in one.notes[0] for one in answers)


@pytest.mark.parametrize("fault", [nonsense, short])
def test_nonsense_of_a_model_is_checked_and_filled(fault, data):
    model = vt.EASE().fit(data)
    served, seen = pipeline(Faulty(model, fault), data), []
    served.watch = seen.append
    sound(served.answer([RecommendRequest(user=user) for user in PEOPLE]), data)
    checks = next(stage for stage in seen[0] if stage.name == "checks")
    assert checks.counts.get("not allowed", 0) == (0 if fault is short else pytest.approx(len(PEOPLE) * 3.5, abs=len(PEOPLE) * 0.5))


def test_gaps_are_filled_from_further_down_the_list(data):
    model = vt.EASE().fit(data)
    right = model.recommend(data.queries(["u1"]), 13)

    def two_wrong(lists):
        return replace(lists, items=np.where(np.arange(lists.k) < 2, 10**6, lists.items))

    (answered,) = pipeline(Faulty(model, two_wrong), data).answer([RecommendRequest(user="u1")])
    assert ids(answered) == data.items.decode(right.items[0, 2:12]).to_list()
    assert {item.source for item in answered.items} == {"model"}


def test_a_ranker_that_fails_leaves_candidates_as_their_sources_have_them(learned):
    fitted, data = learned
    broken = replace(fitted, heads=(replace(fitted.heads[0], ranker=SimpleNamespace(score=raises)),))
    answers = pipeline(broken, data).answer([RecommendRequest(user=user) for user in PEOPLE])
    sound(answers, data, items=40)
    assert all("The ranker was left out: it failed" in one.notes[0] for one in answers)


def test_a_ranker_ranks_without_a_source_too(learned):
    fitted, data = learned
    requests = [RecommendRequest(user=user, repeat=True) for user in PEOPLE]
    lists = fitted.recommend(data.queries(PEOPLE), 10, eligible=vt.Eligibility(repeat=True))
    assert [ids(one) for one in pipeline(fitted, data).answer(requests)] == [data.items.decode(row).to_list() for row in lists.items]
    for source in range(3):
        broken, _ = with_fault(fitted, source, raises)
        answers = pipeline(broken, data).answer(requests)
        assert all(len(ids(one)) == 10 and "was left out: it failed" in one.notes[0] for one in answers)
        assert all(item.score is not None for one in answers for item in one.items)


def test_a_request_weighs_heads_and_what_nothing_reads_is_said(learned):
    fitted, data = learned
    served = pipeline(fitted, data)
    plain, weighed, typo = served.answer([
        RecommendRequest(user="u1"), RecommendRequest(user="u1", weights={"taken": -1.0}), RecommendRequest(user="u1", weights={"tken": 2.0}, diversity=0.4),
    ])  # fmt: skip
    assert ids(weighed) != ids(plain) == ids(typo)
    assert typo.notes == [
        "Nothing in this scenario reads 'diversity', which changes nothing.", "Nothing in this scenario reads the weight of 'tken', which changes nothing.",
    ]  # fmt: skip
    (told,) = served.answer([RecommendRequest(user="u1", explain=True)])
    assert told.items[0].why["heads"][0]["head"] == "taken"


def test_a_reranker_that_fails_is_left_out_and_a_filter_that_fails_shows_nothing(data):
    fitted = vt.Reranked(model=vt.EASE(), reranker=vt.MMR()).fit(data)
    order = SimpleNamespace(rerank=raises_with_any)
    broken = replace(fitted, reranker=order)
    answers = pipeline(broken, data).answer([RecommendRequest(user=user) for user in PEOPLE])
    sound(answers, data)
    plain = fitted.recommender.recommend(data.queries(PEOPLE), 10)
    assert [ids(one) for one in answers] == [data.items.decode(row).to_list() for row in plain.items]
    closed = pipeline(replace(fitted, reranker=SimpleNamespace(rerank=raises_with_any, narrowed=raises_with_any)), data)
    (none,) = closed.answer([RecommendRequest(user="u1")])
    assert none.items == []
    assert isinstance(none.error, PipelineError)


def raises_with_any(*given, **named):
    raise RuntimeError("out of order")


def test_a_rule_that_lacks_something_of_who_asks_says_so(data):
    rules = vt.Rules(rules={"age": vt.rules.Suits(item="group", relation="equals", person="taste")})
    served = pipeline(vt.EASE().fit(data), data, reranker=rules)
    told, wrong = served.answer([RecommendRequest(user="u1", context={"taste": "g3"}), RecommendRequest(user="u1")])
    assert {item.title[-1] for item in told.items} == {"3"}
    assert "needs 'taste' of who asks" in str(wrong.error)
