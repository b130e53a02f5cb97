"""`vitrina serve --check`, what it refuses, and `vitrina key`."""

from __future__ import annotations

import json
import re

import pytest

import vitrina as vt
from vitrina.service.settings import hash_of


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, config = vt.testing.toy(), vt.Popularity()
    data.frame().write_csv(tmp_path / "log.csv")
    source = {"read": {"source": str(tmp_path / "log.csv"), "user": "user_id", "item": "item_id"}, "filters": {}}
    vt.save(config.fit(data), tmp_path / "model", model=config, data=data, source=source)
    return tmp_path / "model"


def said(done, code=0):
    assert done.exit_code == code, done.output
    return " ".join((done.stdout + done.stderr).split())


def test_a_check_says_what_would_be_served_and_starts_nothing(vitrina, model):
    text = said(vitrina("serve", "model", "--check"))
    assert "Scenario 'default': Artifact(Popularity" in text
    assert "It would listen on 127.0.0.1:8000 with no keys: this machine alone" in text
    assert not model.with_name("model.service").exists()


def test_a_file_is_checked_whole(vitrina, model, tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text(
        '[service]\nhost = "0.0.0.0"\nport = 9000\n[keys.web]\nscopes = ["recommend"]\n[scenarios.home]\nartifact = "model"\n'
        '[experiments.order]\nscenario = "home"\narms = {now = 0.5, varied = 0.5}\n[experiments.order.serves.varied]\ncandidates = 30\n'
    )
    assert "VITRINA_KEY_WEB" in said(vitrina("serve", "shop.toml", "--check"), 2)
    file.write_text(file.read_text().replace("[keys.web]\n", f'[keys.web]\nhash = "{hash_of("k" * 20)}"\n'))
    text = said(vitrina("serve", "shop.toml", "--check"))
    assert "1 keys (web)" in text
    assert "Experiment 'order' in 'home': now, varied" in text
    assert "0.0.0.0:9000" in text
    assert "shop.service" in text
    file.write_text(file.read_text().replace("port", "prot"))
    assert f"{file.name}, line 3: There is no key in [service] 'prot'. Did you mean 'port'" in said(
        vitrina("serve", "shop.toml", "--check"), 2
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), "There is no folder nothing"),
        (("nothing.toml",), "There is no file nothing.toml. A whole file: [service] port = 8000"),
        (("model", "--host", "0.0.0.0"), "needs a key"),
        (("model", "--store", "mysql://x"), "--store: The store is 'sqlite', or the address of a database"),
    ],
)
def test_what_can_not_be_served_is_a_sentence(vitrina, model, words, told):
    assert told in said(vitrina("serve", *words, "--check"), 2)


def test_two_logs_are_not_one_history(vitrina, model, tmp_path):
    data, config = vt.testing.toy(), vt.Popularity()
    data.frame().write_csv(tmp_path / "other.csv")
    vt.save(config.fit(data), tmp_path / "second", model=config, data=data, source={"read": {"source": str(tmp_path / "other.csv")}})
    file = tmp_path / "shop.toml"
    file.write_text('[scenarios.home]\nartifact = "model"\n[scenarios.cart]\nartifact = "second"\n')
    assert "were fitted on different logs" in said(vitrina("serve", "shop.toml", "--check"), 2)
    said(vitrina("serve", "shop.toml", "--check", "--histories", "store"))
    file.write_text(file.read_text() + 'tenant = "other"\n')
    said(vitrina("serve", "shop.toml", "--check"))


def test_a_model_without_a_log_is_served_from_the_store(vitrina, model, tmp_path):
    data, config = vt.testing.toy(), vt.Popularity()
    vt.save(config.fit(data), tmp_path / "plain", model=config, data=data)
    assert "doesn't say which log" in said(vitrina("serve", "plain", "--check"), 2)
    said(vitrina("serve", "plain", "--check", "--histories", "store"))


def test_a_missing_extra_is_said_first(vitrina, model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "apsw", None)
    assert "vitrina serve needs apsw. Install it with: pip install 'vitrina[serve]'" in said(vitrina("serve", "model", "--check"), 2)


def test_a_key_is_shown_once_and_its_table_is_read(vitrina, model, tmp_path):
    made = vitrina("key", "web-shop", "--scopes", "recommend, events", "--tenant", "default")
    key = made.stdout.strip()
    assert re.fullmatch(r"vt_[\w-]{43}", key)
    table = "[keys" + made.stderr.partition("[keys")[2].partition("\n\n")[0]
    (tmp_path / "shop.toml").write_text(f'{table}\n[scenarios.home]\nartifact = "model"\n')
    assert "1 keys (web-shop)" in said(vitrina("serve", "shop.toml", "--check"))
    assert hash_of(key) in table
    assert "VITRINA_KEY_WEB_SHOP=KEY" in made.stderr
    plain = json.loads(vitrina("key", "web", "--json").stdout)
    assert plain["hash"] == hash_of(plain["key"])


@pytest.mark.parametrize("words", [("a b",), ("web", "--scopes", "all"), ("web", "--tenant", "../x")])
def test_a_key_that_can_not_be_is_refused(vitrina, words):
    assert "Error: " in said(vitrina("key", *words), 2)
