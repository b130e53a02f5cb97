"""Metrics of grades against plain Python and against trec_eval; what nobody judged is counted, passed over or taken out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from worlds import world

from vitrina.base.errors import DataError, ParameterError
from vitrina.catalogue import Catalogue
from vitrina.grades import Grades
from vitrina.metrics import Judged, metric
from vitrina.metrics.graded import ERR, Condensed, GradedNDCG
from vitrina.metrics.ranking import NDCG
from vitrina.types import Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

TOP = 4


def plain_rows(judged):
    """Each list (None for a blank) and the grades of its query."""
    for q in range(len(judged)):
        listed, seen = [], set()
        for item in judged.recommendations.items[q].tolist():
            listed.append(None if item < 0 or item in seen else item)
            seen.add(item)
        first, last = judged.grades.items.indptr[q : q + 2]
        codes, gains = judged.grades.items.values[first:last].tolist(), judged.grades.gains[first:last].tolist()
        yield listed, dict(zip(codes, gains, strict=True))


def ndcg(listed, grades, k, gain):
    best = sorted((gain(max(g, 0)) for g in grades.values()), reverse=True)[:k]
    ideal = sum(g / math.log2(j + 2) for j, g in enumerate(best))
    found = sum(gain(max(grades.get(i, 0), 0)) / math.log2(j + 2) for j, i in enumerate(listed[:k]))
    return found / ideal if ideal else math.nan


def err(listed, grades, k):
    """The walk of Chapelle et al., step by step."""
    if max(grades.values(), default=0) <= 0:
        return math.nan
    left, total = 1.0, 0.0
    for place, item in enumerate(listed[:k], 1):
        stops = (2 ** max(grades.get(item, 0), 0) - 1) / 2**TOP
        total += left * stops / place
        left *= 1 - stops
    return total


def bpref(listed, grades, k):
    relevant = [i for i, g in grades.items() if g > 0]
    bad = [i for i, g in grades.items() if g <= 0]
    if not relevant:
        return math.nan
    total = 0.0
    for place, item in enumerate(listed[:k]):
        if item in relevant:
            above = sum(other in bad for other in listed[:place] if other is not None)
            total += 1 - min(above, len(relevant)) / min(len(relevant), len(bad)) if bad else 1
    return total / len(relevant)


def unjudged(listed, grades, k):
    return sum(i is not None and i not in grades for i in listed[:k])


ORACLES = {
    "linear nDCG": lambda *row: ndcg(*row, lambda g: g),
    "exponential nDCG": lambda *row: ndcg(*row, lambda g: 2**g - 1),
    "ERR": err, "bpref": bpref, "Unjudged": unjudged,
}  # fmt: skip


@pytest.mark.parametrize("k", [1, 5, 12])
@pytest.mark.parametrize("label", ORACLES)
def test_equals_plain_python(label, k):
    judged = world(seed=k)
    expected = [ORACLES[label](listed, grades, k) for listed, grades in plain_rows(judged)]
    got = metric(f"{label}@{k}").per_query(judged)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert np.nanstd(got) > 0


@pytest.mark.parametrize("label", ["linear nDCG", "exponential nDCG"])
def test_condensed_lists_equal_plain_python(label):
    judged = world(seed=4)
    wanted = Condensed(metric=metric(f"{label}@5"), depth=9)
    expected = [ORACLES[label]([i for i in listed[:9] if i in grades], grades, 5) for listed, grades in plain_rows(judged)]
    np.testing.assert_allclose(wanted.per_query(judged), expected, rtol=0, atol=1e-12)
    assert not np.allclose(expected, metric(f"{label}@5").per_query(judged), equal_nan=True)


def test_binary_metrics_do_not_read_grades():
    judged = world(seed=6)
    bare = replace(judged, grades=None, _cache={})
    for name in ("nDCG@10", "Recall@5", "MAP@10", "MRR@10", "RPrecision@10"):
        np.testing.assert_array_equal(metric(name).per_query(judged), metric(name).per_query(bare))


def test_grades_of_one_are_binary():
    judged = world(seed=7)
    items = judged.truth.unique()
    ones = replace(judged, truth=items, grades=Grades(items, np.ones(len(items.values), np.float32)), _cache={})
    for gain in ("linear", "exponential"):
        np.testing.assert_allclose(GradedNDCG(gain=gain, k=7).per_query(ones), NDCG(k=7).per_query(ones), atol=1e-12)


def judged_of(lists, rows, gains, items=50, above=0.0):
    lists = np.array(lists, np.int32)
    grades = Grades.of(rows, gains, above)
    catalogue = Catalogue(np.ones(items, np.int64), np.ones(items, np.int64), 2)
    named = Vocabulary.of(range(items))
    return Judged(Recommendations(lists, np.zeros(lists.shape, np.float32), named), grades.relevant, catalogue, grades=grades)


def test_equals_trec_eval():
    """nDCG of trec_eval is linear; its bpref reads the whole run; `Judged@k` is the other side of ours for full lists."""
    import ir_measures
    from ir_measures import Bpref, nDCG
    from ir_measures import Judged as JudgedShare

    rng = np.random.default_rng(3)
    lists = np.array([rng.permutation(50)[:30] for _ in range(60)], np.int32)
    rows = [rng.permutation(50)[: rng.integers(3, 25)].tolist() for _ in range(60)]
    gains = [rng.integers(0, 4, len(row)).tolist() for row in rows]
    gains = [[1, *own[1:]] for own in gains]
    judged = judged_of(lists, rows, gains)
    run = [ir_measures.ScoredDoc(str(q), str(i), 99.0 - place) for q, row in enumerate(lists.tolist()) for place, i in enumerate(row)]
    qrels = [
        ir_measures.Qrel(str(q), str(i), g)
        for q, (row, own) in enumerate(zip(rows, gains, strict=True))
        for i, g in zip(row, own, strict=True)
    ]
    ours = {
        nDCG @ 10: metric("linear nDCG@10").per_query(judged), nDCG(dcg="exp-log2") @ 10: metric("exponential nDCG@10").per_query(judged),
        ir_measures.ERR @ 10: metric("ERR@10").per_query(judged), Bpref: metric("bpref@30").per_query(judged),
        JudgedShare @ 10: 1 - metric("Unjudged@10").per_query(judged) / 10,
    }  # fmt: skip
    printed = {nDCG(dcg="exp-log2") @ 10, ir_measures.ERR @ 10}
    found = list(ir_measures.iter_calc(list(ours), qrels, run))
    assert {str(number.measure) for number in found} == {str(measure) for measure in ours}
    for number in found:
        close = 6e-6 if number.measure in printed else 1e-6  # gdeval prints five digits
        assert abs(number.value - ours[number.measure][int(number.query_id)]) < close, number


def test_the_limit_says_what_is_relevant():
    judged = judged_of([[0, 1, 2]], [[0, 1, 2, 3]], [[1, 2, 0, 3]], above=1)
    assert judged.relevant.tolist() == [2]
    assert judged.hits.tolist() == [[False, True, False]]
    assert metric("Recall@3").per_query(judged).tolist() == [0.5]


def test_without_grades_it_is_said_what_to_do():
    bare = replace(world(), grades=None, _cache={})
    for name in ("linear nDCG@5", "ERR@5", "bpref@5", "Unjudged@5"):
        with pytest.raises(DataError, match=r"vt.split.judged"):
            metric(name).per_query(bare)


def test_what_is_wrong_with_grades_is_named():
    with pytest.raises(ParameterError, match="Query 1 has two of item 4"):
        Grades.of([[4], [2, 4, 4]], [[1], [1, 0, 2]])
    with pytest.raises(ParameterError, match="finite number for each"):
        Grades.of([[4]], [[float("nan")]])
    with pytest.raises(DataError, match=r"ERR\(top=5\)"):
        ERR(top=3).per_query(judged_of([[0]], [[0]], [[5]], items=2).against(Ragged.of([[0]])))


def test_of_a_part_of_the_truth_what_was_judged_bad_stays():
    grades = Grades.of([[0, 1, 2], [1, 3]], [[3, 0, 2], [0, 1]]).within(Ragged.of([[2], []]))
    assert [row.tolist() for row in (grades.items[0], grades.items[1])] == [[1, 2], [1]]
    assert grades.gains.tolist() == [0, 2, 0]
