"""Every public model keeps the laws, and a model made to break one is caught by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.state import State
from vitrina.data.sharded import held
from vitrina.models.base import ModelConfig
from vitrina.models.own import completed
from vitrina.protocols import Encoder, Recommender, Scorer
from vitrina.testing import ContractError, check_model
from vitrina.testing.laws import LAWS
from vitrina.types import Eligibility, Queries, Recommendations

VARIANTS = [
    vt.Popularity(days=30, by="events"), vt.Popularity(half_life=5), vt.TopPersonal(decay=vt.decay.Exponential(days=9)),
    vt.TopPersonal(decay=vt.decay.Window(events=3)), vt.TifuKNN(neighbours=5), vt.TifuKNN(neighbours=3, groups=2, short="oldest"),
    vt.GFCF(dim=4, sharpening=1), vt.TurboCF(coefficients=(2, -1), neighbours=9), vt.LightGCN(loss=vt.graph.SimGCL(ranking=vt.graph.Relabelled()), dim=8, epochs=2),
    vt.ContentSimilarity(columns=("group",), decay=vt.decay.Exponential(events=2)),
    vt.BERT4Rec(dim=8, personal=vt.sequence.PersonalPopularity(), training=vt.sequence.Training(epochs=2)),
]  # fmt: skip


SMALL: dict[str, dict[str, Any]] = {
    "IALS": {"dim": 8, "l2": 0.05},
    "SequenceModel": {"dim": 16, "training": vt.sequence.Training(epochs=3)},
    "LightGCN": {"dim": 8, "epochs": 3},
    "ActionPiece": {"columns": ("group",), "dim": 16, "segmentations": 2, "training": vt.sequence.Training(epochs=3)},
    "Reranked": {"model": vt.EASE(l2=20), "reranker": vt.testing.ByHash(), "candidates": 8},
    "Blend": {"models": (vt.Cooccurrence(), vt.EASE(l2=20)), "weights": (1, 0.5)},
    **{name: {"hidden": 16, "dim": 4, "epochs": 3} for name in ("MultVAE", "RecVAE", "VASP")},
    "Indexed": {"model": vt.IALS(dim=8)},
    "TIGER": {"codes": vt.sequence.ResidualKMeans(sizes=(4, 4)), "dim": 16, "training": vt.sequence.Training(epochs=3, learning_rate=1e-2)},
    "TwoStage": {"sources": (vt.ranking.Source(model=vt.Cooccurrence(), n=10), vt.ranking.Source(model=vt.TopPersonal(), n=10))},
}  # others have their defaults


def public_models() -> list[Any]:
    """One of each public model."""
    public = (getattr(vt, name) for name in vt.__all__)
    return [cls(**SMALL.get(cls.__name__, {})) for cls in public if isinstance(cls, type) and issubclass(cls, ModelConfig)]


LISTS_ONLY = {"Reranked", "TwoStage", "ActionPiece", "TIGER"}  # they give lists, and no score of everything
WHOLE_LOG = {"TwoStage"}  # they refuse a log in shards with a sentence, and docs/larger-than-memory.md says so


@pytest.mark.parametrize("model", [*public_models(), *VARIANTS], ids=repr)
def test_a_model_keeps_the_laws(model):
    report = check_model(model)
    assert set(report.kept) | set(report.skipped) == set(LAWS)
    assert set(report.skipped) <= {
        "timeless",
        "encode",
        *(("shards_only",) if type(model).__name__ in WHOLE_LOG else ()),
        *(("score",) if type(model).__name__ in LISTS_ONLY else ()),
    }


def test_the_public_models_are_found():
    names = {type(model).__name__ for model in public_models()}
    assert {"Popularity", "TopPersonal", "RandomItems", "TifuKNN", "ContentSimilarity"} <= names


Change = Callable[[Recommendations, Queries, int, Eligibility], Recommendations]


@dataclass(frozen=True)
class Bent:
    """A recommender whose answers are changed on the way out."""

    inner: Any
    change: Change

    @property
    def vocabulary(self) -> vt.Vocabulary:
        return self.inner.vocabulary

    @property
    def catalogue(self) -> Any:
        return self.inner.catalogue

    @property
    def notes(self) -> tuple[str, ...]:
        return self.inner.notes

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        return self.change(self.inner.recommend(queries, k, eligible=eligible), queries, k, eligible)


@dataclass(frozen=True)
class BentModel:
    """Nothing is wrong with it but what `change` does."""

    change: Change

    def fit(self, data: vt.Dataset, *, validation: Any = None, start: Any = None) -> Any:
        return Bent(vt.TifuKNN(neighbours=5).fit(data), self.change)


def with_items(answer: Recommendations, items: Any) -> Recommendations:
    return replace(answer, items=np.asarray(items, np.int32))


def twice(answer, queries, k, eligible):
    items = answer.items.copy()
    items[:, -1] = items[:, 0]
    return with_items(answer, items)


def wide_scores(answer, queries, k, eligible):
    return replace(answer, scores=answer.scores.astype(np.float64))


def upside_down(answer, queries, k, eligible):
    return replace(answer, scores=-answer.scores)


def all_equal(answer, queries, k, eligible):
    return replace(answer, scores=np.where(answer.fallback, np.nan, 0).astype(np.float32))


def odd_k_turned(answer, queries, k, eligible):
    return with_items(answer, answer.items[:, ::-1]) if k % 2 else answer


def by_company(answer, queries, k, eligible):
    return replace(answer, scores=(answer.scores * len(queries)).astype(np.float32))


def seen_again(answer, queries, k, eligible):
    items = answer.items.copy()
    for row in np.flatnonzero(queries.lengths):
        items[row, 0] = queries.histories()[row][0]
    return with_items(answer, items)


def filtered_after(answer, queries, k, eligible):
    """What back-ends do: drop items from a list that was already cut."""
    items = answer.items.copy()
    items[:, k // 2 :] = -1
    return with_items(answer, items)


def deaf(answer, queries, k, eligible):
    return with_items(answer, np.tile(np.arange(k) % 30, (len(queries), 1)))


def nothing_for_strangers(answer, queries, k, eligible):
    items = answer.items.copy()
    items[queries.lengths == 0] = -1
    return with_items(answer, items)


def by_code(answer, queries, k, eligible):
    return replace(answer, scores=np.where(answer.fallback, np.nan, -answer.items).astype(np.float32))


def by_vocabulary(answer, queries, k, eligible):
    return replace(answer, scores=(answer.scores * len(queries.vocabulary)).astype(np.float32))


def raised_without_times(answer, queries, k, eligible):
    return replace(answer, scores=answer.scores + np.float32(queries.events.times.min() * 0))


def unknown_without_times(answer, queries, k, eligible):
    return answer if queries.events.times is not None else replace(answer, scores=np.full_like(answer.scores, np.nan))


CHANGES = {
    "lists": [twice, wide_scores], "scores": [upside_down], "ties": [all_equal], "prefix": [odd_k_turned], "batch": [by_company],
    "seen": [seen_again], "full": [filtered_after], "eligible": [deaf, filtered_after], "nobody": [nothing_for_strangers],
    "relabel": [by_code], "grown": [by_vocabulary],
}  # fmt: skip


@pytest.mark.parametrize(("law", "change"), [(law, change) for law, changes in CHANGES.items() for change in changes])
def test_a_bent_answer_breaks_its_law(law, change):
    with pytest.raises(ContractError, match=rf"\n{law}: "):
        check_model(BentModel(change), laws=[law])


def test_a_straight_answer_breaks_none():
    report = check_model(BentModel(lambda answer, queries, k, eligible: answer))
    assert set(report.skipped) == {"config", "score", "encode", "shards_only", "saved", "weights"}


class Fits:
    """Models that are wrong in how they fit."""

    @dataclass(frozen=True)
    class Moody:
        """Another seed at each fit."""

        def fit(self, data, *, validation=None, start=None):
            return vt.RandomItems(seed=int(np.random.default_rng().integers(2**31))).fit(data)

    @dataclass(frozen=True)
    class FirstShard:
        """Looks at one shard only."""

        def fit(self, data, *, validation=None, start=None):
            return vt.Popularity().fit(replace(next(data.shards()), shard_count=1))

    @dataclass(frozen=True)
    class Spoiler:
        """Sorts the log in place."""

        def fit(self, data, *, validation=None, start=None):
            recommender = vt.Popularity().fit(data)
            data.events.items[:2] = data.events.items[:2][::-1].copy()
            return recommender

    @dataclass(frozen=True)
    class Hoarder:
        """Keeps the log in a corner."""

        keep: Callable[[Any], Any]

        def fit(self, data, *, validation=None, start=None):
            recommender = vt.Popularity().fit(data)
            recommender.__dict__["corner"] = [{"log": self.keep(data)}]
            return recommender

    @dataclass(frozen=True)
    class NeedsTimes:
        """Falls over without times."""

        def fit(self, data, *, validation=None, start=None):
            assert data.events.times.max() > 0
            return vt.Popularity().fit(data)

    @dataclass(frozen=True)
    class NoBaskets:
        """Falls over with baskets."""

        def fit(self, data, *, validation=None, start=None):
            if data.events.baskets is not None:
                raise KeyError("basket")
            return vt.Popularity().fit(data)

    @dataclass
    class Soft:
        """A config that can be changed."""

        l2: float = 1.0

        def fit(self, data, *, validation=None, start=None):
            return vt.Popularity().fit(data)


@pytest.mark.parametrize(
    ("law", "model", "says"),
    [
        ("again", Fits.Moody(), "fitted again"),
        ("shards", Fits.FirstShard(), "three shards"),
        ("data", Fits.Spoiler(), "items of the log"),
        ("lean", Fits.Hoarder(lambda data: data), "'log'.* is the Dataset"),
        ("lean", Fits.Hoarder(lambda data: data.events.items[3:]), "is a column of the log"),
        ("timeless", Fits.NeedsTimes(), "AttributeError"),
        ("untimed", BentModel(raised_without_times), "AttributeError"),
        ("untimed", BentModel(unknown_without_times), r"query 0, .*place 0 has the score nan"),
        ("baskets", Fits.NoBaskets(), "KeyError"),
        ("config", Fits.Soft(), "frozen=True"),
    ],
)
def test_a_wrong_fit_breaks_its_law(law, model, says):
    with pytest.raises(ContractError, match=rf"\n{law}: .*{says}"):
        check_model(model, laws=[law])


def test_weights_that_are_not_read_as_the_model_says_are_caught():
    class Boastful(ModelConfig):
        reads_weights = True

        def fit(self, data, *, validation=None, start=None):
            return vt.RandomItems().fit(data)

    class Silent(ModelConfig):
        def fit(self, data, *, validation=None, start=None):
            return vt.TopPersonal().fit(data)

    with pytest.raises(ContractError, match=r"\nweights: with other weights of events nothing changes"):
        check_model(Boastful(), laws=["weights"])
    with pytest.raises(ContractError, match=r"\nweights: with other weights, which the model doesn't say it reads"):
        check_model(Silent(), laws=["weights"])


def test_a_disliked_item_in_a_list_is_caught():
    def stubborn(answer, queries, k, eligible):
        items = answer.items.copy()
        for row in np.flatnonzero(queries.lengths):
            own = slice(queries.start[row], queries.stop[row])
            if queries.events.weights is not None and queries.events.weights[own][-1] < 0:
                items[row, 0] = queries.events.items[own][-1]
        return with_items(answer, items)

    with pytest.raises(ContractError, match=r"\ndislikes: query \d+ .* which the person disliked, is recommended"):
        check_model(BentModel(stubborn), laws=["dislikes"])


def test_a_config_that_forgets_a_parameter_is_caught():
    class Forgetful(Config):
        l2: float = 1.0

        def __init__(self, **parameters: Any) -> None:
            super().__init__(l2=2 * parameters.get("l2", 1.0))

        def fit(self, data, *, validation=None, start=None):
            return vt.Popularity().fit(data)

    with pytest.raises(ContractError, match=r"\nconfig: .*is another"):
        check_model(Forgetful(l2=3.0), laws=["config"])


def test_a_score_that_disagrees_with_the_list_is_caught(monkeypatch):
    from vitrina.forms.personal import Personal

    monkeypatch.setattr(Personal, "score_block", lambda self, queries: np.zeros((len(queries), len(self.vocabulary)), np.float32))
    with pytest.raises(ContractError, match=r"\nscore: .*its list says"):
        check_model(vt.TopPersonal(), laws=["score"])


@pytest.mark.parametrize("model", [vt.ContentSimilarity(), vt.SASRec(dim=8, training=vt.sequence.Training(epochs=1))], ids=repr)
def test_forms_of_vectors_are_encoders(model):
    assert isinstance(model.fit(vt.testing.synthetic(users=20, items=12)), Encoder)
    assert "encode" in check_model(model, laws=["encode"]).kept


def test_a_model_that_reads_the_whole_log_though_it_says_shards_is_caught():
    class Greedy(ModelConfig):
        reads_shards = True

        def fit(self, data, *, validation=None, start=None):
            assert data.csr().nnz
            return vt.Popularity().fit(data)

    class FirstShard(ModelConfig):
        reads_shards = True

        def fit(self, data, *, validation=None, start=None):
            return vt.Popularity().fit(next(data.shards()))

    with pytest.raises(ContractError, match=r"\nshards_only: raised DataError: .*can't be had as a whole"):
        check_model(Greedy(), laws=["shards_only"])
    with pytest.raises(ContractError, match=r"\nshards_only: fitted on shards alone"):
        check_model(FirstShard(), laws=["shards_only"])


@pytest.mark.parametrize(
    "model",
    [vt.Cooccurrence(gap=vt.decay.Exponential(days=3), one_way=True), vt.Cooccurrence(content=vt.Content(), last=5), vt.EASE(max_items=9)],
    ids=repr,
)
def test_other_ways_of_fitting_read_shards_too(model):
    assert check_model(model, laws=["shards_only"]).kept == ("shards_only",)


def test_weights_are_read_in_shards():
    whole = vt.testing.synthetic(users=30, items=12)
    weights = np.random.default_rng(0).choice([-1, 0, 1, 3], whole.n_events).astype(np.float32)
    weighted = replace(whole, events=replace(whole.events, weights=weights))
    for model in (vt.Cooccurrence(), vt.Popularity(), vt.EASE(), vt.TifuKNN()):
        assert check_model(model, weighted, laws=["shards_only"]).kept == ("shards_only",)
    assert vt.RandomItems().fit(held(weighted, 3)).notes == ("Weights of events are not read.",)


def test_a_model_of_the_whole_log_refuses_shards_with_a_sentence():
    class Whole(ModelConfig):
        def fit(self, data):
            return vt.Popularity().fit(data)

    with pytest.raises(DataError, match=r"Whole reads a log as a whole, and Sharded\('toy'.*comes in shards.*such as Popularity"):
        Whole().fit(held(vt.testing.toy(), 2))


def test_what_is_added_to_the_product_is_said():
    model = vt.SASRec(dim=8, personal=vt.sequence.PersonalPopularity(), training=vt.sequence.Training(epochs=1))
    assert "visitor's own events" in check_model(model, laws=["encode"]).skipped["encode"]


def test_an_encoder_whose_vectors_are_no_scores_is_caught(monkeypatch):
    from vitrina.forms.embeddings import Embeddings

    monkeypatch.setattr(Embeddings, "item_vectors", property(lambda self: 2 * self.vectors))
    with pytest.raises(ContractError, match=r"\nencode: score of query \d+ and item \d+ is"):
        check_model(vt.ContentSimilarity(), laws=["encode"])


def test_a_model_that_can_only_recommend_keeps_the_laws():
    @dataclass(frozen=True)
    class Recommends:
        inner: Any

        def recommend(self, queries, k, *, eligible=Eligibility()):
            return self.inner.recommend(queries, k, eligible=eligible)

    class Least:
        def fit(self, data, *, validation=None, start=None):
            return Recommends(vt.Popularity().fit(data))

    report = check_model(Least())
    assert {"full", "eligible", "shards", "relabel"} <= set(report.kept)
    whole = completed(Least().fit(vt.testing.toy()), vt.testing.toy())
    assert isinstance(whole, Recommender)
    assert whole.notes == ()
    assert not isinstance(whole, Scorer)
    with pytest.raises(ParameterError, match=r"must return a recommender, an object with recommend\(queries, k"):
        completed(object(), vt.testing.toy())


def test_what_a_recommender_of_ones_own_has_is_kept():
    inner = vt.ContentSimilarity().fit(vt.testing.toy())
    lacking = SimpleNamespace(recommend=inner.recommend, score=inner.score, score_pairs=inner.score_pairs, notes=("mine",))
    whole = completed(lacking, vt.testing.toy())
    assert isinstance(whole, Scorer)
    assert whole.notes == ("mine",)
    assert completed(inner, vt.testing.toy()) is inner


def test_an_artifact_that_forgets_is_caught(monkeypatch):
    from vitrina.forms.personal import Personal

    monkeypatch.setattr(Personal, "state", lambda self: State({"decay": None}))
    with pytest.raises(ContractError, match=r"\nsaved: "):
        check_model(vt.TopPersonal(decay=vt.decay.Exponential(events=1)), laws=["saved"])


def test_every_law_can_fail_and_is_in_the_documentation():
    elsewhere = {
        "again",
        "shards",
        "data",
        "lean",
        "timeless",
        "untimed",
        "baskets",
        "config",
        "score",
        "encode",
        "shards_only",
        "saved",
        "weights",
        "dislikes",
    }
    assert set(CHANGES) | elsewhere == set(LAWS)
    for law in LAWS:
        assert f"| `{law}` |" in (check_model.__doc__ or "")


def test_all_broken_laws_are_told_at_once():
    with pytest.raises(ContractError, match=r"breaks 2 laws[^\n]*\nscores: [^\n]*\nprefix: [^\n]*$"):
        check_model(BentModel(lambda a, q, k, e: upside_down(odd_k_turned(a, q, k, e), q, k, e)), laws=["prefix", "scores", "seen"])


def test_an_unknown_law_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'shards'"):
        check_model(vt.Popularity(), laws=["shard"])


def test_own_data_can_be_given():
    report = check_model(vt.Popularity(), vt.testing.toy())
    assert "full" in report.kept
