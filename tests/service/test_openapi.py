"""The description of the API says what the routes do."""

import json

import msgspec
import pytest
from fake_service import fake_service
from schemathesis.specs.openapi import definitions
from starlette.testclient import TestClient

from vitrina.service.app import application
from vitrina.service.openapi import MEANING, description
from vitrina.service.problems import WORDS
from vitrina.service.routes import API


@pytest.fixture(scope="module")
def told():
    return json.loads(json.dumps(description(API)))


def test_it_is_openapi_3_1(told):
    definitions.OPENAPI_31_VALIDATOR.validate(told)


def test_every_reference_leads_somewhere(told):
    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            for one in value.values():
                yield from references(one)
        elif isinstance(value, list):
            for one in value:
                yield from references(one)

    found = set(references(told))
    assert found
    for reference in found:
        at = told
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_refusal_has_a_meaning():
    assert set(MEANING) == set(WORDS)


@pytest.mark.parametrize("endpoint", API, ids=lambda one: f"{one.method} {one.path}")
def test_examples_are_what_the_structs_are(endpoint):
    if endpoint.example is not None:
        msgspec.convert(endpoint.example, endpoint.request)
    if endpoint.answered is not None:
        msgspec.convert(endpoint.answered, endpoint.answer)


def test_every_operation_has_its_own_name_and_every_link_one_of_them(told):
    operations = [one for methods in told["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names) == len(API)
    assert {name for one in operations for name in one["responses"]["200"].get("links", {})} <= set(names)


def test_every_field_of_a_struct_with_arguments_is_described(told):
    for name in ("RecommendRequest", "EventIn", "RecommendedItem", "RecommendAnswer"):
        for field, schema in told["components"]["schemas"][name]["properties"].items():
            assert schema.get("description"), f"{name}.{field}"


def test_both_are_served_without_a_key_and_need_nothing_from_elsewhere(tmp_path):
    client = TestClient(application(fake_service(tmp_path)))
    assert client.get("/openapi.json").json()["openapi"] == "3.1.0"
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://localhost:8000/v1/recommend" in page.text
    assert "src=" not in page.text
    assert "<link" not in page.text
    assert "None" not in page.text
