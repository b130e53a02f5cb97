"""What a newcomer types wrong is answered with a sentence that has the remedy, and what is printed fits a screen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError, DataError, ParameterError, SplitError, VitrinaError

DATA = vt.testing.toy()
SPLIT = DATA.split(vt.split.LeaveOneOut(repeat=False))
ANSWER = vt.Popularity().fit(SPLIT.train).recommend(SPLIT.queries, 1)
KINDS = vt.read_interactions(pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "kind": ["view", "buy"]}))

MISTAKES: list[tuple[Callable[[], object], type[VitrinaError], str]] = [
    (lambda: vt.EASE(100), ParameterError, r"EASE\(l2=100\)"),
    (lambda: vt.split.GlobalTime(at="2024-13-01"), ParameterError, "The 'at' parameter of GlobalTime"),
    (lambda: vt.Cooccurrence(gap=vt.decay.Exponential(days=-1)), ParameterError, "The 'days' parameter of Exponential"),
    (lambda: DATA.split("last"), ParameterError, "GlobalTime"),
    (lambda: DATA.split(vt.split.GlobalTime), ParameterError, "by a rule"),
    (lambda: DATA.split(vt.split.GlobalTime(at="2030-01-01")), SplitError, "the log ends at 2023-11-15"),
    (lambda: vt.compare(vt.EASE(), SPLIT), ParameterError, "in a list"),
    (lambda: vt.compare([vt.EASE], SPLIT), ParameterError, r"EASE\(\)"),
    (lambda: vt.compare({"mine": 3}, SPLIT), ParameterError, "fit"),
    (lambda: vt.compare([vt.EASE()], DATA), ParameterError, "on a split"),
    (lambda: vt.EASE().fit(SPLIT), ParameterError, r"fit\(split.train\)"),
    (lambda: vt.TopPersonal().fit(DATA.frame()), ParameterError, r"vt.read_interactions\(table, user=..., item=...\)"),
    (lambda: vt.eSASRec().fit("log.csv"), ParameterError, r"vt.read_interactions\('log.csv'"),
    (lambda: vt.TifuKNN().fit(3), ParameterError, "TifuKNN is fitted on a Dataset"),
    (lambda: vt.Cooccurrence().fit(DATA, validation=DATA), ParameterError, "must be a Split"),
    (lambda: vt.Queries.of_histories(DATA.items, ["tea", "milk"]), ParameterError, "list of lists"),
    (lambda: vt.Queries.of_histories(DATA.items, [1, 2]), ParameterError, "list of lists"),
    (lambda: vt.Queries.of_histories(DATA.items, [["tea"]], times=[[1, 2]]), ParameterError, "one for each of its items"),
    (lambda: vt.Queries.of_histories(DATA.items, [["tea"]], times=[[1], [2]]), ParameterError, "for each of the 1 histories"),
    (lambda: vt.Queries.of_histories(DATA.items, [["tea"]], times=[["monday"]]), ParameterError, "whole numbers"),
    (lambda: vt.Queries.of_histories(DATA.items, [["tea"]], times=[[1.5]]), ParameterError, "whole numbers"),
    (lambda: vt.Queries.of_histories(DATA.items, "tea"), ParameterError, "list of lists"),
    (lambda: vt.read_interactions(DATA.frame(), user=0), ParameterError, "The 'user' column is given by its name"),  # type: ignore[arg-type]
    (lambda: vt.read_interactions(DATA.frame(), title="name"), DataError, "no column 'name' for the title"),
    (lambda: DATA.items.encode("tea"), ParameterError, r"\['tea'\]"),
    (lambda: DATA.queries(DATA.frame()), ParameterError, "a table is none"),  # type: ignore[arg-type]
    (lambda: vt.EASE().fit(DATA).similar_items(DATA.frame()), ParameterError, "a table is none"),  # type: ignore[arg-type]
    (lambda: vt.EASE().fit(DATA).similar_items({"salt"}), ParameterError, "doesn't know 'salt'"),  # type: ignore[arg-type]
    (lambda: vt.EASE().fit(DATA).similar_items(["tea"], eligible="jam"), ParameterError, "must be a vt.Eligibility"),  # type: ignore[arg-type]
    (lambda: vt.Eligibility(seen_kinds=3), ParameterError, "are a list"),  # type: ignore[arg-type]
    (lambda: vt.Queries.of_histories(DATA, [["tea"]]), ParameterError, "data.items"),  # type: ignore[arg-type]
    (lambda: vt.Queries.of_histories(DATA.items, None), ParameterError, "list of lists"),  # type: ignore[arg-type]
    (lambda: vt.Queries.of_histories(DATA.items, [["tea", "jam"]], times=[[2, 1]]), ParameterError, "from its oldest event to its newest"),
    (lambda: vt.inspect(DATA.frame()), ParameterError, r"vt.read_interactions\(...\)"),  # type: ignore[arg-type]
    (lambda: vt.evaluate.evaluate(ANSWER, SPLIT, "HitRate@1"), ParameterError, r"\['HitRate@1'\]"),
    (lambda: vt.compare([vt.EASE()], SPLIT, metrics="nDCG@2"), ParameterError, r"\['nDCG@2'\]"),
    (lambda: vt.save(vt.EASE(), "model"), ArtifactError, r"vt.save\(EASE\(...\).fit\(data\), folder\)"),  # type: ignore[arg-type]
    (lambda: vt.recommend_to("lists.csv", vt.EASE(), DATA.queries()), ParameterError, r"model.fit\(data\)"),  # type: ignore[arg-type]
    (lambda: vt.aligned(DATA, vt.EASE().fit(DATA)), ParameterError, r"vt.aligned\(data, model.vocabulary\)"),  # type: ignore[arg-type]
    (lambda: vt.filters.kinds(KINDS, "buy"), ParameterError, r"\['buy'\]"),
    (lambda: vt.filters.kinds(KINDS, {"buy": "much"}), ParameterError, "The weight of 'buy' must be a number"),  # type: ignore[dict-item]
    (lambda: vt.filters.kinds(KINDS, {"buy": 1e-60}), ParameterError, "of a size that float32 holds"),
    (lambda: vt.filters.max_length(DATA, "3"), ParameterError, "a whole number of at least 1"),  # type: ignore[arg-type]
    (lambda: vt.filters.min_length(DATA, 2.5), ParameterError, "a whole number of at least 1"),  # type: ignore[arg-type]
    (lambda: vt.filters.k_core(DATA, None), ParameterError, "'users' bound"),  # type: ignore[arg-type]
    (lambda: vt.filters.user_days(DATA, "7"), ParameterError, "must be a number"),  # type: ignore[arg-type]
    (lambda: vt.filters.without(DATA, users=5), ParameterError, "as a list"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("typed", "error", "said"), MISTAKES)
def test_a_mistake_is_answered_with_its_remedy(typed: Callable[[], object], error: type[VitrinaError], said: str) -> None:
    with pytest.raises(error, match=said):
        typed()


@pytest.mark.parametrize(
    "model", [vt.Popularity(), vt.EASE(l2=1), vt.Cooccurrence(), vt.TopPersonal(), vt.TifuKNN(), vt.RandomItems()], ids=str
)
def test_what_is_fitted_prints_in_a_line(model: vt.EASE) -> None:
    recommender = model.fit(DATA)
    lists = recommender.recommend(DATA.queries(), k=2)
    shown = [repr(x) for x in (DATA, DATA.items, SPLIT, DATA.queries(), recommender, lists)]
    assert all("\n" not in line and len(line) < 140 for line in shown)
    assert "4 items" in repr(recommender)
    assert repr(lists) == "Recommendations(6 lists of 2)"


@pytest.mark.parametrize(
    ("typed", "meant"), [("ease", "vt.EASE"), ("sasrec", "vt.SASRec"), ("TIFUKNN", "vt.TifuKNN"), ("datset", "vt.Dataset")]
)
def test_a_misspelt_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"no public name '{typed}'. Did you mean {meant}"):
        getattr(vt, typed)
    assert not hasattr(vt, "nothing_like_it")


def test_what_prints_shows_itself_in_a_notebook() -> None:
    lists = vt.EASE(l2=1).fit(SPLIT.train).recommend(SPLIT.queries, 2)
    for shown in (DATA, lists, SPLIT.summary, vt.inspect(DATA), vt.evaluate.evaluate(lists, SPLIT, ["HitRate@2"], intervals=False)):
        assert shown._repr_html_().startswith("<")


def test_a_list_of_histories_may_hold_any_sequence() -> None:
    histories = (np.array(["tea", "milk"]), ("salt",), [])
    assert vt.Queries.of_histories(DATA.items, histories).lengths.tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda s: vt.compare([vt.EASE()], s, budget=3), r"The 'budget' of compare must be a Budget, .*trials.* Got 3"),
        (lambda s: vt.compare([vt.EASE()], s, bootstrap=5), r"The 'bootstrap' of compare must be a Bootstrap, .*draws.* Got 5"),
        (lambda _: vt.testing.check_model("EASE"), r"A model is an object with a method fit\(data\), such as vt\.EASE\(\)\. Got 'EASE'"),
        (lambda _: vt.testing.check_model(vt.EASE), r"A model is an object with a method fit"),
        (lambda _: vt.testing.check_reranker("MMR"), r"A re-ranker is an object with a method fit"),
        (
            lambda _: vt.Reranked(model=vt.EASE()),
            r"Reranked needs the parameter 'reranker'\. Its parameters: candidates, model, reranker\.",
        ),
    ],
)
def test_a_record_a_model_or_a_part_that_is_none_is_refused_with_what_it_should_be(wrong, sentence):
    split = vt.testing.toy().split(vt.split.LeaveOneOut(repeat=False))
    with pytest.raises(ParameterError, match=sentence):
        wrong(split)
