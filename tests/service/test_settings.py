import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.service.settings import Key, ScenarioSettings, ServedExperiment, Settings, hash_of, new_key, without_password

SECRET = "vt_do-not-show-me"


def settings(**given):
    return Settings(**{"scenarios": {"default": ScenarioSettings(artifact="model")}} | given)


def test_the_state_is_beside_the_artifact_unless_it_is_named(tmp_path):
    assert settings(scenarios={"home": ScenarioSettings(artifact=tmp_path / "m")}).state == tmp_path / "m.service"
    assert settings(state=tmp_path / "kept").state == tmp_path / "kept"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "shop.example", "192.168.0.7"])
def test_an_open_address_demands_a_key(host):
    with pytest.raises(ParameterError, match="needs a key"):
        settings(host=host)
    assert settings(host=host, keys={"shop": Key(hash=hash_of(SECRET))}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_alone_needs_none(host):
    assert not settings(host=host).keys


def test_secrets_are_in_no_message_and_no_repr():
    for wrong in (lambda: Key(hash=SECRET), lambda: settings(store=f"mysql://ann:{SECRET}@db/x")):
        with pytest.raises(ParameterError) as refused:
            wrong()
        assert SECRET not in str(refused.value)
    key = Key(hash=hash_of(SECRET))
    said = repr(settings(store=f"postgresql://ann:{SECRET}@db/x?password={SECRET}", keys={"shop": key})) + repr(key) + str(key)
    assert SECRET not in said
    assert hash_of(SECRET) not in said
    assert without_password("sqlite") == "sqlite"


def test_keys_are_unlike_and_their_hashes_fit():
    assert len({new_key() for _ in range(100)}) == 100
    assert Key(hash=hash_of(new_key())).scopes == ("recommend", "events", "catalogue", "models", "people", "read")
    with pytest.raises(ParameterError, match="scopes"):
        Key(hash=hash_of(SECRET), scopes=["everything"])


def test_two_tenants_may_use_one_name_and_one_tenant_may_not():
    mine, theirs = ScenarioSettings(artifact="a"), ScenarioSettings(artifact="b", tenant="other", name="home")
    both = settings(scenarios={"home": mine, "other-home": theirs})
    assert both.of_tenant("default") == {"home": mine}
    assert both.of_tenant("other") == {"home": theirs}
    assert both.tenants == ("default", "other")
    with pytest.raises(ParameterError, match="two scenarios 'home'"):
        settings(scenarios={"home": mine, "again": ScenarioSettings(artifact="b", name="home")})


def test_an_experiment_runs_in_a_scenario_that_is_there_with_arms_that_are_there():
    trial = vt.experiments.Experiment(name="trial", arms={"old": 0.5, "new": 0.5})
    with pytest.raises(ParameterError, match="no arm 'newer'"):
        ServedExperiment(experiment=trial, arms={"newer": ScenarioSettings(artifact="b")})
    with pytest.raises(ParameterError, match="scenario 'cart'"):
        settings(experiments={"trial": ServedExperiment(experiment=trial, scenario="cart")})
    served = ServedExperiment(experiment=trial, arms={"new": ScenarioSettings(artifact="b")})
    assert settings(experiments={"trial": served}).experiments_of("default") == {"trial": served}
    assert settings(experiments={"trial": served}).experiments_of("other") == {}


def test_rules_and_the_order_within_them_become_one():
    hide, mmr = vt.Rules(rules={"no drinks": vt.rules.Hide(where={"aisle": "drinks"})}), vt.MMR(diversity=0.3)
    both = ScenarioSettings(artifact="m", rules=hide, rerank=mmr).reranker
    assert both == vt.Rules(rules=hide.rules, then=mmr)
    assert ScenarioSettings(artifact="m", rerank=mmr).reranker == mmr
    assert ScenarioSettings(artifact="m", rules=hide).reranker == hide
    assert ScenarioSettings(artifact="m").reranker is None
    with pytest.raises(ParameterError, match="Put all rules"):
        ScenarioSettings(artifact="m", rules=hide, rerank=hide)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70000},
        {"port": 8001},
        {"store": "sqlite:///x"},
        {"histories": "memory"},
        {"scenarios": {}},
        {"hosts": "x"},
    ],
    ids=str,
)
def test_what_is_wrong_is_said(wrong):
    with pytest.raises(ParameterError):
        settings(**wrong)
