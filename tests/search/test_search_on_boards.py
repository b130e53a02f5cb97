"""Search engines as models: on boards, in mixtures, with words as the baseline where nobody has taken anything."""

import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.baselines import baselines

GOODS = pl.DataFrame({"item": ["t1", "t2", "t3", "j1"], "name": ["Green tea", "Mint tea", "Black tea", "Berry jam"]})
QRELS = pl.DataFrame({"query": ["green tea", "berry"], "item": ["t1", "j1"], "gain": [1, 1]})
SPLIT = vt.split.judged(QRELS, None, GOODS)


def test_nothing_popular_fills_a_mixture_of_searches():
    one, other = vt.search.TextSearch(columns={"name": 1}), vt.search.TextSearch(columns={"name": 1}, languages=())
    mixed = vt.Blend(models=(one, other), scale=vt.scale.ReciprocalRank(), weights=(0.5, 0.5)).fit(SPLIT.train)
    lists = mixed.recommend(SPLIT.queries, 4)
    assert lists.to_frame().filter(pl.col("query") == 1)["item_id"].to_list() == ["j1"]
    assert not lists.fallback.any()


def test_words_are_the_baseline_of_searches_and_alone_without_events():
    assert [one.name for one in baselines(SPLIT)] == ["Words"]
    log = vt.read_interactions(pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["t1", "t2", "t1"]}))
    named = [one.name for one in baselines(vt.split.judged(QRELS, None, GOODS, log=log))]
    assert named[:2] == ["Words", "Popularity, all time"]
    assert [one.name for one in baselines(SPLIT, [vt.search.TextSearch(columns={"name": 1})])] == []


def test_rules_of_synonyms_are_a_text():
    with pytest.raises(ParameterError, match="a rule per line"):
        vt.search.Synonyms.of(["tv, television"])
