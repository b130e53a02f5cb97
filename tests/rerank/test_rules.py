"""Rules keep the laws of a re-ranker, do what each says, and say what they moved."""

import pytest

import vitrina as vt
from vitrina.rerank.rules import AtLeast, AtMost, Boost, FrequencyCap, Hide, NearCopies, New, Only, Pin
from vitrina.testing import ByHash, check_model, check_reranker
from vitrina.testing.laws import LAWS

ALL = vt.Eligibility(repeat=True)
PARTS = {
    "no g0": Hide(where={"group": "g0"}),
    "g1 to g3": Only(where={"group": ["g1", "g2", "g3"]}),
    "shown": FrequencyCap(times=2, days=30),
    "lift g3": Boost(where={"group": "g3"}, by=0.3),
    "two of a group": AtMost(n=2, first=5, each="group"),
    "new": AtLeast(n=2, first=4, where=New(events=4)),
    "first": Pin(item="i5", place=1),
}
RULES = [
    *(vt.Rules(rules={name: rule}) for name, rule in PARTS.items()),
    vt.Rules(rules={"copies": NearCopies(above=0.9, vectors=vt.similarity.OfCategories())}),
    vt.Rules(rules={"for new ones": Pin(item="i9", place=2, who={"segment": {"missing": True}}), "two": PARTS["two of a group"]})
    and vt.Rules(rules=PARTS),
    vt.Rules(rules=PARTS, then=ByHash()),
]


@pytest.mark.parametrize("rules", RULES, ids=repr)
def test_rules_keep_the_laws_of_a_re_ranker(rules):
    assert set(check_reranker(rules).skipped) == {"diversity"}


@pytest.mark.parametrize("model", [vt.EASE(l2=20), vt.Cooccurrence(neighbours=4), vt.Popularity()], ids=repr)
def test_a_model_under_rules_keeps_the_laws_of_a_model(model):
    some = {name: PARTS[name] for name in ("lift g3", "two of a group", "new", "first")}
    ruled = vt.Reranked(model=model, reranker=vt.Rules(rules=some), candidates=8)
    ties = set() if isinstance(model, vt.EASE) else {"relabel"}  # ties at the end of the candidates are cut by their codes
    check_model(ruled, laws=set(LAWS) - ties)
