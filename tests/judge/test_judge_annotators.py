"""Consensus against a slow EM and crowd-kit; verdicts on raters who slack, hurry, copy or do their work."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, UnknownNameError
from vitrina.judge import CrowdKit, DawidSkene, Majority, Scale, annotators

SCALE = Scale(grades=("no", "partly", "yes"))


def ratings(seed=0, items=300, right=(0.9, 0.8, 0.7), seconds=None):
    """Labels of raters who are right with these chances, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, items, p=[0.5, 0.2, 0.3])
    query = [f"q{n // 5}" for n in range(items)]
    item = [f"i{n}" for n in range(items)]
    parts = []
    for r, share in enumerate(right):
        said = np.where(rng.random(items) < share, truth, rng.integers(0, 3, items))
        parts.append(
            pl.DataFrame(
                {"query": query, "item": item, "rater": f"r{r}", "label": said, "seconds": 10.0 if seconds is None else seconds[r]}
            )
        )
    return pl.concat(parts), pl.DataFrame({"query": query, "item": item, "label": truth})


def slow_em(table, rounds):
    """Dawid and Skene in plain loops, without smoothing."""
    items = table.select("query", "item").unique(maintain_order=True).rows()
    said = {}
    for q, i, r, label in table.select("query", "item", "rater", "label").iter_rows():
        said.setdefault((q, i), []).append((r, label))
    raters = table["rater"].unique(maintain_order=True).to_list()
    p = {key: [sum(label == z for _, label in said[key]) / len(said[key]) for z in range(3)] for key in items}
    for _ in range(rounds):
        prior = [sum(p[key][z] for key in items) / len(items) for z in range(3)]
        e = {}
        for r in raters:
            for z in range(3):
                counts = [sum(p[key][z] for key in items for rr, label in said[key] if (rr, label) == (r, lab)) for lab in range(3)]
                for lab in range(3):
                    e[r, z, lab] = max(counts[lab], 1e-10) / sum(max(c, 1e-10) for c in counts)
        new = {}
        for key in items:
            scores = [prior[z] * np.prod([e[r, z, label] for r, label in said[key]]) for z in range(3)]
            new[key] = [s / sum(scores) for s in scores]
        p = new
    return np.array([p[key] for key in items])


def test_dawid_skene_is_the_slow_em():
    table, _ = ratings(items=40)
    found = DawidSkene(rounds=6, smoothing=0, tolerance=1e-300).fit(table, SCALE)
    assert found.rounds == 6
    assert found.chances == pytest.approx(slow_em(table, 6), abs=1e-9)


def test_dawid_skene_is_that_of_crowd_kit():
    pytest.importorskip("crowdkit")
    table, _ = ratings()
    theirs = CrowdKit(method="DawidSkene").fit(table, SCALE)
    ours = DawidSkene(smoothing=0, tolerance=1e-3).fit(table, SCALE)
    assert (ours.table["label"] == theirs.table["label"]).mean() > 0.99
    assert np.abs(ours.chances - theirs.chances).mean() < 0.01
    assert CrowdKit(method="OneCoinDawidSkene").fit(table, SCALE).chances.sum(axis=1) == pytest.approx(1)
    with pytest.raises(UnknownNameError, match="OneCoinDawidSkene"):
        CrowdKit(method="Nobody").fit(table, SCALE)


def test_reliable_raters_count_for_more_than_a_majority():
    table, truth = ratings(3, 1500, (0.95, 0.3, 0.3))
    right = {}
    for method in (Majority(), DawidSkene()):
        both = method.fit(table, SCALE).table.join(truth, on=["query", "item"], suffix="_right")
        right[type(method).__name__] = (both["label"] == both["label_right"]).mean()
    assert right["DawidSkene"] > right["Majority"] + 0.1


def test_errors_of_raters_label_other_items_and_known_answers_stay():
    table, truth = ratings(4, 1000, (0.95, 0.6, 0.6))
    half = truth["item"][:500]
    fitted = DawidSkene().fit(table.filter(pl.col("item").is_in(half.implode())), SCALE)
    rest = fitted.labelled(table.filter(~pl.col("item").is_in(half.implode()))).table.join(truth, on=["query", "item"], suffix="_right")
    assert len(rest) == 500
    assert (rest["label"] == rest["label_right"]).mean() > 0.93
    known = truth.head(100).with_columns(label=pl.lit(2))
    assert (DawidSkene().fit(table, SCALE, gold=known).table["label"][:100] == 2).all()
    with pytest.raises(DataError, match="Nothing is known of how 'new' errs"):
        fitted.labelled(table.with_columns(rater=pl.lit("new")).unique("item"))


def test_a_majority_without_one_takes_the_middle():
    rows = pl.DataFrame(
        {"query": "q", "item": ["a"] * 3 + ["b"] * 2 + ["c"], "rater": ["x", "y", "z", "x", "y", "z"], "label": [0, 1, 2, 0, 2, 2]}
    )
    assert Majority().fit(rows, SCALE).table["label"].to_list() == [1, 0, 2]


def test_each_rater_gets_a_verdict():
    table, truth = ratings(5, 400, (0.9, 0.9, 0.85, 0.02), seconds=(10.0, 1.0, 11.0, 9.0))
    found = annotators(table, SCALE, known=truth.head(60))
    verdicts = dict(found.table.select("rater", "verdict").iter_rows())
    assert verdicts == {"r0": "fine", "r1": "look", "r2": "fine", "r3": "leave out"}
    assert "hardly more than labels drawn by chance" in found.sentences[3]
    assert "quarter of the usual time" in found.sentences[1]
    assert found.table["known"][0] > 0.85
    assert (found.copying["verdict"] == "none seen").all()


def test_whoever_copies_is_seen_and_whoever_only_agrees_is_not():
    table, _ = ratings(6, 500, (0.8, 0.75, 0.8, 0.7))
    copier = np.random.default_rng(0)
    first = table.filter(pl.col("rater") == "r0")
    copied = first.with_columns(rater=pl.lit("r4"), label=pl.when(pl.Series(copier.random(500) < 0.93)).then("label").otherwise(pl.lit(1)))
    found = annotators(pl.concat([table, copied]), SCALE)
    assert found.copying.filter(pl.col("verdict") == "copied").select("rater", "other").rows() == [("r0", "r4")]
    assert ["ask whether one saw the other's" in sentence for sentence in found.sentences] == [True, False, False, False, True]


def test_known_answers_count():
    table, truth = ratings(7, 300, (0.9, 0.9, 0.4))
    found = annotators(table, SCALE, known=truth)
    assert found.table["verdict"].to_list()[2] == "leave out"
    assert "of the known answers are right" in found.sentences[2]
