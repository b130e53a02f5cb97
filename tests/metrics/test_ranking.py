"""Every metric of accuracy against ten lines of plain Python, and against trec_eval where the definitions agree."""

import math

import numpy as np
import pytest
from worlds import rows, world

from vitrina.base.errors import ParameterError
from vitrina.catalogue import Catalogue
from vitrina.metrics import Judged, metric
from vitrina.types import Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


def precision(items, truth, k):
    return sum(i in truth for i in items[:k]) / k


def recall(items, truth, k):
    return sum(i in truth for i in items[:k]) / len(truth)


def hit_rate(items, truth, k):
    return float(any(i in truth for i in items[:k]))


def mrr(items, truth, k):
    return next((1 / place for place, i in enumerate(items[:k], 1) if i in truth), 0.0)


def mean_precision(items, truth, k):
    total, found = 0.0, 0
    for place, item in enumerate(items[:k], 1):
        if item in truth:
            found += 1
            total += found / place
    return total / min(k, len(truth))


def ndcg(items, truth, k):
    gain = sum(1 / math.log2(place + 1) for place, i in enumerate(items[:k], 1) if i in truth)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(truth)) + 1))


def r_precision(items, truth, k):
    depth = min(k, len(truth))
    return sum(i in truth for i in items[:depth]) / depth


ORACLES = {
    "Precision": precision, "Recall": recall, "HitRate": hit_rate, "MRR": mrr, "MAP": mean_precision, "nDCG": ndcg, "RPrecision": r_precision,
}  # fmt: skip


@pytest.mark.parametrize("k", [1, 5, 10, 12])
@pytest.mark.parametrize("label", ORACLES)
def test_equals_plain_python(label, k):
    judged = world(seed=k)
    expected = [ORACLES[label](items, truth, k) if truth else math.nan for items, truth in rows(judged)]
    np.testing.assert_allclose(metric(f"{label}@{k}").per_query(judged), expected, rtol=0, atol=1e-12)


def test_hits_and_relevant_equal_plain_python():
    judged = world(seed=3)
    expected = [[i is not None and i in truth for i in items] for items, truth in rows(judged)]
    assert judged.hits.tolist() == expected
    assert judged.relevant.tolist() == [len(truth) for _, truth in rows(judged)]


def test_lists_that_are_given_stay_untouched():
    judged = world(seed=1)
    before = judged.recommendations.items.copy()
    assert (judged.items != before).any(), "the world must hold repeated items"
    np.testing.assert_array_equal(judged.recommendations.items, before)


def _judged(lists, truth, items=6):
    lists = np.array(lists, np.int32)
    catalogue = Catalogue(np.ones(items, np.int64), np.ones(items, np.int64), 2)
    return Judged(Recommendations(lists, np.zeros(lists.shape, np.float32), Vocabulary.of(range(items))), Ragged.of(truth), catalogue)


def test_the_special_cases_by_hand():
    """Perfect list, repeated item, empty list, unreachable truth, nothing taken."""
    judged = _judged([[0, 1], [2, 2], [-1, -1], [3, 4], [0, 1]], [[1, 0], [2], [1], [3, 99, -1], []])
    assert judged.relevant.tolist() == [2, 1, 1, 3, 0]
    np.testing.assert_allclose(metric("Recall@2").per_query(judged), [1, 1, 0, 1 / 3, np.nan])
    np.testing.assert_allclose(metric("Precision@2").per_query(judged), [1, 0.5, 0, 0.5, np.nan])
    np.testing.assert_allclose(metric("MAP@2").per_query(judged), [1, 1, 0, 0.5, np.nan])
    np.testing.assert_allclose(metric("nDCG@1").per_query(judged), [1, 1, 0, 1, np.nan])


def test_relabelling_items_changes_nothing():
    judged = world(seed=5)
    new = np.random.default_rng(0).permutation(33).astype(np.int32)
    old_items = judged.recommendations.items
    items = np.where(old_items < 0, -1, new[old_items])
    truth = Ragged(judged.truth.indptr, new[judged.truth.values])
    renamed = Judged(Recommendations(items, judged.recommendations.scores, judged.recommendations.vocabulary), truth, judged.catalogue)
    for label in ORACLES:
        np.testing.assert_array_equal(metric(f"{label}@10").per_query(renamed), metric(f"{label}@10").per_query(judged))


def test_a_short_list_and_a_wrong_number_of_rows_are_named():
    judged = _judged([[0, 1]], [[1]])
    for label in ORACLES:
        with pytest.raises(ParameterError, match=rf"{label}@3 needs lists of 3 items. Got lists of 2"):
            metric(f"{label}@3").per_query(judged)
    with pytest.raises(ParameterError, match="same queries"):
        _judged([[0, 1]], [[1], [0]])


def test_equals_trec_eval_where_definitions_agree():
    """AP and Rprec of trec_eval know no min(k, R): they agree where R is at most k."""
    import ir_measures
    from ir_measures import AP, RR, P, R, Rprec, Success, nDCG

    rng = np.random.default_rng(2)
    lists = np.array([rng.permutation(40)[:10] for _ in range(80)], np.int32)
    truth = [rng.permutation(45)[: rng.integers(1, 10)] for _ in range(80)]
    judged = _judged(lists, truth, items=45)
    run = [ir_measures.ScoredDoc(str(q), str(i), 10.0 - place) for q, row in enumerate(lists.tolist()) for place, i in enumerate(row)]
    qrels = [ir_measures.Qrel(str(q), str(i), 1) for q, row in enumerate(truth) for i in row.tolist()]
    pairs = {
        P @ 10: "Precision@10", R @ 10: "Recall@10", Success @ 10: "HitRate@10", RR @ 10: "MRR@10", AP @ 10: "MAP@10",
        nDCG @ 10: "nDCG@10", nDCG @ 5: "nDCG@5", P @ 5: "Precision@5", R @ 5: "Recall@5", Rprec: "RPrecision@10",
    }  # fmt: skip
    ours = {measure: metric(name).per_query(judged) for measure, name in pairs.items()}
    found = list(ir_measures.iter_calc(list(pairs), qrels, run))
    assert len(found) == 80 * len(pairs)
    for number in found:
        assert abs(number.value - ours[number.measure][int(number.query_id)]) < 1e-9, (number, pairs[number.measure])
