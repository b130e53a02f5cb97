"""Questions over HTTP: sentences of items with what they rest on, of what may be shown, by a scenario that is set up for it."""

import polars as pl
import pytest
from live_server import served, toy_settings

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.client import Client, ClientError
from vitrina.service.settings import AnswerSettings, ScenarioSettings

KETTLES = pl.DataFrame(
    {
        "sku": ["k1", "k2", "k3"],
        "title": ["Moka kettle", "Pour kettle", "Travel kettle"],
        "text": [
            "It boils 1.5 l of water in 4 minutes.",
            "Its swan neck pours slowly.",
            "It folds, and boils 0.5 l of water in 3 minutes.",
        ],
    }
)


@pytest.fixture
def settings(tmp_path):
    vt.save(vt.search.ItemIndex.build(KETTLES, id="sku", columns=["title", "text"]), tmp_path / "models" / "kettles")
    plain = toy_settings(tmp_path)
    kettles = ScenarioSettings(artifact=tmp_path / "models" / "kettles", answers=AnswerSettings())
    return plain.model_copy(update={"scenarios": {**plain.scenarios, "kettles": kettles}})


def test_an_answer_cites_items_of_what_may_be_shown(settings):
    question = "In how many minutes does the Moka kettle boil water?"
    with served(settings) as (_, port):
        client = Client(f"http://127.0.0.1:{port}", retries=0)
        answer = client.answer(question, scenario="kettles")
        assert (answer.status, answer.by) == ("answered", "extraction")
        assert "k1" in answer.items
        for sentence in answer.sentences:
            assert sentence.citations
        assert answer.trace is None
        assert client.answer(question, scenario="kettles", trace=True).trace
        elsewhere = client.answer(question, scenario="kettles", exclude=["k1"])
        assert "k1" not in elsewhere.items
        refused = client.answer("Who won the match yesterday?", scenario="kettles")
        assert (refused.status, refused.sentences) == ("refused", [])
        assert refused.text
        with pytest.raises(ClientError, match=r"answers no questions: it has no table \[scenarios.default.answers\]"):
            client.answer(question)


def test_a_model_that_does_not_search_is_refused_when_it_is_loaded(tmp_path):
    plain = toy_settings(tmp_path)
    wrong = plain.scenarios["default"].model_copy(update={"answers": AnswerSettings()})
    with (
        pytest.raises(ParameterError, match="doesn't read what is typed"),
        served(plain.model_copy(update={"scenarios": {"default": wrong}})),
    ):
        pass
