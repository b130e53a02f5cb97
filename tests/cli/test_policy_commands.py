"""`vitrina policy`: the file of a job, what is wrong in it, and what the commands say and write."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import VitrinaError
from vitrina.cli.main import app
from vitrina.cli.policy_file import LOG_ONLY, LogSection, Settings, read_policy_file
from vitrina.cli.sections import Section

ROOT = Path(__file__).parents[2]
HEAD = """
[log]
path = "offers.csv"
unit = "client"
action = "arm"
reward = ["orders", "profit"]
propensity = "propensity"
features = ["rides", "promo_share", "city"]
arms = ["0%", "5%", "10%"]
cost = {"0%" = 0, "5%" = 2.5, "10%" = 5}

[outcome]
model = "Ridge"
folds = 2

[learn]
learner = {type = "PolicyTree", depth = 1}
folds = 2
explore = 0.1
"""


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return vt.policy.OfferWorld().table(3000, seed=3)


@pytest.fixture
def folder(table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table.write_csv(tmp_path / "offers.csv")
    (tmp_path / "job.toml").write_text(HEAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: object) -> Any:
    return CliRunner().invoke(app, ["policy", *map(str, words)])


def changed(folder: Path, *pairs: tuple[str, str]) -> Path:
    text = HEAD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (folder / "job.toml").write_text(text)
    return folder / "job.toml"


def test_the_keys_of_the_log_are_the_arguments_of_the_log() -> None:
    taken = set(inspect.signature(vt.policy.DecisionLog.of_frame).parameters) - {"table"}
    assert set(LogSection.model_fields) - set(LOG_ONLY) == taken


def test_every_key_is_documented_and_the_example_is_valid(folder: Path) -> None:
    page = (ROOT / "docs" / "policy-file.md").read_text()
    for name, field in Settings.model_fields.items():
        section = re.search(rf"^## \[{name}.*?\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        kinds = [cls for cls in (field.annotation, *get_args(field.annotation)) if isinstance(cls, type) and issubclass(cls, Section)]
        keys = kinds[0].model_fields if kinds else ()
        assert [key for key in keys if f"| `{key}` |" not in section[1]] == []
    (folder / "job.toml").write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    assert read_policy_file(folder / "job.toml").learner == vt.policy.PolicyTree(depth=2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("propensity =", "propensty =", "line 7: There is no [log] key 'propensty'. Did you mean 'propensity'"),
        ("[outcome]", "[outcomes]", "line 12: There is no table 'outcomes'. Did you mean 'outcome'"),
        ('"PolicyTree"', '"PolicyTre"', "line 17: There is no learner 'PolicyTre'. Did you mean 'PolicyTree'"),
        ("depth = 1", "dept = 1", "line 17: There is no PolicyTree parameter 'dept'. Did you mean 'depth'"),
        ('"Ridge"', '"Rige"', "line 13: There is no outcome model 'Rige'. Did you mean 'Ridge'"),
        ("explore = 0.1", "explore = 2", "line 19: learn.explore must be less than 1"),
        ("explore = 0.1", "explore = 0.1\n[policies.x]\ntype = 'Allways'", "There is no policy 'Allways'. Did you mean 'Always'"),
        ("explore = 0.1", "explore = 0.1\n[policies.x]\ntype = 'Explored'\npolicy = 'y'", "There is no policy above this one 'y'"),
        ("explore = 0.1", "explore = 0.1\n[policies.x]\narm = 'y'", 'or a table with a type: {type = "Always", arm = "none"}'),
        ("explore = 0.1", "explore = 0.1\n[evaluate]\nestimators = ['DRR']", "There is no estimator 'DRR'. Did you mean"),
        ("offers.csv", "offer.csv", "line 3: there is no file offer.csv. Paths are relative"),
        ('action = "arm"\n', "", "the key 'action' in [log] is missing. A whole one: [log] path"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(folder: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(VitrinaError) as raised:
        read_policy_file(changed(folder, (old, new)))
    assert said in str(raised.value)


def test_what_only_the_log_shows_is_said_too(folder: Path) -> None:
    changed(folder, ("explore = 0.1", "explore = 0.1\n[policies.x]\ntype = 'Always'\narm = '15%'"))
    done = typed("check", "job.toml")
    assert done.exit_code == 2
    assert "line 20: There is no arm '15%'. Did you mean" in done.stderr
    changed(folder, ("folds = 2\n\n", "folds = 2\n\n[evaluate]\nbaseline = 'none'\n\n"))
    done = typed("evaluate", "job.toml")
    assert done.exit_code == 2
    assert "There is no policy 'none'" in done.stderr


def test_a_log_that_is_refused_is_seen_by_scripts(folder: Path) -> None:
    assert typed("check", "job.toml").exit_code == 0
    changed(folder, ('propensity = "propensity"\n', ""))
    done = typed("check", "job.toml", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["verdict"] == "refuse"
    done = typed("evaluate", "job.toml")
    assert done.exit_code == 2
    assert "aren't known" in done.stderr
    assert not (folder / "vitrina-policy").exists()


def test_policies_are_judged_and_the_page_is_written(folder: Path) -> None:
    more = "\n[policies.most]\ntype = 'Always'\narm = '10%'\n[policies.half]\ntype = 'Explored'\npolicy = 'most'\nshare = 0.5"
    changed(folder, ("explore = 0.1", "explore = 0.1" + more))
    done = typed("evaluate", "job.toml", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["answer"]) == 3
    values = {(r["policy"], r["estimator"], r["reward"]): r["value"] for r in told["values"]}
    log = read_policy_file(folder / "job.toml").log()
    alone = vt.policy.evaluate(log, {"10%": vt.policy.Always("10%")}, reward="orders", estimators=[vt.policy.SNIPS()])
    assert values["most", "SNIPS", "orders"] == pytest.approx(alone.table["value"][0], abs=1e-9)
    page = (folder / "vitrina-policy" / "policies.html").read_text()
    assert "half" in page
    assert "What money buys" in page
    (folder / "mine.html").write_text("mine")
    assert "Report: " in typed("evaluate", "job.toml").stderr


def test_a_policy_is_learned_saved_and_assigned_within_its_budget(folder: Path, table: pl.DataFrame) -> None:
    done = typed("learn", "job.toml")
    assert done.exit_code == 0, done.output
    assert "The policy as rules" in (folder / "vitrina-policy" / "learned.html").read_text()
    table.head(1000).write_csv(folder / "units.csv")
    (folder / "job.toml").write_text(HEAD + "[budget]\nspend = 900\n")
    give = ("assign", "job.toml", "--policy", "vitrina-policy/policy", "--units", "units.csv", "--out")
    done = typed(*give, "arms.csv", "--json")
    assert done.exit_code == 0, done.output
    made = pl.read_csv(folder / "arms.csv")
    assert made.columns == ["unit", "arm", "propensity", "gain", "cost"]
    assert made["unit"].to_list() == table["client"].head(1000).to_list()
    assert 850 < made["cost"].sum() <= 900
    assert set(made.filter(arm="0%")["gain"]) == {0.0}
    assert json.loads(done.stdout)["gain"] == pytest.approx(made["gain"].sum())
    assert made["propensity"].min() == pytest.approx(0.1 / 3)  # type: ignore[arg-type]
    assert json.loads(done.stdout)["arms"] == dict(made["arm"].value_counts().iter_rows())
    again = typed(*give, "again.csv")
    assert again.exit_code == 0
    assert "more orders than '0%' for all" in again.stdout.replace("\n", " ")
    assert (folder / "again.csv").read_text() == (folder / "arms.csv").read_text()
    assert typed(*give, "other.parquet", "--round", "june").exit_code == 0
    assert pl.read_parquet(folder / "other.parquet")["arm"].to_list() != made["arm"].to_list()
    table.head(10).with_columns(city=pl.when(pl.col("city") == table["city"][0]).then(pl.lit("new")).otherwise("city")).write_csv(
        folder / "later.csv"
    )
    done = typed("assign", "job.toml", "--policy", "vitrina-policy/policy", "--units", "later.csv", "--out", "later-arms.csv")
    assert done.exit_code == 0
    changed_rows = (table["city"].head(10) == table["city"][0]).sum()
    assert f"{changed_rows} of 10 units have a value of 'city' that the policy never saw" in done.stderr.replace("\n", " ")
    for bad, said in (("arms.txt", "ends in .csv or .parquet"), ("units.csv", "is what this command reads")):
        done = typed(*give, bad)
        assert done.exit_code == 2
        assert said in done.stderr
    (folder / "job.toml").write_text(HEAD + "[budget]\nspend = 10\n")
    done = typed(*give, "none.csv")
    assert done.exit_code == 2
    assert "The random share of 10% alone costs" in done.stderr
    assert not (folder / "none.csv").exists()


def test_a_policy_is_not_judged_by_what_taught_it(folder: Path, table: pl.DataFrame) -> None:
    assert typed("learn", "job.toml").exit_code == 0
    (folder / "job.toml").write_text(HEAD + "[policies.old]\nfolder = 'vitrina-policy/policy'\n")
    for command in ("evaluate", "learn"):
        done = typed(command, "job.toml")
        assert done.exit_code == 2
        assert "'old' was learned from this very log" in done.stderr.replace("\n", " ")
    assert typed("evaluate", "job.toml", "--anyway").exit_code == 0
    table.tail(2000).write_csv(folder / "offers.csv")
    done = typed("evaluate", "job.toml", "--json")
    assert done.exit_code == 0
    assert "old" in {row["policy"] for row in json.loads(done.stdout)["values"]}


def test_what_comes_later_is_linked(folder: Path, table: pl.DataFrame) -> None:
    decided = table.select("client", "arm", "propensity", "rides").with_columns(at=pl.lit("2026-03-01"))
    decided.write_csv(folder / "offers.csv")
    rides = pl.DataFrame(
        {"who": table["client"].to_list() * 2, "when": ["2026-03-02"] * 3000 + ["2026-05-01"] * 3000, "fare": [2.0] * 6000}
    )
    rides.write_csv(folder / "rides.csv")
    text = HEAD.partition("reward =")[0] + 'propensity = "propensity"\ntime = "at"\n'
    (folder / "job.toml").write_text(text)
    done = typed("check", "job.toml")
    assert "line 2: there is no reward. Name its column" in done.stderr
    later = (
        '[late]\npath = "rides.csv"\nunit = "who"\ntime = "when"\ndays = 28\nvalue = "fare"\nrewards = {fares = "sum", rides = "count"}\n'
    )
    (folder / "job.toml").write_text(text + later)
    log = read_policy_file(folder / "job.toml").log()
    assert {name: set(values.tolist()) for name, values in log.rewards.items()} == {"fares": {2.0}, "rides": {1.0}}
    assert any("3,000 events came before a decision or after its window" in note for note in log.notes)
    (folder / "job.toml").write_text(text + later.replace("days", "dayz"))
    done = typed("check", "job.toml")
    assert "There is no [late] key 'dayz'. Did you mean 'days'" in done.stderr


def test_an_interruption_leaves_nothing_half_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    stop: Callable[..., None] = interrupted
    monkeypatch.setattr("vitrina.policy.fit_policy", stop)
    done = typed("learn", "job.toml")
    assert done.exit_code == 130
    assert not (folder / "vitrina-policy").exists()


def test_arms_that_are_numbers_may_stand_in_the_file_as_numbers(folder: Path) -> None:
    pl.DataFrame({"arm": [0, 1] * 200, "spent": [1.0, 2.0, 3.0, 5.0] * 100}).write_csv(folder / "numbers.csv")
    head = '[log]\npath = "numbers.csv"\naction = "arm"\nreward = "spent"\npropensity = {0 = 0.5, 1 = 0.5}\narms = [1, 0]\ncontrol = 0\n'
    (folder / "job.toml").write_text(head)
    assert typed("check", "job.toml").exit_code == 0
    (folder / "job.toml").write_text(head + '[policies.one]\ntype = "Always"\narm = 1\n')
    assert "line 10: The 'arm' of Always must be the name of an arm, as text: \"1\". Got 1." in typed("check", "job.toml").output
