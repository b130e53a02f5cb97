"""`vitrina experiment plan|assign|analyse` on a shop's own columns, and every mistake that its user makes."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.cli.experiment_file import METRICS, PastSection, PlanSection, ReportSection, ResultsSection, UsersSection, read_experiment_file

pytest.importorskip("tea_tasting")
FILE = """[experiment]
name = "discount"
arms = {none = 0.5, five = 0.25, ten = 0.25}

[metrics.fares]
type = "Mean"
column = "fare"

[metrics.complaints]
type = "Share"
column = "complained"
lower_is_better = true
margin = 0.5

[past]
path = "rides.csv"
unit = "client"
time = "at"

[plan]
relative = 0.2

[money]
value = 0.3
costs = {ten = 0.5}

[users]
path = "clients.csv"
unit = "client"

[results]
path = "outcomes.csv"
unit = "client"
slices = ["city"]
"""
DISCOUNT = vt.experiments.Experiment(name="discount", arms={"none": 0.5, "five": 0.25, "ten": 0.25})


def write_taxi(folder: Path) -> None:
    """rides.csv, clients.csv and outcomes.csv; ids are numbers, one client rides a hundred times as much as others."""
    rng, clients = np.random.default_rng(0), 2000
    rate = rng.gamma(1.0, 4.0, clients)
    rate[7] = 400.0
    who = np.repeat(np.arange(clients), rng.poisson(rate))
    at = np.datetime64("2026-06-01", "us") + rng.integers(0, 60 * 86400, len(who)).astype("timedelta64[s]")
    fares, bad = rng.gamma(3, 3, len(who)).round(2), (rng.random(len(who)) < 0.02).astype(int)
    pl.DataFrame({"client": who, "at": at, "fare": fares, "complained": bad}).write_csv(folder / "rides.csv")
    city = rng.choice(["north", "south"], clients)
    pl.DataFrame({"client": np.arange(clients), "city": city}).write_csv(folder / "clients.csv")
    arm = DISCOUNT.assign(np.arange(clients))["arm"]
    lift = arm.replace_strict({"none": 0.0, "five": 0.0, "ten": 6.0}, return_dtype=pl.Float64).to_numpy()
    fare = rng.gamma(1, 9, clients) + lift
    done = np.datetime64("2026-09-01", "us") + rng.integers(0, 20, clients).astype("timedelta64[D]")
    outcomes = {
        "client": np.arange(clients),
        "city": city,
        "group": arm,
        "fare": fare.round(2),
        "complained": (rng.random(clients) < 0.1).astype(int),
        "done": done,
    }
    pl.DataFrame(outcomes).write_csv(folder / "outcomes.csv")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taxi")
    write_taxi(folder)
    return folder


@pytest.fixture
def taxi(written, tmp_path, monkeypatch):
    for file in written.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "discount.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_is_told_and_drawn(taxi, vitrina):
    told = vitrina("experiment", "plan", "discount.toml")
    assert told.exit_code == 0, told.stderr
    assert "The treatments cost" in told.stdout
    page = (taxi / "vitrina-experiment" / "plan.html").read_text()
    assert "discount: the plan" in page
    plain = json.loads(vitrina("experiment", "plan", "discount.toml", "--json").stdout)
    assert plain["table"][0]["days"] == 7
    assert plain["sentences"][0] in page.replace("&#39;", "'")
    made = vt.experiments.Past.of_events("rides.csv", {"fares": vt.experiments.Mean(column="fare")}, unit="client", time="at")
    assert plain["table"][0]["units"] == made.units[6]


def test_arms_are_those_of_the_library(taxi, vitrina):
    for name in ("arms.csv", "arms.csv", "arms.parquet"):  # what it wrote itself is replaced
        told = vitrina("experiment", "assign", "discount.toml", "--out", name)
        assert told.exit_code == 0, told.stderr
        assert "2,000 users: none" in told.stdout
    arms = pl.read_csv("arms.csv")
    assert arms.columns == ["client", "arm", "propensity", "outside"]
    assert arms["arm"].to_list() == DISCOUNT.assign(range(2000))["arm"].to_list()
    assert pl.read_parquet("arms.parquet")["arm"].equals(arms["arm"])
    said = json.loads(vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv", "--force", "--json").stdout)
    assert sum(said["arms"].values()) == said["units"] == 2000


def test_what_came_of_it_is_found_again_by_the_hash(taxi, vitrina):
    """Without a column of the arm the units are assigned again; with it, the same comes out."""
    told = vitrina("experiment", "analyse", "discount.toml", "--json")
    assert told.exit_code == 0, told.stderr
    found = json.loads(told.stdout)
    rows = {(r["metric"], r["arm"]): r for r in found["table"]}
    assert rows["fares", "ten"]["verdict"] == "better"
    assert rows["fares", "five"]["verdict"] == "no measurable difference"
    (taxi / "discount.toml").write_text(FILE.replace('slices = ["city"]', 'slices = ["city"]\narm = "group"'))
    again = json.loads(vitrina("experiment", "analyse", "discount.toml", "--json").stdout)
    assert again["table"] == found["table"]
    page = (taxi / "vitrina-experiment" / "analysis.html").read_text()
    assert "is better than" in page
    assert "Is it sound?" in page


def test_day_by_day(taxi, vitrina):
    (taxi / "discount.toml").write_text(FILE + 'time = "done"\nplanned = 2000\n')
    told = vitrina("experiment", "analyse", "discount.toml")
    assert told.exit_code == 0, told.stderr
    assert "decided at look" in told.stdout
    assert "Day by day" in (taxi / "vitrina-experiment" / "analysis.html").read_text()
    (taxi / "discount.toml").write_text(FILE + 'time = "done"\n')
    missing = vitrina("experiment", "analyse", "discount.toml")
    assert missing.exit_code == 2
    assert "planned =" in missing.stderr


def test_a_user_in_both_arms_is_refused_and_the_page_says_why(taxi, vitrina):
    outcomes = pl.read_csv("outcomes.csv")
    twice = outcomes.head(400).with_columns(group=pl.when(pl.col("group") == "none").then(pl.lit("ten")).otherwise(pl.lit("none")))
    pl.concat([outcomes, twice]).write_csv("outcomes.csv")
    (taxi / "discount.toml").write_text(FILE.replace('slices = ["city"]', 'arm = "group"'))
    told = vitrina("experiment", "analyse", "discount.toml")
    assert told.exit_code == 3, told.stdout
    page = (taxi / "vitrina-experiment" / "analysis.html").read_text()
    assert "No effect is told" in page
    assert page.index("Is it sound?") < page.index("What came of it")
    anyway = vitrina("experiment", "analyse", "discount.toml", "--anyway")
    assert anyway.exit_code == 0
    assert "Shown although a check refuses it" in (taxi / "vitrina-experiment" / "analysis.html").read_text()


def test_strata_are_shared_out_and_not_found_again(taxi, vitrina):
    (taxi / "discount.toml").write_text(FILE.replace('[users]\npath = "clients.csv"', '[users]\nstratum = "city"\npath = "clients.csv"'))
    assert vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv").exit_code == 0
    counts = pl.read_csv("arms.csv").with_columns(pl.read_csv("clients.csv")["city"]).group_by("city", "arm").len()
    for city in ("north", "south"):
        n = dict(counts.filter(pl.col("city") == city).select("arm", "len").iter_rows())
        assert abs(n["none"] - 2 * n["five"]) <= 3
    told = vitrina("experiment", "analyse", "discount.toml")
    assert told.exit_code == 2
    assert "within strata" in told.stderr


def test_sessions_are_warned_of(taxi, vitrina):
    (taxi / "discount.toml").write_text(FILE.replace('name = "discount"', 'name = "discount"\nunit = "session"'))
    told = vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv")
    assert told.exit_code == 0
    assert "may see both arms" in told.stderr.replace("\n", " ")


def test_a_table_of_units_is_planned_too(taxi, vitrina):
    text = FILE.replace('path = "rides.csv"\nunit = "client"\ntime = "at"', 'path = "outcomes.csv"\nunit = "client"\nper_day = 50')
    (taxi / "discount.toml").write_text(text)
    told = vitrina("experiment", "plan", "discount.toml", "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["table"][0]["units"] == 350


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("column = \"fare\"", "colum = \"fare\"", "line 7: There is no Mean parameter 'colum'. Did you mean 'column'"),
        ("type = \"Mean\"", "type = \"Meen\"", "line 6: There is no metric 'Meen'. Did you mean 'Mean'"),
        ("type = \"Mean\"\n", "", "needs a type: Mean, Ratio, Share"),
        ("relative = 0.2", "relativ = 0.2", "line 21: There is no [plan] key 'relativ'. Did you mean 'relative'"),
        ("relative = 0.2", "relative = \"two\"", "plan.relative must be a number"),
        ("[past]", "[pass]", "There is no table 'pass'. Did you mean 'past'"),
        ("arms = {none = 0.5", "arms = {none = 0.4", "line 1: The shares of the arms of Experiment must add up to 1"),
        ("name = \"discount\"", "nam = \"discount\"", "line 2: There is no Experiment parameter 'nam'"),
        ("time = \"at\"", "time = \"when\"", "when"),
        ("time = \"at\"", "", "either the time of events"),
        ("costs = {ten = 0.5}", "costs = {tem = 0.5}", "line 25: There is no arm with a cost 'tem'. Did you mean 'ten'"),
        ("path = \"rides.csv\"", "path = \"ride.csv\"", "line 16: there is no file ride.csv"),
        ("relative = 0.2", "", "Got none of them"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_answered_with_their_line(taxi, vitrina, old, new, said):
    assert old in FILE
    (taxi / "discount.toml").write_text(FILE.replace(old, new, 1))
    told = vitrina("experiment", "plan", "discount.toml")
    assert told.exit_code == 2, told.stdout
    assert said in told.stderr.replace("\n", " ")
    assert not (taxi / "vitrina-experiment").exists()


def test_what_a_command_lacks_is_said(taxi, vitrina):
    (taxi / "discount.toml").write_text(FILE.partition("[metrics.fares]")[0])
    for command, table in (("plan", "past"), ("analyse", "results")):
        told = vitrina("experiment", command, "discount.toml")
        assert told.exit_code == 2
        assert f"needs the table [{table}]" in told.stderr.replace("\n", " ")
    told = vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv")
    assert "needs the table [users]" in told.stderr.replace("\n", " ")
    assert "there is no file" in vitrina("experiment", "plan", "nowhere.toml").stderr.lower()


def test_nothing_that_is_read_is_written_over(taxi, vitrina):
    told = vitrina("experiment", "assign", "discount.toml", "--out", "clients.csv", "--force")
    assert told.exit_code == 2
    assert "would destroy it" in told.stderr.replace("\n", " ")
    (taxi / "arms.csv").write_text("mine\n1\n")
    assert vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv").exit_code == 2
    wrong = vitrina("experiment", "assign", "discount.toml", "--out", "arms.xlsx")
    assert wrong.exit_code == 2
    assert "ends in .csv or .parquet" in wrong.stderr


def test_ctrl_c_leaves_nothing_behind(taxi, vitrina, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(vt.experiments.Past, "of_events", interrupted)
    assert vitrina("experiment", "plan", "discount.toml").exit_code == 130
    assert not (taxi / "vitrina-experiment").exists()


def keys():
    inner = [
        f"{name}.{key}"
        for name, cls in (
            ("past", PastSection),
            ("plan", PlanSection),
            ("users", UsersSection),
            ("results", ResultsSection),
            ("report", ReportSection),
        )
        for key in cls.model_fields
    ]
    classes = (
        ("experiment", vt.experiments.Experiment),
        ("money", vt.experiments.Money),
        *(("metrics.NAME", getattr(vt.experiments, name)) for name in METRICS),
    )
    return [*inner, *(f"{name}/{key}" for name, cls in classes for key in cls.model_fields)]


@pytest.mark.parametrize("key", sorted(set(keys())))
def test_a_key_is_documented(key):
    section, _, name = key.replace("/", ".", 1).rpartition(".")
    text = (Path(__file__).parents[2] / "docs" / "experiment-file.md").read_text()
    found = re.search(rf"^## \[{re.escape(section)}\]\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found
    assert f"`{name}`" in "".join(line.split("|")[1] for line in found[1].splitlines() if line.startswith("|"))


def test_the_file_of_the_docs_is_valid(tmp_path):
    block = re.search(
        r"^```toml\n(.*?)^```", (Path(__file__).parents[2] / "docs" / "experiment-file.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "discount.toml").write_text(block[1])
    job = read_experiment_file(tmp_path / "discount.toml")
    assert list(job.metrics) == ["rides", "fare per ride"]


def test_ids_that_are_none_are_named(taxi, vitrina):
    pl.DataFrame({"client": ["1", "", "3"]}).write_csv("clients.csv")
    told = vitrina("experiment", "assign", "discount.toml", "--out", "arms.csv")
    assert told.exit_code == 2
    assert "'client'" in told.stderr
    assert not Path("arms.csv").exists()
