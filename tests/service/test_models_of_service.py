"""Models of a service: loading, checking, swapping, rolling back; which one serves survives a restart."""

import asyncio
import json
import shutil

import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import UnknownNameError
from vitrina.service.records import Attributes, Event, Rejected
from vitrina.service.registry import ModelRefusedError, allowed_folder
from vitrina.service.service import SERVING, Service
from vitrina.service.settings import ScenarioSettings, Settings
from vitrina.wire import RecommendRequest, SimilarRequest

DATA = vt.testing.toy()
NOW = 1_750_000_000_000_000


def saved(folder, model, **more):
    return vt.save(model.fit(DATA), folder, data=DATA, **more)


@pytest.fixture
def models(tmp_path):
    """A folder of artifacts: one that serves, another, a damaged one and a foreign folder."""
    home = tmp_path / "models"
    saved(home / "one", vt.EASE(l2=1))
    saved(home / "two", vt.Popularity())
    damaged = saved(home / "damaged", vt.EASE(l2=2))
    weights = next(damaged.rglob("*.npy"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    (home / "foreign").mkdir()
    (home / "foreign" / "manifest.json").write_text("{}")
    return home


def settings(models, **more):
    return Settings(scenarios={"default": ScenarioSettings(artifact=models / "one")}, state=models.parent / "state", **more)


def event(number, user, item, kind="purchase", time=NOW):
    return Event(f"e{number}", kind, user, item, time + number, time + number)


def run(work):
    return asyncio.run(work)


async def opened(given, work, **more):
    service = await Service.open(given, **more)
    try:
        return await work(service)
    finally:
        await service.close()


async def ids(tenant, **request):
    answer, _ = await tenant.recommend(RecommendRequest(**request))
    return [item.item for item in answer.items]


def test_a_loaded_model_serves_and_rolls_back(models):
    async def work(service):
        tenant = service.tenants["default"]
        first = tenant.scenario("default").version.id
        answer = await tenant.load("default", "two", "ann")
        assert (answer.model, answer.previous) == ("Popularity", first)
        assert answer.version == tenant.scenario("default").version.id != first
        assert (await tenant.recommend(RecommendRequest(user="ann")))[0].model_version == answer.version
        back = await tenant.roll_back("default", "ann")
        assert (back.version, back.previous, back.model) == (first, answer.version, "EASE")
        again = await tenant.roll_back("default", "ann")  # the one that was left is the one before
        assert again.version == answer.version
        return [(one.action, one.who, one.subject) for one in service.store.audited("default")]

    told = run(opened(settings(models), work))
    assert [one for one in told if one[0] in ("load", "rollback")] == [("rollback", "ann", "default")] * 2 + [("load", "ann", "default")]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("damaged", "is not the file that was saved"),
        ("foreign", "is not of an artifact of Vitrina"),
        ("nowhere", "There is no folder"),
        ("../state", "which is not in it"),
        ("/etc", "which is not in it"),
        ("", "which is not in it"),
        (".", "which is not in it"),
        ("a\0b", "which is not in it"),
        ("x" * 5000, "which is not in it"),
        ("link", "which is not in it"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_sound_artifact_leaves_the_old_one_serving_and_says_why(models, folder, said):
    (models / "link").symlink_to(models.parent)

    async def work(service):
        tenant = service.tenants["default"]
        before = tenant.scenario("default").version
        with pytest.raises(ModelRefusedError, match=said):
            await tenant.load("default", folder, "ann")
        assert tenant.scenario("default").version is before
        assert await ids(tenant, user="ann")
        entry = service.store.audited("default")[0]
        assert entry.action == "load"
        assert entry.detail.startswith("refused")

    run(opened(settings(models), work))


def test_a_policy_is_no_model(models):
    vt.save(vt.policy.Always(arm="a"), models / "policy")

    async def work(service):
        with pytest.raises(ModelRefusedError, match="policy"):
            await service.tenants["default"].load("default", "policy", "ann")

    run(opened(settings(models), work))


def test_a_model_whose_answer_to_try_it_is_wrong_does_not_serve(models, monkeypatch):
    from vitrina.service.pipeline import Pipeline

    async def work(service):
        tenant = service.tenants["default"]
        right = Pipeline.answer

        def twice(self, requests, **more):
            answers = right(self, requests, **more)
            for answered in answers:
                answered.items.extend(answered.items[:1])
            return answers

        monkeypatch.setattr(Pipeline, "answer", twice)
        with pytest.raises(ModelRefusedError, match="names an item twice"):
            await tenant.load("default", "two", "ann")
        monkeypatch.undo()
        assert tenant.scenario("default").version.model == "EASE"

    run(opened(settings(models), work))


def test_which_model_serves_survives_a_restart(models):
    given = settings(models)

    async def load(service):
        await service.tenants["default"].load("default", "two", "ann")
        return service.tenants["default"].scenario("default")

    async def look(service):
        return service.tenants["default"].scenario("default")

    before, after = run(opened(given, load)), run(opened(given, look))
    assert after.told == before.told
    assert after.version.model == "Popularity"
    assert after.version.loaded == before.version.loaded


def test_a_version_that_is_gone_gives_way_to_the_one_before(models):
    given = settings(models)

    async def load(service):
        await service.tenants["default"].load("default", "two", "ann")

    async def look(service):
        return service.tenants["default"].scenario("default").version.model, service.told

    run(opened(given, load))
    shutil.rmtree(models / "two")
    model, told = run(opened(given, look))
    assert model == "EASE"
    assert "can't be loaded any more" in told[0]


def test_another_artifact_in_the_settings_counts_more_than_what_served_last(models):
    async def load(service):
        await service.tenants["default"].load("default", "two", "ann")

    async def look(service):
        return service.tenants["default"].scenario("default").version

    run(opened(settings(models), load))
    third = saved(models / "three", vt.RandomItems())
    changed = Settings(scenarios={"default": ScenarioSettings(artifact=third)}, state=models.parent / "state")
    assert run(opened(changed, look)).model == "RandomItems"


def test_a_model_that_was_fitted_again_in_its_place_is_another_version(models):
    given = settings(models)

    async def look(service):
        return service.tenants["default"].scenario("default").version.id

    first = run(opened(given, look))
    assert run(opened(given, look)) == first
    saved(models / "one", vt.EASE(l2=3))
    assert run(opened(given, look)) != first


def test_loads_at_the_same_time_are_done_one_after_the_other(models):
    async def work(service):
        tenant = service.tenants["default"]
        answers = await asyncio.gather(
            *(tenant.load("default", name, "ann") for name in ("two", "one", "damaged", "two")), return_exceptions=True
        )
        assert isinstance(answers[2], ModelRefusedError)
        done = [answer for answer in answers if not isinstance(answer, Exception)]
        assert [answer.model for answer in done] == ["Popularity", "EASE", "Popularity"]
        assert done[2].previous == done[1].version
        assert tenant.scenario("default").version.id == done[2].version
        kept = json.loads((service.settings.state / SERVING).read_text())
        assert [one["id"] for one in kept["scenarios"]["default/default"]["versions"]] == [done[2].version, done[1].version]

    run(opened(settings(models), work))


def test_a_scenario_that_is_not_there_is_said(models):
    async def work(service):
        tenant = service.tenants["default"]
        for call in (
            tenant.recommend(RecommendRequest(scenario="front")),
            tenant.load("front", "two", "ann"),
            tenant.roll_back("front", "ann"),
        ):
            with pytest.raises(UnknownNameError, match="no scenario 'front'"):
                await call

    run(opened(settings(models), work))


def test_nothing_before_can_not_be_rolled_back_to(models):
    async def work(service):
        with pytest.raises(ModelRefusedError, match="has no version before"):
            await service.tenants["default"].roll_back("default", "ann")

    run(opened(settings(models), work))


def test_allowed_folders(tmp_path):
    inside, other = tmp_path / "models", tmp_path / "other"
    (inside / "a").mkdir(parents=True)
    (other / "b").mkdir(parents=True)
    assert allowed_folder("a", [inside, other]) == inside / "a"
    assert allowed_folder("b", [inside, other]) == other / "b"
    assert allowed_folder(str(other / "b"), [inside, other]) == other / "b"
    assert allowed_folder("a/../a", [inside]) == inside / "a"
    for folder in ("a/../../other/b", str(other / "b"), "~", "a/../.."):
        if folder == "~":
            assert allowed_folder(folder, [inside]) == inside / "~"  # a name like others
            continue
        with pytest.raises(ModelRefusedError):
            allowed_folder(folder, [inside])


# --- events, items and people


def test_events_count_at_once_and_once(models):
    async def work(service):
        tenant = service.tenants["default"]
        assert "jam" in await ids(tenant, user="zoe")
        rows = [event(1, "zoe", "jam"), Rejected(NOW, b"{}", "it has no kind"), event(2, "zoe", "tea"), event(1, "zoe", "jam")]
        answer = await tenant.add_events(rows)
        assert [one.status for one in answer.results] == ["stored", "rejected", "stored", "duplicate"]
        assert (answer.stored, answer.duplicates, answer.rejected) == (2, 1, 1)
        assert not {"jam", "tea"} & set(await ids(tenant, user="zoe"))
        again = await tenant.add_events(rows)
        assert (again.stored, again.duplicates) == (0, 3)
        assert len(tenant.histories.of("zoe")) == 2
        assert service.store.rejected("default")[0].reason == "it has no kind"

    run(opened(settings(models), work))


def test_a_restart_gives_the_same_answers(models):
    given = settings(models)
    people = ["ann", "zoe", "bob", None]

    async def act(service):
        tenant = service.tenants["default"]
        await tenant.add_events([event(1, "zoe", "jam"), event(2, "ann", "salt"), event(3, "zoe", "salt")])
        await tenant.set_items([Attributes("bread", {}, delete=True)])
        return [await ids(tenant, user=user) for user in people]

    async def look(service):
        return [await ids(service.tenants["default"], user=user) for user in people]

    before = run(opened(given, act, logs={"default": DATA}))
    assert run(opened(given, look, logs={"default": DATA})) == before
    assert "bread" not in {item for items in before for item in items}


def test_events_that_were_exported_into_the_log_count_once(models):
    given = settings(models)

    async def act(service):
        tenant = service.tenants["default"]
        await tenant.add_events([event(1, "zoe", "jam"), event(2, "zoe", "tea"), event(3, "ann", "jam")])

    run(opened(given, act, logs={"default": DATA}))
    frame = pl.DataFrame({"user_id": ["ann", "zoe", "zoe"], "item_id": ["jam", "jam", "milk"], "timestamp": [NOW + n for n in (3, 1, 9)]})
    log = vt.read_interactions(frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us"))))

    async def look(service):
        histories = service.tenants["default"].histories
        return {user: [histories.items.texts[code] for code in histories.of(user).items] for user in ("ann", "zoe")}, service.told

    found, told = run(opened(given, look, logs={"default": log}))
    assert found == {"ann": ["jam"], "zoe": ["jam", "tea", "milk"]}
    assert "2 events of the store are in the log of 'default' already" in told[0]


def test_an_erased_person_is_gone_from_memory_and_store(models):
    given = settings(models)

    async def act(service):
        tenant = service.tenants["default"]
        await tenant.add_events([event(1, "zoe", "jam")])
        await tenant.set_users([Attributes("zoe", {"city": "Oslo"})])
        await tenant.recommend(RecommendRequest(user="zoe"))
        await service.store.flush()
        assert await tenant.erase("zoe", "ann") >= 2
        assert len(tenant.histories.of("zoe")) == 0
        assert tenant.users.of("zoe") == {}
        assert sum(len(frame.filter(pl.col("user") == "zoe")) for frame in service.store.events("default")) == 0

    async def look(service):
        return len(service.tenants["default"].histories.of("zoe"))

    run(opened(given, act))
    assert run(opened(given, look)) == 0


def test_a_column_of_another_kind_is_refused_and_listed(models):
    async def work(service):
        tenant = service.tenants["default"]
        rows = [Attributes("tea", {"price": 2.5}), Attributes("jam", {"price": "cheap"}), Attributes("none", {}, delete=True)]
        await tenant.set_items(rows[:1])
        answer = await tenant.set_items(rows)
        assert [one.status for one in answer.results] == ["stored", "rejected", "unknown"]
        assert "holds numbers" in answer.results[1].reason
        of_the_model = str(tenant.scenario("default").version.artifact.vocabulary.ids[0])  # nothing was set of it
        assert [one.status for one in (await tenant.set_items([Attributes(of_the_model, {}, delete=True)])).results] == ["deleted"]
        assert "holds numbers" in service.store.rejected("default")[0].reason

    run(opened(settings(models), work))


def test_similar_items_are_kept_as_shown(models):
    async def work(service):
        tenant = service.tenants["default"]
        answer = await tenant.similar(SimilarRequest(item="tea", k=2))
        assert "tea" not in [item.item for item in answer.items]
        await service.store.flush()
        shown = pl.concat(service.store.shown("default"))
        assert shown["recommendation_id"].to_list() == [answer.recommendation_id] * len(answer.items)

    run(opened(settings(models), work))


def test_the_kinds_of_the_settings_become_part_of_histories_now_and_after_a_restart(models):
    """The log has no kinds: without the setting a view would count as what somebody took."""
    given = settings(models).model_copy(update={"kinds": ("purchase", "purchse")})

    async def tell(service):
        tenant = service.tenants["default"]
        await tenant.add_events([Event("1", "view", "zoe", "tea", NOW, NOW), Event("2", "purchase", "zoe", "jam", NOW, NOW)])
        return has(tenant), service.told

    async def look(service):
        return has(service.tenants["default"]), service.told

    def has(tenant):
        return [tenant.histories.items.texts[code] for code in tenant.histories.of("zoe").items]

    told = "No event of 'default' is of the kind {} yet, which the setting 'kinds' names."
    assert run(opened(given, tell)) == (["jam"], [told.format("'purchase' or 'purchse'")])
    assert run(opened(given, look)) == (["jam"], ["1 event of the store joined the histories of 'default'.", told.format("'purchse'")])
    assert run(opened(settings(models), look))[0] == ["tea", "jam"]


def test_a_new_state_folder_says_where_a_service_of_the_artifact_alone_kept_its_events(models):
    async def tell(service):
        await service.tenants["default"].add_events([Event("1", "purchase", "zoe", "tea", NOW, NOW)])
        return service.told

    async def look(service):
        return service.told

    alone = Settings(scenarios={"default": ScenarioSettings(artifact=models / "one")})
    own = models / "one.service"
    assert (alone.state, run(opened(alone, tell))) == (own, [])
    told = [f"The state folder is new, and events of another service are in {own}. To go on with them: --state {own}"]
    assert run(opened(settings(models), look)) == told
    assert run(opened(settings(models), look)) == []
    assert run(opened(alone, look)) == ["1 event of the store joined the histories of 'default'."]
