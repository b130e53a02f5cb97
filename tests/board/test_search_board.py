"""A board of search engines: judged queries without a log, slices by words, and the searches that went worst with their lists."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from vitrina.board.people import worst
from vitrina.board.sections.page import render


def split_of_searches() -> Any:
    items = pl.DataFrame({"item": [f"i{n}" for n in range(30)], "title": [f"{'red' if n % 2 else 'blue'} lamp {n} <b>" for n in range(30)]})
    texts = {
        "good": "lamp",
        "bad": "<script>sofa</script>",
        **{f"q{n}": ("red lamp" if n % 2 else "blue lamp of steel") for n in range(40)},
    }
    rows = [(query, f"i{n}", float(n % 3)) for query in texts for n in range(12)]
    return vt.split.judged(pl.DataFrame(rows, schema=["query", "item", "gain"], orient="row"), texts, items)


def test_a_board_of_search_engines(one_process: None) -> None:
    split = split_of_searches()
    models = {"titles": vt.search.TextSearch(columns={"title": 1}), "chance": vt.RandomItems()}
    metrics = ["linear nDCG@10", "Unjudged@10"]
    board = vt.compare(models, split, metrics=metrics, primary="linear nDCG@10", baselines=False, baseline="chance", progress=False)
    assert {entry.status for entry in board.entries} == {"ok"}
    assert board.inspection is None
    assert "words asked" in board.slices["slice"].to_list()
    assert "Unjudged@10" in board.numbers["metric"].to_list()
    assert "<script>sofa</script>" in [example.text for example in board.examples]
    page = render(board)
    assert "The searches that went worst" in page
    assert "<script>sofa" not in page
    assert "Then took" not in page
    assert json.loads(json.dumps(board.to_dict()))["examples"][0]["text"]


def test_the_worst_are_those_whose_lists_hold_least_of_what_they_could() -> None:
    split = split_of_searches()
    hits = np.zeros((2, len(split.queries), 10), bool)
    hits[:, :, :4] = True
    hits[:, 5], hits[0, 7] = False, False
    hits[:, 9, 4:] = True
    assert worst(split, hits, 2).tolist() == [5, 7]
    assert worst(split, hits, 2, np.array([7, 9])).tolist() == [7, 9]


def test_the_shares_of_the_data_are_measured() -> None:
    log = vt.testing.toy()
    ids, had = log.items.ids.to_list(), int(log.events.items[0])  # of the first person
    qrels = pl.DataFrame([("a", ids[had], 1.0), ("a", "new", 1.0), ("b", "new", 1.0)], schema=["query", "item", "gain"], orient="row")
    queries = pl.DataFrame({"query": ["a", "b"], "text": ["one", "two"], "user": [str(log.users.ids[0]), "nobody"]})
    split = vt.split.judged(qrels, queries, [*ids, "new"], log=log)
    shares = {"cold_targets": 2 / 3, "queries_without_history": 0.5, "new_users": 0.5, "seen_targets": 1 / 3}
    assert {name: split.counts[f"{name}_share"] for name in shares} == shares
