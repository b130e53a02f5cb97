"""The pages of a plan and of an analysis: the answer first, everything inside, names escaped, the same text twice."""

import re

import numpy as np
import polars as pl
import pytest

from vitrina.experiments import Experiment, Mean, Money, Past, analyse, plan, sequential
from vitrina.pages.experiment import render_analysis, render_plan

pytest.importorskip("tea_tasting")
EVIL = "<b>ten</b>"
OFFER = Experiment(name="a & b", arms={"none": 0.5, EVIL: 0.5})


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"user": np.arange(6000), "city": rng.choice(["<i>x</i>", "y"], 6000), "day": rng.integers(0, 20, 6000)})
    table = table.with_columns(OFFER.assign(table["user"])["arm"])
    lift = (table["arm"] == EVIL).cast(pl.Float64).to_numpy()
    return table.with_columns(
        spent=pl.Series(rng.exponential(10, 6000) + lift),
        seen=pl.Series(rng.random(6000)),
        day=pl.lit("2026-01-01").str.to_date() + pl.duration(days="day"),
    )


METRICS = {"spent <x>": Mean(column="spent"), "seen": Mean(column="seen", margin=0.2)}


def sound(page):
    """What holds of every page."""
    assert page.startswith("<!doctype html>")
    assert EVIL not in page
    assert "<i>x</i>" not in page
    assert re.findall(r"""(?:src|href)=["'](?!#)""", page) == []
    assert "NaN" not in page.partition("<script>")[0]
    assert page.count("<svg") <= page.count("aria-labelledby") + page.count("aria-hidden")
    nav = re.findall(r'href="#([\w-]+)"', page)
    assert all(f'id="{key}"' in page for key in nav)


@pytest.mark.parametrize(
    "asked", [{"relative": 0.1}, {"days": 10}, {"relative": 0.001}, {"effect": 2.0, "money": Money(costs={EVIL: 0.5})}], ids=str
)
def test_a_plan(results, asked):
    past = Past.of_units(results.select("user", "spent", "seen"), METRICS, per_day=300, days=40)
    found = plan(OFFER, past, **asked)
    page = render_plan(found, date="1 May 2026", settings=[("file", "<script>")])
    sound(page)
    assert page == render_plan(found, date="1 May 2026", settings=[("file", "<script>")])
    assert 'id="seen"' in page
    assert ('id="power"' in page) == ("days" not in asked)
    assert ('id="money"' in page) == ("money" in asked)
    assert "1 May 2026" in page


def test_an_analysis(results):
    asked = {"arm": "arm", "unit": "user", "shares": OFFER}
    found = analyse(results, METRICS, slices=["city"], **asked)
    looked = sequential(results, METRICS, time="day", planned=6000, **asked)
    page = render_analysis(found, title="t <u>", sequential=looked, settings=[("a", "b")])
    sound(page)
    assert page == render_analysis(found, title="t <u>", sequential=looked, settings=[("a", "b")])
    lede = re.search(r'class="lede">(.*?)</p>', page)
    assert lede
    assert "is better than" in lede[1]
    for key in ("results", "days", "segments", "checks", "making"):
        assert f'id="{key}"' in page
    assert 'id="days"' not in render_analysis(found, title="t")


def test_a_refused_analysis_shows_the_checks_first(results):
    lost = results.filter((pl.col("arm") == "none") | (pl.col("user") % 3 > 0))
    found = analyse(lost, METRICS, arm="arm", unit="user", shares=OFFER)
    page = render_analysis(found, title="t")
    sound(page)
    assert "No effect is told" in page
    assert page.index('id="checks"') < page.index('id="results"')
    assert "is better than" not in page


def test_a_broken_guard_is_among_the_first_sentences_and_slices_are_summed_up(results):
    harmed = results.with_columns(seen=pl.when(pl.col("arm") == EVIL).then(0.3 * pl.col("seen")).otherwise("seen"))
    metrics = {
        "spent": Mean(column="spent"),
        "again": Mean(column="spent"),
        "third": Mean(column="spent"),
        "seen": Mean(column="seen", margin=0.2),
    }
    page = render_analysis(analyse(harmed, metrics, arm="arm", unit="user", shares=OFFER, slices=["city"]), title="t")
    top = page.partition("<nav")[0]
    assert top.index("spent: ") < top.index("seen (guard): is broken")
    assert "a guard is green where it holds" in page
    assert page.count("no sign that the effect") + page.count("the effect differs between groups") <= len(metrics)
