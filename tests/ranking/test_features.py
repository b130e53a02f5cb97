"""Features against slow ones in plain Python, and the laws that every group keeps."""

from __future__ import annotations

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.ranking import FeatureGroup, FeatureSet, Source, Sources, SourceScores
from vitrina.testing import synthetic

SOURCES = (Source(model=vt.Popularity(), n=12), Source(model=vt.Cooccurrence(neighbours=20), n=15), Source(model=vt.TopPersonal(), n=5))


class Length(FeatureGroup):
    """A group of somebody's own."""

    def compute(self, pairs, learned):
        columns = {"events of the person": pairs.queries.lengths[pairs.rows]}
        if "best place in a list" in pairs.known:
            columns["half of the best place"] = pairs.known["best place in a list"] / 2
        return columns


class Moody(FeatureGroup):
    """Gives other columns when it has pairs."""

    def compute(self, pairs, learned):
        return {"a" if len(pairs) else "b": np.zeros(len(pairs))}


@pytest.fixture(scope="module")
def data():
    return synthetic(users=40, items=60)


@pytest.fixture(scope="module")
def pairs(data):
    return Sources.fit(SOURCES, data).candidates(data.queries(), eligible=vt.Eligibility(repeat=True))


def computed(group, data, pairs):
    """Features of one group as columns by name."""
    fitted = FeatureSet.fit((group,), data, Sources.fit(SOURCES, data))
    return dict(zip(fitted.names, fitted.compute(pairs).T, strict=True))


def mean_place(score, scores):
    """The mean of the places, from 1, of all that have this score."""
    better = sum(other > score for other in scores)
    return better + (sum(other == score for other in scores) + 1) / 2


def test_scores_and_places_by_source(data, pairs):
    columns = computed(SourceScores(), data, pairs)
    for s, name in enumerate(pairs.sources):
        np.testing.assert_array_equal(columns[f"{name}: score"], pairs.scores[:, s])
        for p, (q, score) in enumerate(zip(pairs.rows, pairs.scores[:, s], strict=True)):
            own = [(v, f) for v, f, r in zip(pairs.scores[:, s], pairs.found[:, s], pairs.rows, strict=True) if r == q and np.isfinite(v)]
            listed = columns[f"{name}: place in its list"][p]
            assert np.isfinite(listed) == pairs.found[p, s]
            assert np.isnan(listed) or listed == mean_place(score, [v for v, found in own if found])
            if np.isnan(score):
                assert np.isnan(columns[f"{name}: place among candidates"][p])
                continue
            least, most = min(own)[0], max(own)[0]
            assert columns[f"{name}: place among candidates"][p] == mean_place(score, [v for v, _ in own])
            share = (score - least) / (most - least) if most > least else 1
            assert columns[f"{name}: score, best is 1"][p] == pytest.approx(share, abs=1e-6)
    np.testing.assert_array_equal(columns["sources that found it"], pairs.found.sum(axis=1))
    for p in range(0, len(pairs), 17):
        listed = [columns[f"{name}: place in its list"][p] for name in pairs.sources]
        places = [place for place in listed if np.isfinite(place)]
        assert columns["best place in a list"][p] == min(places)
        assert columns["sum of 1 / (60 + place)"][p] == pytest.approx(sum(1 / (60 + r) for r in places))


def test_a_group_of_ones_own_builds_on_those_before_it(data, pairs):
    fitted = FeatureSet.fit((SourceScores(), Length()), data, Sources.fit(SOURCES, data))
    columns = dict(zip(fitted.names, fitted.compute(pairs).T, strict=True))
    np.testing.assert_array_equal(columns["events of the person"], pairs.queries.lengths[pairs.rows])
    np.testing.assert_array_equal(columns["half of the best place"], columns["best place in a list"] / 2)
    assert fitted.groups[-1] == "Length"


def test_names_that_come_twice_or_change_are_refused(data, pairs):
    sources = Sources.fit(SOURCES, data)
    with pytest.raises(ParameterError, match="Two features are called"):
        FeatureSet.fit((Length(), Length()), data, sources)
    with pytest.raises(ParameterError, match="must give the columns it gave at its fit"):
        FeatureSet.fit((Moody(),), data, sources).compute(pairs)
    with pytest.raises(ParameterError, match="one or more objects"):
        FeatureSet.fit((), data, sources)


def test_missing_ones_have_their_declared_default(data, pairs):
    sources = Sources.fit(SOURCES, data)
    values = FeatureSet.fit((SourceScores(),), data, sources).compute(pairs)
    assert np.isnan(values).any()
    assert np.isnan(FeatureSet.fit((SourceScores(),), data, sources).filled(values)).any()
    filled = FeatureSet.fit((SourceScores(default=-1),), data, sources).filled(values)
    assert (filled[np.isnan(values)] == -1).all()
    np.testing.assert_array_equal(filled[~np.isnan(values)], values[~np.isnan(values)])
