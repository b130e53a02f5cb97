"""The log of decisions: read by any names, refused with a sentence that can be acted upon, and cut without losing what belongs together."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VitrinaError
from vitrina.policy import DecisionLog, Units

TABLE = pl.DataFrame({
    "client": [7, 8, 9, 7], "household": ["a", "a", "b", "a"], "discount": [0, 10, 5, 0], "spent": [5.0, 9.5, 0.0, 1.25], "orders": [1, 2, 0, 1],
    "chance": [0.5, 0.25, 0.25, 0.5], "when": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"], "city": ["Omsk", None, "Perm", "Omsk"],
    "rides": [3, 0, 2, 4], "adult": [True, True, True, False],
})  # fmt: skip
THREE = {0: 0.5, 5: 0.25, 10: 0.25}


def read(table=TABLE, **changes):
    return DecisionLog.of_frame(table, **({"unit": "client", "action": "discount", "reward": "spent", "propensity": "chance"} | changes))


def refusal(table=TABLE, **changes):
    with pytest.raises(VitrinaError) as caught:
        read(table, **changes)
    return str(caught.value)


def test_own_names_numbers_as_arms_and_several_rewards():
    log = read(reward=["spent", "orders"], cluster="household", time="when", features=["city", "rides"], cost={0: 0, 5: 1, 10: 2.5})
    assert repr(log) == "DecisionLog(4 decisions on 2 clusters; arms '0' (control), '5', '10'; rewards spent, orders)"
    assert (log.arms, log.control, len(log)) == (("0", "5", "10"), 0, 4)
    assert log.actions.tolist() == [0, 2, 1, 0]
    assert log.actions.dtype == log.clusters.dtype == np.int32
    assert log.reward("orders").tolist() == [1, 2, 0, 1]
    assert log.propensity.tolist() == [0.5, 0.25, 0.25, 0.5]
    assert log.design is None
    assert log.clusters.tolist() == [0, 0, 1, 0]
    assert log.cluster_ids.to_list() == ["a", "b"]
    assert log.times[1] == np.datetime64("2024-01-03", "us").astype(np.int64)
    assert log.costs.tolist() == [0, 2.5, 1, 0]
    assert log.arm_costs.tolist() == [0, 1, 2.5]
    assert log.units.ids.to_list() == [7, 8, 9, 7]
    assert log.units.features.to_dict(as_series=False) == {"city": ["Omsk", None, "Perm", "Omsk"], "rides": [3, 0, 2, 4]}


def test_chances_of_all_arms_for_all_or_per_row():
    log = read(propensity=THREE)
    assert log.design.tolist() == [0.5, 0.25, 0.25]
    assert log.propensity.tolist() == [0.5, 0.25, 0.25, 0.5]
    per_row = TABLE.with_columns(none=pl.lit(0.5), five=pl.Series([0.2, 0.2, 0.3, 0.5]), ten=pl.Series([0.3, 0.3, 0.2, 0.0]))
    log = read(per_row, propensity={10: "ten", 5: "five", 0: "none"}, arms=[0, 5, 10], control=5)
    assert log.arms == ("0", "5", "10")
    assert log.control == 1
    assert log.design[3].tolist() == [0.5, 0.5, 0.0]
    assert log.propensity.tolist() == [0.5, 0.3, 0.3, 0.5]
    assert read(per_row, propensity={0: 0.5, 5: "five", 10: "ten"}).propensity.tolist() == [0.5, 0.3, 0.3, 0.5]


def test_the_order_of_arms():
    assert read(TABLE.with_columns(discount=pl.Series(["b", "a", "c", "b"]))).arms == ("a", "b", "c")
    assert read(TABLE.with_columns(discount=pl.Series(["10", "9", "0.5", "10"]))).arms == ("0.5", "9", "10")
    assert read(propensity={10: 0.25, 0: 0.5, 5: 0.25}).arms == ("10", "0", "5")
    assert read(TABLE.with_columns(discount=pl.Series([0.05, 0.1, 0.0, 0.05])), arms=[0, 0.05, 0.1]).actions.tolist() == [1, 2, 0, 1]
    assert read(TABLE.with_columns(discount=pl.Series([True, False, False, True]))).arms == ("false", "true")
    assert read(arms=[0, 5, 10, 20]).arms == ("0", "5", "10", "20")  # one of them was never drawn


def test_files_and_tables_of_every_kind_give_the_same(tmp_path):
    import pandas as pd

    wanted = read(features=["city", "rides"], time="when")
    TABLE.write_csv(tmp_path / "decisions.csv")
    TABLE.write_parquet(tmp_path / "decisions.parquet")
    frame = pd.DataFrame(TABLE.to_dict(as_series=False)).astype({"city": "category", "discount": "category"})
    for table in (tmp_path / "decisions.csv", tmp_path / "decisions.parquet", frame, TABLE.lazy(), TABLE.to_arrow()):
        log = read(table, features=["city", "rides"], time="when")
        assert (log.arms, log.actions.tolist(), log.propensity.tolist()) == (
            wanted.arms,
            wanted.actions.tolist(),
            wanted.propensity.tolist(),
        )
        assert log.units.ids.to_list() == [7, 8, 9, 7]
        assert log.units.features["city"].to_list() == ["Omsk", None, "Perm", "Omsk"]
        assert log.units.features["rides"].cast(pl.Float64).to_list() == [3, 0, 2, 4]
        assert log.times.tolist() == wanted.times.tolist()


def test_without_a_unit_each_row_is_one():
    log = read(unit=None, features=["rides"])
    assert log.units.ids.to_list() == [1, 2, 3, 4]
    assert log.clusters.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("changes", "wanted"), [
    ({"reward": "spnt"}, "has no column 'spnt' for the reward. Closest: 'spent'"),
    ({"unit": "clint"}, "Closest: 'client', 'city'; take it with unit='client'"),
    ({"features": "rides"}, "The 'features' are a list of columns: ['rides']"),
    ({"features": ["spent"]}, "'spent' is a reward. Leave it out"),
    ({"features": ["discount"]}, "'discount' is the action. Leave it out"),
    ({"features": ["chance"]}, "'chance' is the propensity"),
    ({"reward": "discount"}, "Action and reward must be two columns"),
    ({"propensity": {0: 0.5, 5: 0.5}}, "must hold one of the arms '0', '5', but holds another ('10') in row 2"),
    ({"propensity": {0: 0.5, 5: 0.25, 10: 0.5}}, "sum to 1. Got 0 0.5, 5 0.25, 10 0.5, which sum to 1.25"),
    ({"propensity": {0: 0.75, 5: 0.25, 10: 0}}, "the column 'discount' holds the arm '10', whose chance was 0, in row 2"),
    ({"propensity": {0: "chance", 5: 0.25, 10: 0.25}}, "must sum to 1, but sum to 0.75 in rows 2 and 3"),
    ({"propensity": THREE, "cost": {0: 1, 5: 2}}, "must cover all arms, '0', '5', '10'. Got '0', '5'"),
    ({"cost": {0: 0, 5: 1, 10: float("nan")}}, "The 'cost' of the arm '10' must be a finite number, or the name of a column. Got nan"),
    ({"control": 7}, "There is no arm '7'. Known: 0, 10, 5"),
    ({"arms": "0"}, "The 'arms' are a list in order"),
        ({"arms": 3}, "The 'arms' are a list in order"),
        ({"propensity": 0.25}, "The 'propensity' must name a column, or be given per arm"),
        ({"cost": 2}, "The 'cost' must name a column, or be given per arm"),
        ({"reward": 7}, "must name a column, or be a list of names. Got [7]"),
        ({"allowed": "adult"}, "The 'allowed' are given per arm"),
        ({"allowed": {0: "household"}}, "must hold true or false, or 1 and 0, but holds text"),
    ({"arms": [0, 5, 5]}, "names of their own"),
    ({"allowed": {7: "adult"}}, "There is no arm '7'"),
    ({"allowed": {0: "adult"}}, "gave an arm to whom it isn't allowed: unit 7 got '0'"),
    ({"propensity": THREE, "allowed": {5: "adult"}}, "has a chance for an arm that isn't allowed: unit 7"),
    ({"allowed": {0: "rides"}}, "must hold true or false, or 1 and 0, but is outside of that (3) in rows 1, 3 and 4"),
])  # fmt: skip
def test_what_is_wrong_is_said(changes, wanted):
    assert wanted in refusal(**changes)


@pytest.mark.parametrize(("column", "values", "wanted"), [
    ("spent", [5.0, float("nan"), 0.0, 1.0], "the column 'spent' must hold finite numbers, but is NaN or infinite in row 2. Write 0 where nothing came of it"),
    ("spent", [5.0, None, None, 1.0], "must hold a number in each row, but is empty in rows 2 and 3. Write 0 where nothing came of it"),
    ("spent", ["5", "none", "0", "1"], "but holds text ('none') in row 2"),
    ("chance", [0.5, 0.0, 0.25, 0.5], "must hold chances above 0 and at most 1, but is outside of that (0) in row 2"),
    ("chance", [0.5, 1.5, 0.25, 0.5], "is outside of that (1.5) in row 2"),
    ("chance", [0.5, None, 0.25, 0.5], "is empty in row 2"),
    ("discount", [0, None, 5, 0], "must hold an arm in each row, but is empty in row 2"),
    ("client", [7, None, 9, 7], "must hold an id in each row, but is empty in row 2"),
    ("rides", [3.0, float("inf"), 2.0, 4.0], "must hold finite numbers, but is infinite (inf) in row 2"),
])  # fmt: skip
def test_a_row_that_cannot_be_used_is_named_and_never_left_out(column, values, wanted):
    said = refusal(TABLE.with_columns(pl.Series(column, values)), features=["rides"])
    assert wanted in said
    assert "quarantine" not in said


def test_units_are_refused_likewise():
    for changes, wanted in (
        ({"arms": 3}, "a list in order"),
        ({"arms": "none"}, "a list in order"),
        ({"allowed": "adult"}, "given per arm"),
        ({"features": "city"}, "a list of columns"),
    ):
        with pytest.raises(VitrinaError, match=wanted):
            Units.of_frame(TABLE, **({"unit": "client", "arms": [0, 5, 10]} | changes))
    with pytest.raises(ParameterError, match="given by name"):
        read().check([np.zeros(4, int)])


def test_what_no_policy_can_look_at_is_refused():
    dated = TABLE.with_columns(when=pl.col("when").str.to_date())
    assert "It holds dates. Make a number or a category of it first" in refusal(dated, features=["when"])


def test_a_mask_is_kept_with_the_units():
    per_row = TABLE.with_columns(
        none=pl.Series([0.5, 0.5, 0.5, 1.0]), ten=pl.Series([0.5, 0.5, 0.5, 0.0]), discount=pl.Series([0, 10, 10, 0])
    )
    log = read(per_row, propensity={0: "none", 10: "ten"}, allowed={10: "adult"})
    assert log.units.allowed.tolist() == [[True, True], [True, True], [True, True], [True, False]]
    assert log.rows(np.array([3, 0])).units.allowed.tolist() == [[True, False], [True, True]]
    with pytest.raises(ParameterError, match="must leave everybody an arm"):
        Units(pl.Series([1]), pl.DataFrame(), ("a",), np.array([[False]]))


def test_some_rows_of_a_log():
    log = read(cluster="household", time="when", features=["rides"], cost={0: 0, 5: 1, 10: 2}, propensity=THREE)
    part = log.rows(log.actions > 0)
    assert (len(part), part.arms, part.units.ids.to_list()) == (2, log.arms, [8, 9])
    assert (part.clusters.tolist(), part.cluster_ids.to_list()) == ([0, 1], ["a", "b"])
    assert part.units.features["rides"].to_list() == [0, 2]
    last = log.rows(slice(2, 3))
    assert (last.clusters.tolist(), last.cluster_ids.to_list(), last.design.tolist()) == ([0], ["b"], [0.5, 0.25, 0.25])
    assert len(log.rows(np.array([], int))) == 0
    assert log.rows(np.array([1, 1])).clusters.tolist() == [0, 0]
    with pytest.raises(ParameterError, match="a flag per row"):
        log.rows(np.array([True, False]))


def test_a_log_without_chances_can_be_read_and_says_so_when_they_are_needed():
    log = read(propensity=None)
    assert "chances not known" in repr(log)
    with pytest.raises(DataError, match="no value of a policy can be told from it"):
        _ = log.propensity


def test_the_reward_that_is_meant():
    log = read(reward=["spent", "orders"])
    with pytest.raises(ParameterError, match="name one with reward="):
        log.reward()
    with pytest.raises(UnknownNameError, match="Did you mean 'orders'"):
        log.reward("order")
    assert log.with_reward("profit", log.reward("spent") * 0.5).reward("profit").tolist() == [2.5, 4.75, 0, 0.625]
    with pytest.raises(ParameterError, match="finite numbers"):
        log.with_reward("profit", [1, 2, np.nan, 3])


def test_a_tail_is_drawn_in_at_a_stated_quantile():
    spent = np.random.default_rng(3).pareto(1.2, 5000) * (np.arange(5000) % 2)
    table = pl.DataFrame({"arm": np.arange(5000) % 3, "spent": spent})
    log = DecisionLog.of_frame(table, action="arm", reward="spent").winsorised(0.99)
    drawn = log.reward("spent (winsorised at 0.99)")
    high = np.sort(spent)[int(np.ceil(0.99 * 5000)) - 1]
    np.testing.assert_array_equal(drawn, np.minimum(spent, high))
    assert f"{(spent > high).sum()} of 5,000 rewards spent are above {high:g}" in log.notes[0]
    assert list(log.rewards) == ["spent", "spent (winsorised at 0.99)"]
    both = log.with_reward("profit", spent - 1 / (0.01 + np.linspace(0, 1, 5000))).winsorised(0.99, "profit")
    assert both.reward("profit (winsorised at 0.99)").min() > both.reward("profit").min()
    rare = DecisionLog.of_frame(table.with_columns(spent=pl.Series(spent * (np.arange(5000) % 200 == 1))), action="arm", reward="spent")
    with pytest.raises(ParameterError, match=r"99\.50% of the rows have no more.*Take a quantile above 0\.9950"):
        rare.winsorised(0.99)
    for quantile in (0.5, 1, 99):
        with pytest.raises(ParameterError, match=r"above 0\.5 and below 1"):
            log.winsorised(quantile, "spent")


def test_the_fields_of_a_log_are_looked_at():
    log = read(propensity=THREE)
    for changes, wanted in (
        ({"actions": np.array([0, 1, 3, 0], np.int32)}, "codes of the arms. Got 3 in row 2"),
        ({"design": np.array([0.5, 0.5, 0.5])}, "sum to 1"),
        ({"propensities": np.array([0.5, 0.5, 0.25, 0.5])}, "another propensity than the design gives"),
        ({"rewards": {"spent": np.ones(3)}}, "a value per row"),
        ({"control": 3}, "code of an arm"),
    ):
        with pytest.raises(ParameterError, match=wanted):
            replace(log, **changes)


def test_the_names_are_public():
    assert vt.policy.DecisionLog is DecisionLog
    assert vt.policy.Units is Units


def test_an_arm_unlike_any_other_is_named():
    table = pl.DataFrame({"arm": ["0", "7", "1"], "reward": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"one of the arms '0', '1', but holds another \('7'\) in row 2. Write it as one of the arms"):
        DecisionLog.of_frame(table, action="arm", reward="reward", propensity={"0": 0.5, "1": 0.5})


def test_a_broken_row_of_a_file_gets_no_remedy_that_this_reader_lacks(tmp_path):
    (tmp_path / "log.csv").write_text("arm,reward\na,1\nb,2,3\n")
    with pytest.raises(DataError, match=r"row 2 \(line 3\) has 3 fields") as raised:
        DecisionLog.of_frame(tmp_path / "log.csv", action="arm", reward="reward", propensity={"a": 0.5, "b": 0.5})
    assert "on_bad_row" not in str(raised.value)


def test_a_feature_that_is_not_there_is_not_taken_by_a_name_alone():
    table = pl.DataFrame({"arm": ["a", "b"], "reward": [1.0, 2.0], "rides": [1, 2]})
    settings = {"action": "arm", "reward": "reward", "propensity": {"a": 0.5, "b": 0.5}}
    with pytest.raises(DataError, match=r"no column 'ride' for the features. Closest: 'rides'. Its columns: arm, reward, rides."):
        DecisionLog.of_frame(table, features=["ride"], **settings)
    with pytest.raises(DataError, match=r"no column 'x' for the features. Name one of them. Its columns: arm"):
        DecisionLog.of_frame(table, features=["x"], **settings)
