"""Schemas, their strict reading, and one turn of repair."""

import json

import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.language.forms import read_form, strict_schema


class Offer(vt.language.Reasoned):
    price: float
    colours: list[str]
    weight: float | None


GOOD = {"reasoning": "said in the first line", "price": 3.5, "colours": ["red"]}
ASKED = [vt.language.Message("user", "What does it cost?")]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD)}\n```",
        f"```\n{json.dumps(GOOD)}\n``` I hope this helps!",
        f'<think>{{"price": 1}} no, wait</think>Sure: {json.dumps(GOOD)}',
        json.dumps(GOOD | {"weight": None}, indent=2),
    ],
)
def test_what_stands_around_the_object_is_passed_over(text):
    assert read_form(text, Offer) == Offer(reasoning="said in the first line", price=3.5, colours=["red"], weight=None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I can't.", "no JSON object"),
        ("", "no JSON object"),
        ('{"price": 3', "broken"),
        ("[1, 2]", "not a list"),
        (json.dumps(GOOD | {"price": "three"}), "price: "),
        (json.dumps(GOOD | {"extra": 1}), "extra: "),
        ('{"price": 1}', "reasoning: Field required"),
        (json.dumps(GOOD).replace("3.5", "NaN"), "NaN is no number"),
        (json.dumps(GOOD)[:-1] + ', "price": 1}', "twice"),
        ('{"a":' * 100_000, "nested too deep"),
    ],
)
def test_what_is_wrong_is_told_in_words_for_the_repair(text, told):
    with pytest.raises(ValueError, match=told):
        read_form(text, Offer)


def test_reasoning_comes_first_and_defaults_are_no_answers():
    with pytest.raises(ParameterError, match="'reasoning' of Late must be its first"):

        class Late(vt.language.Form):
            verdict: bool
            reasoning: str

    with pytest.raises(ParameterError, match="'verdict' of Sure has a default"):

        class Sure(vt.language.Form):
            verdict: bool = True

    assert next(iter(Offer.model_fields)) == "reasoning"


def test_the_strict_schema_requires_all_and_allows_nothing_else():
    class Shop(vt.language.Form):
        offers: list[Offer]

    made = strict_schema(Shop)
    inner = made["$defs"]["Offer"]
    assert inner["required"] == ["reasoning", "price", "colours", "weight"]
    assert inner["additionalProperties"] is False
    assert made["additionalProperties"] is False
    assert "default" not in json.dumps(made)


def test_a_repair_is_told_what_was_wrong_and_counted():
    model = vt.language.Scripted(["sorry", GOOD])
    reply = model.complete(ASKED, Offer)
    assert (reply.value.price, reply.repaired, reply.cached) == (3.5, True, False)
    first, second = model.read
    assert [m.role for m in second] == ["user", "assistant", "user"]
    assert "no JSON object" in second[-1].content
    assert '"colours"' in second[-1].content
    assert reply.prompt_tokens > 2 * vt.language.count_tokens(first[0].content)


def test_two_broken_answers_are_an_error_with_the_answer():
    with pytest.raises(vt.language.InvalidAnswerError, match=r"broke the schema Offer twice: first .*; then price") as caught:
        vt.language.Scripted(["sorry", json.dumps(GOOD | {"price": "x"}), GOOD]).complete(ASKED, Offer)
    assert '"x"' in caught.value.answer
    with pytest.raises(vt.language.LanguageModelError, match="used up after 1 turns"):
        vt.language.Scripted(["sorry"]).complete(ASKED, Offer)
