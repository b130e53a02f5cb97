"""An experiment in the path of recommendations, from the answers to the analysis."""

import asyncio
import time
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.service import feedback
from vitrina.service.records import Event
from vitrina.service.service import Service
from vitrina.service.settings import ScenarioSettings, ServedExperiment, Settings
from vitrina.wire import RecommendRequest

DATA = vt.testing.toy()
NOW = 1_750_000_000_000_000
DESIGN = vt.experiments.Experiment(name="order", arms={"old": 0.5, "new": 0.5}, holdout=0.1, ramp=0.9)


@pytest.fixture
def models(tmp_path):
    for name, model in {"one": vt.EASE(l2=1), "two": vt.Popularity(), "three": vt.RandomItems()}.items():
        vt.save(model.fit(DATA), tmp_path / name, data=DATA)
    return tmp_path


def settings(models, experiment=DESIGN, **arms):
    served = ServedExperiment(experiment=experiment, arms=arms)
    scenario = ScenarioSettings(artifact=models / "one", repeat=True)
    return Settings(scenarios={"default": scenario}, experiments={"order": served}, state=models / "state")


def opened(given, work):
    async def whole():
        service = await Service.open(given)
        try:
            return await work(service, service.tenants["default"])
        finally:
            await service.close()

    return asyncio.run(whole())


def test_each_is_answered_by_the_arm_that_the_hash_says(models):
    given = settings(models, new=ScenarioSettings(artifact=models / "two", repeat=True))
    people = [f"p{number}" for number in range(60)]
    places = dict(DESIGN.assign(people).select("user", "arm").iter_rows())

    async def work(service, tenant):
        versions = {arm: way.version.id for arm, way in tenant.scenario("default").ways.items()}
        assert versions["old"] == versions[""] != versions["new"]
        for user in people:
            answer, _ = await tenant.recommend(RecommendRequest(user=user))
            arm = places[user]
            assert answer.variant == arm
            assert answer.model_version == versions[arm or ""]
            assert (answer.experiment, answer.propensity) == (("order", 0.5) if arm else (None, None))

    opened(given, work)


def test_visitors_without_an_id_are_outside_and_told(models):
    async def work(service, tenant):
        answer, _ = await tenant.recommend(RecommendRequest(history=["tea"]))
        assert (answer.experiment, answer.variant, answer.propensity) == (None, None, None)
        assert answer.notes == ["Outside of the experiment 'order': the request has no user."]

    opened(settings(models), work)


def test_sessions_are_assigned_where_the_experiment_says_so(models):
    by_session = DESIGN.model_copy(update={"unit": "session"})

    async def work(service, tenant):
        answers = [(await tenant.recommend(RecommendRequest(session=f"s{n}")))[0].variant for n in range(40)]
        assert answers == by_session.assign([f"s{n}" for n in range(40)])["arm"].to_list()
        alone, _ = await tenant.recommend(RecommendRequest(user="ann"))
        assert alone.notes == ["Outside of the experiment 'order': the request has no session."]

    opened(settings(models, by_session), work)


def test_an_arm_with_the_artifact_of_the_scenario_follows_what_is_loaded(models):
    reversed_ = ScenarioSettings(artifact=models / "one", repeat=True, rerank=vt.testing.KeepOrder(), candidates=4)
    given = settings(models, new=reversed_)
    new = next(user for user in map(str, range(100)) if DESIGN.one(user).arm == "new")

    async def work(service, tenant):
        scenario = tenant.scenario("default")
        assert scenario.ways["new"].version is scenario.version
        answer = await tenant.load("default", "three", "ann")
        assert (await tenant.recommend(RecommendRequest(user=new)))[0].model_version == answer.version
        assert scenario.ways["new"].pipeline is not scenario.ways["old"].pipeline

    opened(given, work)


