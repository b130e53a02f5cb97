"""A judge that obeys a rule only if it is stated, and a reflector that adds one rule per look: the search finds all rules, within its budget, and goes on after a kill."""

import re

import numpy as np
import polars as pl
import pytest
from scripted_judges import Scripted

from vitrina.base.errors import ParameterError
from vitrina.judge import Judge, Scale, tune_judge
from vitrina.language.protocol import Reply

pytest.importorskip("gepa")
SCALE = Scale(grades=("no", "partly", "mostly", "yes"))
RULES = {"broken": 0, "used": 1, "refurbished": 2, "foreign": 1, "sealed": 3}


def labelled(seed=0, rows=120):
    """People's label is that of the rule of a word in the item; a judge that doesn't know the rule says something else."""
    rng = np.random.default_rng(seed)
    words = rng.choice(list(RULES), rows)
    return pl.DataFrame({
        "query": [f"q{n}" for n in range(rows)], "item": [f"i{n}" for n in range(rows)], "text": [f"lamp {w} {n}" for n, w in enumerate(words)],
        "label": [RULES[w] for w in words], "reason": [f"An item that is {w} is a {RULES[w]}." for w in words],
    })  # fmt: skip


def obeys(parts, messages):
    word, number = parts["item"].split()[1:]
    known = re.search(rf"{word} is a (\d)", messages[0].content)
    return {"label": int(known.group(1)) if known else int(number) % 4}


class Reflector:
    """Adds the rule of the first case that went wrong."""

    name = "reflector"

    def __init__(self):
        self.calls = 0

    def complete(self, messages, schema):
        self.calls += 1
        old, cases = messages[1].content.split("# Cases\n")
        old = old.removeprefix("# Instructions\n").strip()
        rule = re.search(r"Feedback: Wrong.*?(An item that is \w+ is a \d\.)", cases)
        return Reply(schema(reasoning="a rule is missing", instructions=f"{old} {rule.group(1) if rule else ''}".strip()), 100, 30, 0.0)


def judge_of(model=None):
    return Judge(criteria="Judge the item.", scale=SCALE, model=model or Scripted(obeys))


def test_the_search_finds_every_rule_within_its_budget(tmp_path):
    judge, reflector = judge_of(), Reflector()
    found = tune_judge(judge, labelled(), reflector, parts=(50, 35, 35), budget=600, folder=tmp_path)
    assert found.kappa_before.value < 0.3
    assert found.kappa_after.value == 1
    assert found.tuned.accepted
    assert found.tuned.difference.low > 0
    assert judge.model.calls + reflector.calls == found.tuned.calls <= 600
    assert reflector.calls == found.tuned.reflections
    assert all(word in found.judge.criteria for word in RULES)
    assert found.tuned.candidates["validation"].max() == 1
    again, silent = judge_of(), Reflector()
    repeated = tune_judge(again, labelled(), silent, parts=(50, 35, 35), budget=600, folder=tmp_path)
    assert (again.model.calls, silent.calls) == (0, 0)
    assert repeated.judge.criteria == found.judge.criteria
    assert repeated.tuned.calls == found.tuned.calls


def test_a_killed_search_goes_on_to_the_same_end(tmp_path):
    whole = tune_judge(judge_of(), labelled(1), Reflector(), parts=(50, 35, 35), budget=400)

    class Dies(Scripted):
        def complete(self, messages, schema):
            if self.calls == 100:
                raise KeyboardInterrupt
            return super().complete(messages, schema)

    with pytest.raises(KeyboardInterrupt):
        tune_judge(judge_of(Dies(obeys)), labelled(1), Reflector(), parts=(50, 35, 35), budget=400, folder=tmp_path)
    rest = judge_of()
    finished = tune_judge(rest, labelled(1), Reflector(), parts=(50, 35, 35), budget=400, folder=tmp_path)
    assert finished.judge.criteria == whole.judge.criteria
    assert finished.tuned.calls == whole.tuned.calls
    assert rest.model.calls + finished.tuned.reflections <= whole.tuned.calls - 90


@pytest.mark.parametrize("budget", [120, 150, 200])
def test_the_budget_is_never_passed(budget):
    judge, reflector = judge_of(), Reflector()
    found = tune_judge(judge, labelled(2), reflector, parts=(50, 35, 35), budget=budget)
    assert judge.model.calls + reflector.calls == found.tuned.calls <= budget


def test_words_that_only_seem_better_are_not_taken():
    """Labels are drawn: whatever the validation part likes is chance, and the test part sees it."""
    rng = np.random.default_rng(0)
    noise = labelled(3).with_columns(label=pl.Series(rng.integers(0, 4, 120)), reason=pl.lit("An item that is used is a 2."))
    found = tune_judge(judge_of(), noise, Reflector(), budget=400)
    assert not found.tuned.accepted
    assert found.judge.criteria == "Judge the item."
    assert "the old prompt stays" in str(found)


def test_rows_of_a_query_stay_together_and_one_model_for_both_is_told():
    rows = labelled(4).with_columns(query=pl.Series([f"q{n // 6}" for n in range(120)]))
    model = Scripted(obeys, "reflector")
    found = tune_judge(judge_of(model), rows, Reflector(), budget=300)
    assert 1 < found.tuned.difference.clusters <= 8
    assert "Who judges is who wrote" in found.tuned.notes[0]
    with pytest.raises(ParameterError, match="A 'budget' of 30 calls ends before"):
        tune_judge(judge_of(), rows, Reflector(), budget=30)
