"""Every shipped metric keeps the laws, and a metric made to break one is caught by it."""

from dataclasses import dataclass

import numpy as np
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.metrics import known_names, metric
from vitrina.metrics.base import PerQuery
from vitrina.metrics.ranking import NDCG
from vitrina.metrics.repeat import Debiased, Within
from vitrina.testing import ContractError, check_metric
from vitrina.testing.metric_laws import METRIC_LAWS


@pytest.mark.parametrize("name", [*known_names(), "nDCG@1", "Coverage@20"])
def test_a_metric_of_vitrinas_keeps_the_laws(name):
    found = metric(name)
    report = check_metric(found)
    assert set(report.kept) | set(report.skipped) == set(METRIC_LAWS)
    unasked = {"merged"} if hasattr(found, "per_query") else {"alone"}
    unasked |= {"alone", "permuted"} if "queries" in found.needs else set()
    unasked |= set() if "truth" in found.needs else {"better"}
    assert set(report.skipped) == unasked


def test_parameters_of_a_part_are_in_the_name():
    names = [Within(part=part, metric=NDCG()).name for part in (Debiased(), Debiased(seed=1), Debiased(iqr=2.0, seed=1))]
    assert names == ["debiased nDCG@10", "debiased(seed=1) nDCG@10", "debiased(iqr=2.0, seed=1) nDCG@10"]
    assert check_metric(Within(part=Debiased(seed=3), metric=NDCG(k=4)), laws=["named"]).kept == ("named",)


class Patience(PerQuery):
    """A metric with a parameter beside k, as a new one would be written."""

    label = "Patience"
    needs = frozenset({"truth"})
    p: float = 0.5

    def per_query(self, judged):
        places = judged.hits[:, judged.first(self.k, self.name)]
        return places @ (self.p ** np.arange(self.k)) * (1 - self.p)


def test_a_new_metric_says_its_parameters_by_itself():
    assert Patience().name == "Patience@10"
    assert Patience(p=0.8, k=5).name == "Patience(p=0.8)@5"
    assert not {"better", "alone", "named"} & set(check_metric(Patience(p=0.8)).skipped)


@dataclass(frozen=True)
class Plain:
    """Nothing is wrong with it: the share of hits among the first k."""

    k: int = 4
    lower_is_better = False
    needs = frozenset({"truth"})
    definition = "The share of hits among the first places."

    @property
    def name(self):
        return f"Plain@{self.k}"

    def per_query(self, judged):
        return judged.hits[:, judged.first(self.k, self.name)].mean(axis=1)


class Words(Plain):
    definition = "hits"


class Forgetful(Plain):
    name = "Forgetful"


class Single(Plain):
    def per_query(self, judged):
        return super().per_query(judged).astype(np.float32)


class Endless(Plain):
    def per_query(self, judged):
        with np.errstate(divide="ignore"):
            return 1 / super().per_query(judged)


class Narrow(Plain):
    def per_query(self, judged):
        return super().per_query(judged) + 0 * judged.items.max()


class Growing(Plain):
    def per_query(self, judged):
        judged.recommendations.items[0] = -1
        return super().per_query(judged)


class Relative(Plain):
    def per_query(self, judged):
        hits = super().per_query(judged)
        return hits - hits.mean() if len(hits) else hits


class FirstTwice(Plain):
    def per_query(self, judged):
        hits = super().per_query(judged)
        hits[:1] *= 2
        return hits


class Wide(Plain):
    k = 0

    def per_query(self, judged):
        return judged.hits.mean(axis=1)


class Raw(Plain):
    def per_query(self, judged):
        items = judged.recommendations.items[:, : self.k]
        return np.array([float(np.isin(row, judged.truth[q]).mean()) for q, row in enumerate(items)])


class TruthTwice(Plain):
    def per_query(self, judged):
        return judged.hits[:, : self.k].sum(axis=1) / np.maximum(judged.truth.lengths, 1)


class Deeper(Plain):
    def per_query(self, judged):
        return judged.hits[:, : self.k + 1].mean(axis=1)


class WrongWay(Plain):
    lower_is_better = True


class Upwards(Plain):
    def per_query(self, judged):
        return judged.hits[:, : self.k] @ np.arange(self.k, dtype=float)


class Silent(Plain):
    needs = frozenset()


class Nosy(Plain):
    def per_query(self, judged):
        return super().per_query(judged) + judged.queries.lengths


class Crowd(Plain):
    def per_query(self, judged):
        return super().per_query(judged) + judged.catalogue.users.max() / judged.catalogue.n_users


class Far(Plain):
    def per_query(self, judged):
        return super().per_query(judged) + len(judged.catalogue.directions)


class Table:
    """Nothing is wrong with it: the mean length of the lists."""

    name, k, lower_is_better, needs = "Length", 0, False, frozenset()
    definition = "The mean number of items on a list."

    def state(self, judged):
        return int((judged.items >= 0).sum()), len(judged)

    def merge(self, left, right):
        return left[0] + right[0], left[1] + right[1]

    def value(self, state):
        return state[0] / state[1] if state[1] else float("nan")


class MeanOfMeans(Table):
    def state(self, judged):
        return super().value(super().state(judged)), 1


class LastWins(Table):
    def merge(self, left, right):
        return right


class Boundless(Table):
    def value(self, state):
        return float("inf")


def test_the_metrics_to_be_bent_are_straight():
    assert set(check_metric(Plain()).skipped) == {"merged"}
    assert set(check_metric(Table()).skipped) == {"alone", "depth", "better"}


ROGUES = {
    "says": [Words], "named": [Forgetful], "values": [Single, Endless, Boundless], "nobody": [Narrow], "again": [Growing], "alone": [Relative],
    "permuted": [FirstTwice], "merged": [MeanOfMeans, LastWins], "pads": [Wide], "twice": [Raw, TruthTwice], "depth": [Deeper],
    "better": [WrongWay, Upwards], "needs": [Silent, Nosy, Crowd, Far],
}  # fmt: skip


@pytest.mark.parametrize(("law", "rogue"), [(law, rogue) for law, rogues in ROGUES.items() for rogue in rogues])
def test_a_metric_that_breaks_a_law_is_caught_by_it(law, rogue):
    with pytest.raises(ContractError, match=f"breaks a law of a metric.\n{law}: "):
        check_metric(rogue(), laws=[law])


def test_every_law_has_a_rogue_and_an_unknown_law_is_named():
    assert set(ROGUES) == set(METRIC_LAWS)
    with pytest.raises(UnknownNameError, match="law 'allone'"):
        check_metric(Plain(), laws=["allone"])


def test_what_is_no_metric_is_told_what_to_write():
    with pytest.raises(ParameterError, match="has no attribute 'name'"):
        check_metric(object())


def test_an_undeclared_need_is_named():
    with pytest.raises(ContractError, match="Add 'history' to its needs"):
        check_metric(Nosy())
