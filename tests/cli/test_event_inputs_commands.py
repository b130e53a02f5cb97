"""A sequence model that reads kinds and values of events, from a config file to lists; what a history lacks is said."""

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt

pytest.importorskip("torch")

CONFIG = """
[data]
source = "log.csv"
[split]
rule = "LeaveOneOut"
[models.seq]
type = "SequenceModel"
dim = 8
length = 6
events = {type = "EventInputs", knots = 4}
training = {type = "Training", epochs = 1, tokens = 400}
"""


def test_what_a_log_without_kinds_lacks_is_said(vitrina, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = vt.testing.synthetic(users=40, items=20)
    kinds = np.random.default_rng(0).integers(0, 2, log.n_events).astype(np.uint8)
    frame = replace(log, events=replace(log.events, kinds=kinds), kind_names=("look", "take")).frame()
    frame.write_csv("log.csv")
    frame.drop("kind", "value").write_csv("plain.csv")
    (tmp_path / "shop.toml").write_text(CONFIG, encoding="utf-8")
    fitted = vitrina("fit", "shop.toml", "--model", "seq", "--out", "model")
    assert fitted.exit_code == 0, fitted.output
    assert "reads the kind of an event (look, take) and its value (4 knots from 1 to 5)" in " ".join(fitted.output.split())
    for words, said in (
        (("--history", "i3,i4"), "2 events that it was given there are 2 without a kind that it knows (look, take) and 2 without a value"),
        (("--data", "plain.csv", "--users", "u3"), "6 without a kind"), (("--users", "u3"), ""),
        (("--data", "plain.csv", "--out", "lists.parquet"), "without a value"),
    ):  # fmt: skip
        answer = vitrina("recommend", "model", *words, "--k", "3")
        told = " ".join(answer.output.split())
        assert answer.exit_code == 0, told
        assert said in told
        assert ("read as unknown" in told) == bool(said), told
