"""The Pareto front against its definition."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.evaluate.pareto import best_at, front
from vitrina.metrics import MetricInfo


def board(points, x="nDCG@10", y="Coverage@10"):
    rows = [(m, name, v) for m, values in points.items() for name, v in zip((x, y), values, strict=True)]
    return pl.DataFrame(rows, schema=["model", "metric", "value"], orient="row")


@pytest.mark.parametrize(("beyond", "sign"), [("Coverage@10", 1), ("Gini@10", -1)])
def test_the_front_equals_its_definition(beyond, sign):
    rng = np.random.default_rng(0)
    points = {f"m{i}": (float(a), float(b)) for i, (a, b) in enumerate(rng.integers(0, 6, (40, 2)))}
    found = front(board(points, y=beyond), "nDCG@10", beyond)
    assert found["x"].to_list() == sorted(found["x"].to_list(), reverse=True)
    for model, x, y, on_front in found.iter_rows():
        beaten = any(a >= x and sign * b >= sign * y and (a, b) != (x, y) for a, b in points.values())
        assert on_front == (not beaten), model
        assert points[model] == (x, y)


def test_a_metric_of_ones_own_brings_its_direction():
    points = {"A": (3.0, 0.1), "B": (1.0, 0.2), "C": (2.0, 0.2)}
    misses = MetricInfo("misses", 0, True, frozenset({"truth"}), "How many were missed.")
    found = front(board(points, x="misses"), misses, "Coverage@10")
    assert found.rows() == [("B", 1.0, 0.2, True), ("C", 2.0, 0.2, False), ("A", 3.0, 0.1, False)]
    with pytest.raises(UnknownNameError, match="no metric 'misses'"):
        front(board(points, x="misses"), "misses", "Coverage@10")


def test_models_without_a_number_are_left_out():
    found = front(board({"A": (0.3, None), "B": (0.2, 0.5), "C": (0.1, float("nan"))}), "nDCG@10", "Coverage@10")
    assert found.rows() == [("B", 0.2, 0.5, True)]


def test_what_95_percent_of_the_best_accuracy_buys():
    points = front(board({"A": (0.100, 0.2), "B": (0.096, 0.4), "C": (0.094, 0.9), "D": (0.099, 0.4)}), "nDCG@10", "Coverage@10")
    assert best_at(points)[:3] == ("D", 0.099, 0.4)
    assert best_at(points, 0.94)[:3] == ("C", 0.094, 0.9)
    assert best_at(points, lower_is_better=True)[:3] == ("A", 0.1, 0.2)
    assert best_at(points).share == pytest.approx(0.99)
    assert best_at(points.clear()) is None
    with pytest.raises(ParameterError, match="'share'"):
        best_at(points, 95)


def test_an_absent_metric_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'Coverage@10'"):
        front(board({"A": (0.3, 0.1)}), "nDCG@10", "Coverage@1")
