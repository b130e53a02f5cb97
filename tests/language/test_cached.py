"""Answers that are kept, by several processes at once; batches, what they cost, and going on."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.language import Cached, Message, Price, Scripted, complete_all, estimate


class Answer(vt.language.Form):
    text: str


def asked(text: str) -> list[Message]:
    return [Message("user", text)]


def echo(messages: Any, schema: Any) -> dict[str, str]:
    return {"text": messages[-1].content.upper()}


def test_each_part_of_a_question_keeps_answers_apart(tmp_path: Path) -> None:
    class Other(vt.language.Form):
        text: str

    inner = Scripted(echo)
    model = Cached(inner, tmp_path)
    assert [model.complete(asked("tea"), Answer).cached for _ in range(3)] == [False, True, True]
    different = [
        model.complete(asked("tea "), Answer), model.complete([Message("system", "tea")], Answer), model.complete(asked("tea"), Other),
        model.complete(asked("tea"), Answer, sample=1), Cached(Scripted(echo, name="other"), tmp_path).complete(asked("tea"), Answer),
    ]  # fmt: skip
    assert not any(reply.cached for reply in different)
    assert model.complete(asked("tea"), Answer).value == Answer(text="TEA")
    assert model.complete(asked("tea"), Answer).money == 0
    assert "tea" not in "".join(path.read_text().replace("TEA", "") for path in tmp_path.rglob("*.json"))


def test_settings_of_an_endpoint_keep_answers_apart(tmp_path: Path) -> None:
    def key(**changed: Any) -> str:
        endpoint = vt.language.Endpoint(**{"url": "http://a/v1", "model": "m", **changed})
        return Cached(endpoint, tmp_path).key(asked("tea"), Answer)

    assert key() == key(timeout=3.0, retries=1, key_variable="K", price=Price(prompt=1.0))
    assert len({key(), key(url="http://b/v1"), key(model="n"), key(temperature=0.5), key(extra={"top_p": 0.5})}) == 5


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1}', "[]", None])
def test_what_is_damaged_is_asked_again(tmp_path: Path, damage: str | None) -> None:
    model = Cached(Scripted(echo), tmp_path)
    model.complete(asked("tea"), Answer)
    (file,) = tmp_path.glob("??/*.json")
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"value": {"text": 3}}) if damage is None else damage)
    assert not model.knows(asked("tea"), Answer)
    assert not model.complete(asked("tea"), Answer).cached
    assert model.complete(asked("tea"), Answer).cached


def counted(folder: Path, place: int) -> None:
    def slow(messages: Any, schema: Any) -> dict[str, str]:
        (folder / f"asked-{place}-{len(list(folder.glob('asked-*')))}-{messages[-1].content}").touch()
        return echo(messages, schema)

    model = Cached(Scripted(slow), folder / "cache")
    for at in range(20):
        assert model.complete(asked(f"q{at}"), Answer).value.text == f"Q{at}"


def test_processes_share_a_folder_and_pay_once(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=counted, args=(tmp_path, place)) for place in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(tmp_path.glob("asked-*"))) == 20


def test_a_batch_in_its_order_with_equal_questions_once(tmp_path: Path) -> None:
    inner = Scripted(echo)
    model = Cached(inner, tmp_path)
    questions = [asked(text) for text in ("tea", "milk", "tea", "jam")]
    before = estimate(model, questions, Answer, answer_tokens=10, price=Price(prompt=1e6, answer=1e6))
    assert (before.calls, before.known, before.answer_tokens, before.money) == (3, 0, 30, before.prompt_tokens + 30)
    came = complete_all(model, questions, Answer, workers=3, progress=False)
    assert [value.text for value in came.values if value] == ["TEA", "MILK", "TEA", "JAM"]
    assert len(inner.read) == 3
    assert estimate(model, questions, Answer).calls == 0


def test_a_failure_stands_at_its_place_and_ten_in_a_row_stop(tmp_path: Path) -> None:
    def moody(messages: Any, schema: Any) -> Any:
        return "no" if "bad" in messages[0].content else echo(messages, schema)

    came = complete_all(Cached(Scripted(moody), tmp_path), [asked("a"), asked("bad"), asked("b"), asked("bad")], Answer, progress=False)
    assert [None if v is None else v.text for v in came.values] == ["A", None, "B", None]
    assert list(came.failed) == [1, 3]
    assert "broke the schema" in str(came)
    with pytest.raises(vt.language.LanguageModelError, match=r"10 questions .* failed in a row"):
        complete_all(Scripted(moody), [asked(f"bad {at}") for at in range(30)], Answer, workers=1, progress=False)
    with pytest.raises(ParameterError, match="'workers'"):
        complete_all(Scripted(moody), [], Answer, workers=0)


def test_a_batch_that_stopped_goes_on(tmp_path: Path) -> None:
    questions = [asked(f"q{at}") for at in range(10)]
    with pytest.raises(KeyboardInterrupt):
        complete_all(Cached(Scripted(stop_at("q6")), tmp_path), questions, Answer, workers=1, progress=False)
    inner = Scripted(echo)
    came = complete_all(Cached(inner, tmp_path), questions, Answer, workers=1, progress=False)
    assert len(inner.read) == 4
    assert sum(reply.cached for reply in came.replies if reply) == 6


def stop_at(text: str) -> Any:
    def answer(messages: Any, schema: Any) -> Any:
        if messages[-1].content == text:
            raise KeyboardInterrupt
        return echo(messages, schema)

    return answer
