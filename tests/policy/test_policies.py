"""Whatever stands for a policy becomes the same chances of arms, or is refused with a remedy."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.policy import Always, AtRandom, Columns, Units
from vitrina.policy.policies import Policy, chances_of

ARMS = ("none", "mail", "call")


def units(allowed=None):
    table = pl.DataFrame({
        "client": ["a", "b", "c", "d"], "best": ["call", "none", "mail", "none"], "p0": [0.5, 1, 0, 0.2], "p2": [0.5, 0, 1, 0.8],
        "may_call": [True, False, True, True], "may_none": [True, True, True, True],
    })  # fmt: skip
    return Units.of_frame(table, unit="client", features=["best", "p0", "p2"], arms=ARMS, allowed=allowed)


def test_ready_policies_are_policies_and_give_chances():
    for policy in (Always("mail"), AtRandom(), Columns(arm="best"), Columns(chances={"none": "p0", "call": "p2"})):
        assert isinstance(policy, Policy)
        assert chances_of(policy, units()).sum(axis=1) == pytest.approx(1)
    assert chances_of(Always("mail"), units()).tolist() == [[0, 1, 0]] * 4
    assert chances_of(Columns(arm="best"), units()).argmax(axis=1).tolist() == [2, 0, 1, 0]
    assert chances_of(Columns(chances={"none": "p0", "call": "p2"}), units())[3].tolist() == [0.2, 0, 0.8]


def test_arrays_names_and_codes_mean_the_same():
    names, codes = ["call", "none", "mail", "none"], [2, 0, 1, 0]
    wanted = chances_of(Columns(arm="best"), units())
    for given in (names, np.array(names), pl.Series(names), codes, np.array(codes, np.int8), wanted, wanted.astype(np.float32)):
        assert np.array_equal(chances_of(given, units()), wanted)


def test_numbers_in_a_column_are_names_of_arms(tmp_path):
    pl.DataFrame({"old": [1, 3, 2, 1]}).write_csv(tmp_path / "units.csv")
    for table in (tmp_path / "units.csv", pl.DataFrame({"old": [1, 3, 2, 1]}), pl.DataFrame({"old": [1.0, 3.0, 2.0, 1.0]})):
        these = Units.of_frame(table, features=["old"], arms=[1, 2, 3])
        assert chances_of(Columns(arm="old"), these).argmax(axis=1).tolist() == [0, 2, 1, 0]
    with pytest.raises(UnknownNameError, match="'3'"):
        chances_of(Columns(arm="old"), Units.of_frame(table, features=["old"], arms=[0, 1, 2]))


def test_arms_are_matched_by_name():
    class Other:
        arms = ("call", "fax", "none")

        def __init__(self, fax):
            self.fax = fax

        def probabilities(self, units):
            return np.tile([0.7 - self.fax, self.fax, 0.3], (len(units), 1))

    assert chances_of(Other(0.0), units())[0].tolist() == [0.3, 0, 0.7]
    with pytest.raises(UnknownNameError, match="'fax'"):
        chances_of(Other(0.1), units())


def test_masks_are_obeyed():
    masked = units({"call": "may_call"})
    assert chances_of(AtRandom(), masked)[1].tolist() == [0.5, 0.5, 0]
    assert chances_of(Always("call"), masked).argmax(axis=1).tolist() == [2, 0, 2, 2]
    with pytest.raises(ParameterError, match=r"'call' to row 1.*the first of their arms"):
        chances_of(["call"] * 4, masked)


@pytest.mark.parametrize(
    ("policy", "error", "words"),
    [
        (np.full((4, 3), 0.3), ParameterError, "sum to 1. Got none 0.3.*Divide each row"),
        (np.array([[1.5, -0.5, 0.0]] * 4), ParameterError, "from 0 on"),
        (np.full((4, 3), np.nan), ParameterError, "sum to 1"),
        (np.full((4, 2), 0.5), ParameterError, "a column per arm"),
        (np.full((3, 3), 1 / 3), ParameterError, "a row per unit"),
        (["mail"] * 3, ParameterError, "an arm to each unit"),
        (["mail", "mial", "mail", "mail"], UnknownNameError, "Did you mean 'mail'"),
        ([0, 1, 2, 3], ParameterError, "0 to 2"),
        ([0.0, 1.0, 1.0, 1.0], ParameterError, "a name or a whole number"),
        (["mail", None, "mail", "mail"], DataError, "has none in row 1"),
        ("mail", ParameterError, "Always"),
        (3, ParameterError, "array of chances"),
        (Always("mial"), UnknownNameError, "'mail'"),
        (Columns(arm="nowhere"), UnknownNameError, "features"),
        (Columns(chances={"none": "best"}), DataError, "chances"),
    ],
)
def test_what_is_no_policy_is_refused(policy, error, words):
    with pytest.raises(error, match=words):
        chances_of(policy, units())


def test_parameters_are_looked_at():
    with pytest.raises(ParameterError, match="either arm="):
        Columns()
    with pytest.raises(ParameterError, match="name of an arm"):
        Always(3)
