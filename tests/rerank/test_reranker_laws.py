"""Every public re-ranker keeps the laws, and one made to break a law is caught by it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, UnknownNameError, VocabularyError
from vitrina.cli import names
from vitrina.protocols import FittedReranker, Reranker
from vitrina.rerank.base import Candidates, Ordering, RerankerConfig, falling, may_be_shown
from vitrina.testing import ByHash, ContractError, KeepOrder, check_reranker
from vitrina.testing.rerank_laws import RERANK_LAWS
from vitrina.types import Eligibility, Events, Queries, Ragged, Recommendations

PUBLIC = [
    cls() for cls in names.exported().values() if issubclass(cls, RerankerConfig) and cls not in (vt.Rules, vt.ranking.SessionValue)
]  # in the package and its public modules; these two need parameters, and are held to the laws by tests of their own


def test_the_public_re_rankers_are_found():
    assert {KeepOrder(), ByHash()} <= set(PUBLIC)


@pytest.mark.parametrize("reranker", [*PUBLIC, ByHash(seed=5)], ids=repr)
def test_a_re_ranker_keeps_the_laws(reranker):
    assert isinstance(reranker, Reranker)
    assert isinstance(reranker.fit(vt.testing.toy()), FittedReranker)
    report = check_reranker(reranker)
    assert set(report.kept) | set(report.skipped) == set(RERANK_LAWS)
    assert set(report.skipped) <= {"diversity"}


@dataclass(frozen=True)
class Bent:
    """Ranks by hash, and is wrong in one way."""

    change: Any

    def fit(self, data):
        return Turned(self.change, ByHash().fit(data))


@dataclass(frozen=True, eq=False)
class Turned:
    change: Any
    inner: Any

    def rerank(self, queries, recommendations, k, *, eligible=Eligibility()):
        return self.change(self.inner, queries, recommendations, k, eligible)


def forgets_eligibility(inner, queries, lists, k, eligible):
    return inner.rerank(queries, lists, k, eligible=Eligibility(repeat=True))


def cuts_first(inner, queries, lists, k, eligible):
    """What back-ends do: drop items from a list that was already cut."""
    answer = inner.rerank(queries, lists, k, eligible=Eligibility(repeat=True))
    may = may_be_shown(queries, answer.items, eligible)
    order = np.argsort(~may, axis=1, kind="stable")
    items = np.take_along_axis(np.where(may, answer.items, -1), order, axis=1)
    return replace(answer, items=items.astype(np.int32))


def by_given_order(inner, queries, lists, k, eligible):
    """The first candidate as it came, and no other way to tell."""
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    scores = answer.scores + (lists.items[:, :1] % 7)
    return replace(answer, scores=scores.astype(np.float32))


def by_code(inner, queries, lists, k, eligible):
    order = np.argsort(-lists.items[:, :k], axis=1, kind="stable")
    picked = np.take_along_axis(lists.items[:, :k], order, axis=1)
    scores = np.where(np.isfinite(lists.scores[:, :k]), picked, np.nan)
    return replace(lists, items=picked, scores=scores.astype(np.float32), extra={})


def by_company(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    return replace(answer, scores=(answer.scores * len(queries)).astype(np.float32))


def rising(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    return replace(answer, scores=-answer.scores)


def odd_k_turned(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    return replace(answer, items=answer.items[:, ::-1].copy()) if k % 2 else answer


def invents(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    items = answer.items.copy()
    items[:, 0] = (lists.items[:, -1] + 1) % len(lists.vocabulary)
    return replace(answer, items=items)


def forgets_relevance(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    return replace(answer, extra={name: column for name, column in answer.extra.items() if name != "relevance"})


def leaves_columns(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    return replace(answer, extra={**answer.extra, "stock": lists.extra["stock"][:, :k]})


def moody(inner, queries, lists, k, eligible):
    return ByHash(seed=int(np.random.default_rng().integers(2**31))).fit(vt.testing.synthetic(users=60, items=36)).rerank(
        queries, lists, k, eligible=eligible
    )  # fmt: skip


def spoils(inner, queries, lists, k, eligible):
    answer = inner.rerank(queries, lists, k, eligible=eligible)
    lists.scores[:, 0] = 0
    return answer


ROGUES = {
    "lists": [invents], "scores": [rising], "eligible": [forgets_eligibility], "full": [cuts_first], "permuted": [by_given_order],
    "relabel": [by_code], "prefix": [odd_k_turned], "batch": [by_company], "columns": [forgets_relevance, leaves_columns],
    "again": [moody], "data": [spoils],
}  # fmt: skip


@pytest.mark.parametrize(("law", "change"), [(law, change) for law, changes in ROGUES.items() for change in changes])
def test_a_bent_re_ranker_breaks_its_law(law, change):
    with pytest.raises(ContractError, match=rf"\n{law}: "):
        check_reranker(Bent(change), laws=[law])


class Stubborn(RerankerConfig):
    """Says that it has a diversity, and ranks by hash whatever it is."""

    diversity: float = 0.5

    def of_items(self, data):
        return ByHash().of_items(data)

    def order(self, queries, candidates, items):
        return ByHash().order(queries, candidates, items)


class OneForAll(RerankerConfig):
    """Reads its own diversity and not that of a request."""

    diversity: float = 0.5

    def of_items(self, data):
        return ByHash().of_items(data)

    def order(self, queries, candidates, items):
        return (KeepOrder() if self.diversity == 0 else ByHash()).order(queries, candidates, items)


@pytest.mark.parametrize(("model", "says"), [(Stubborn(), "with diversity=0"), (OneForAll(), "'diversity' in the context")])
def test_a_diversity_without_effect_is_caught(model, says):
    with pytest.raises(ContractError, match=rf"\ndiversity: .*{says}"):
        check_reranker(model, laws=["diversity"])


def test_a_re_ranker_that_can_be_changed_is_caught():
    @dataclass
    class Soft:
        def fit(self, data):
            return KeepOrder().fit(data)

    with pytest.raises(ContractError, match=r"breaks a law of a re-ranker\.\nconfig: Soft is a dataclass that can be changed"):
        check_reranker(Soft(), laws=["config"])
    with pytest.raises(UnknownNameError, match="Did you mean 'full'"):
        check_reranker(KeepOrder(), laws=["ful"])


def test_a_saved_re_ranker_that_forgets_is_caught(monkeypatch):
    forgetting = classmethod(lambda cls, state: cls(state.config["reranker"], {"numbers": -state.arrays["numbers"]}))
    monkeypatch.setattr(Ordering, "of_state", forgetting)
    with pytest.raises(ContractError, match=r"\nsaved: "):
        check_reranker(ByHash(), laws=["saved"])


def test_every_law_can_fail_and_is_in_the_documentation():
    assert set(ROGUES) | {"config", "diversity", "saved"} == set(RERANK_LAWS)
    for law in RERANK_LAWS:
        assert f"| `{law}` |" in (check_reranker.__doc__ or "")


VOCABULARY = vt.Vocabulary.of(["a", "b", "c", "d", "e"])
NAN = np.nan


def asked(rows: list[list[int]]) -> Queries:
    return Queries(
        Events(np.concatenate([np.array(r, np.int32) for r in rows])), *_bounds(rows), VOCABULARY, np.full(len(rows), -1, np.int32)
    )


def _bounds(rows: list[list[int]]) -> tuple[Any, Any]:
    stop = np.cumsum([len(r) for r in rows])
    return stop - [len(r) for r in rows], stop


def given() -> Recommendations:
    items = np.array([[3, 1, 4, 0], [2, 0, -1, -1]], np.int32)
    scores = np.array([[0.5, 0.9, NAN, NAN], [0.4, 0.4, NAN, NAN]], np.float32)
    return Recommendations(items, scores, VOCABULARY, {"source": np.array([[0, 0, 1, 1], [0, 0, 0, 0]], np.uint8)})


def test_candidates_come_in_one_order_the_fallback_as_it_stood():
    candidates = Candidates.of(asked([[], []]), given(), 3, Eligibility())
    assert candidates.lists.items.tolist() == [[1, 3, 4, 0], [0, 2, -1, -1]]
    assert candidates.counts.tolist() == [2, 2]
    assert candidates.totals.tolist() == [4, 2]
    assert candidates.k == 3
    limited = Candidates.of(asked([[1], []]), given(), 9, Eligibility(exclude=Ragged.of([[4, -1, 9], [0]])))
    assert limited.lists.items.tolist() == [[3, 0, -1, -1], [2, -1, -1, -1]]
    assert limited.k == 4


def test_lists_of_what_was_chosen_go_on_with_the_fallback():
    candidates = Candidates.of(asked([[], []]), given(), 3, Eligibility())
    lists = candidates.listed(np.array([[1, 0], [1, 0]]), np.array([[7.0, 8.0], [2.0, 2.0]]))
    assert lists.items.tolist() == [[3, 1, 4], [2, 0, -1]]
    assert lists.fallback.tolist() == [[False, False, True], [False, False, False]]
    assert lists.scores[0, :2].tolist() == [7.0, np.nextafter(np.float32(7), np.float32(0))]  # never rising, and a tie is for rising codes
    assert lists.scores[1, 1] < lists.scores[1, 0] == 2
    np.testing.assert_array_equal(lists.extra["relevance"], np.array([[0.5, 0.9, NAN], [0.4, 0.4, NAN]], np.float32))


def test_scores_fall():
    scores, items = np.array([[3, 4, 4, 1, NAN]], np.float32), np.array([[0, 5, 7, 1, 2]], np.int32)
    assert falling(scores, items)[0, :4].tolist() == [3, 3, 3, 1]
    assert np.isnan(falling(scores, items)[0, 4])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda r, q: r.rerank(q, given()[0], 3), ParameterError, r"a list for each of the 2 queries. Got Recommendations\(1 lists of 4\)"),
        (lambda r, q: r.rerank(q, [[1]], 3), ParameterError, "Got 'a list'|Got a list"),
        (lambda r, q: r.rerank(q, given(), 0), ParameterError, "'k' of a recommendation must be at least 1"),
        (lambda r, q: r.rerank(q, replace(given(), vocabulary=vt.Vocabulary.of([5, 6, 7, 8, 9])), 3), VocabularyError, "other item ids"),
    ],
)
def test_what_cannot_be_ranked_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call(KeepOrder().fit(vt.testing.toy()), asked([[], []]))
    with pytest.raises(ParameterError, match=r"KeepOrder is fitted on a Dataset"):
        KeepOrder().fit("log.csv")  # type: ignore[arg-type]