def test_an_arm_with_a_model_of_its_own_is_the_same_version_after_a_restart_until_it_is_fitted_again(models):
    given = settings(models, new=ScenarioSettings(artifact=models / "two"))

    async def look(service, tenant):
        return {arm: way.version.id for arm, way in tenant.scenario("default").ways.items()}

    first, again = opened(given, look), opened(given, look)
    assert first == again
    vt.save(vt.Popularity(days=30).fit(DATA), models / "two", data=DATA)
    later = opened(given, look)
    assert later["new"] != first["new"]
    assert later["old"] == first["old"]


def test_from_answers_to_the_analysis(models):
    """Clicks are made up: half of those who see the new arm click, a fifth of the others."""
    pytest.importorskip("tea_tasting")
    given = settings(models, new=ScenarioSettings(artifact=models / "two", repeat=True))
    rng = np.random.default_rng(0)
    people = [f"p{number}" for number in range(600)]

    async def work(service, tenant):
        clicks = []
        for user in [*people, None, None]:
            answer, _ = await tenant.recommend(RecommendRequest(user=user, k=2))
            if user is not None and rng.random() < (0.5 if answer.variant == "new" else 0.2):
                now = time.time_ns() // 1000
                clicks.append(
                    Event(f"c{user}", "click", user, answer.items[0].item, now, now, 2.0, recommendation_id=answer.recommendation_id)
                )
        await tenant.add_events(clicks)
        return {click.user for click in clicks}

    clicked = opened(given, work)
    shown = feedback.impressions(given.state, outcome="click")
    assert (len(shown.requests), len(shown)) == (602, 1204)
    assert (shown.outcomes.sum(), shown.values.sum()) == (len(clicked), 2 * len(clicked))
    assert shown.propensities is None
    assert (shown.users < 0).sum() == 4
    assert set(shown.frame().filter(pl.col("outcome") > 0)["position"]) == {1}
    assert vt.policy.DecisionLog.of_impressions(shown).reward("outcome").sum() == len(clicked)
    assert len(feedback.impressions(given.state, outcome="click", experiment="order").requests) < 602

    seen, clicks = feedback.exposures(given.state, experiment="order"), feedback.events(given.state, kinds=["click"])
    assert dict(seen.select("unit", "arm").iter_rows()) == dict(DESIGN.assign(people).drop_nulls("arm").select("user", "arm").iter_rows())
    assert set(seen["propensity"]) == {0.5}
    assert set(clicks["user"]) == clicked
    found = vt.experiments.outcomes(
        seen, clicks, days=0.5, until=clicks["time"].max() + timedelta(days=1), unit="unit", arm="arm", time="time", event_unit="user",
        event_time="time", rewards={"clicks": "any"},
    )  # fmt: skip
    assert found.table["clicks"].sum() == len(clicked & set(seen["unit"]))
    analysed = vt.experiments.analyse(found.table, {"clicks": vt.experiments.Share(column="clicks")}, arm="arm", unit="unit", shares=DESIGN)
    assert analysed.checks.verdict == "pass"
    assert analysed.table.row(0, named=True)["verdict"] == "better"


def test_a_broken_assignment_is_seen_in_what_the_service_kept(models):
    pytest.importorskip("tea_tasting")

    async def work(service, tenant):
        for number in range(600):
            user = f"p{number}"
            if DESIGN.one(user).arm != "new" or number % 3:  # a third of the new arm's answers get lost on the way
                await tenant.recommend(RecommendRequest(user=user))

    given = settings(models)
    opened(given, work)
    table = feedback.exposures(given.state).select("unit", "arm").with_columns(clicks=pl.lit(0.0))
    found = vt.experiments.analyse(table, {"clicks": vt.experiments.Mean(column="clicks")}, arm="arm", unit="unit", shares=DESIGN)
    assert found.checks.verdict == "refuse"


def test_nothing_shown_is_said(models):
    async def work(service, tenant):
        pass

    given = settings(models)
    opened(given, work)
    with pytest.raises(DataError, match="showed nothing"):
        feedback.impressions(given.state, outcome="click")
    assert feedback.events(given.state).is_empty()
    assert feedback.exposures(given.state).is_empty()
