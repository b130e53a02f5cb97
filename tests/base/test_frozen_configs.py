"""Frozen configs: equal ones are one key, whatever their parameters are."""

import vitrina as vt
from vitrina.base.config import fingerprint


def test_equal_configs_are_one_key_even_with_a_mapping_inside() -> None:
    models = {vt.Cooccurrence(kinds={"buy": 2.0}): 1, vt.Cooccurrence(kinds={"buy": 2.0}): 2, vt.Cooccurrence(): 3}
    assert list(models.values()) == [2, 3]
    assert len({vt.EASE(), vt.EASE(l2=500), vt.EASE(l2=500.0)}) == 1


def test_a_fingerprint_tells_configs_apart() -> None:
    assert fingerprint(vt.EASE(l2=1)) != fingerprint(vt.EASE(l2=2))
    assert fingerprint(vt.Cooccurrence(weighting=vt.weighting.Cosine())) != fingerprint(vt.Cooccurrence(weighting=vt.weighting.Jaccard()))
