"""HSTU against plain loops over one window, and what it makes of times."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.sequence import HSTU, Ids, Training
from vitrina.sequence.layout import Layout

DIM, HEADS, LENGTH = 6, 2, 9
DATA = vt.testing.synthetic(users=60, items=30, seed=2)


def made(block):
    torch.manual_seed(3)
    module = block.build(DIM, HEADS, 0.0, LENGTH).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return module


def silu(value):
    return value / (1 + math.exp(-value))


def normed(vector):
    return (vector - vector.mean()) / np.sqrt(vector.var() + 1e-6)


def by_loops(module, x, times, asked, causal):
    """The equations of the paper, a number at a time; times in microseconds, or None."""
    weights = {name: value.detach().numpy() for name, value in module.named_parameters()}
    tokens, size = len(x), DIM // HEADS
    mapped = [np.array([silu(number) for number in weights["into.weight"] @ normed(row)]) for row in x]
    u, q, v, k = ([row[part * DIM : (part + 1) * DIM] for row in mapped] for part in range(4))
    out = []
    for i in range(tokens):
        mixed = np.zeros(DIM)
        for j in range(i + 1 if causal else tokens):
            bias = weights["places"][LENGTH + i - j]
            if times is not None and "times" in weights:
                bias += weights["times"][int(math.log(max(1.0, abs(asked[i] - times[j]) / 1e6)) / 0.301)]
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                mixed[part] += silu(q[i][part] @ k[j][part] + bias) / LENGTH * v[j][part]
        out.append(x[i] + weights["out.weight"] @ (u[i] * normed(mixed)) + weights["out.bias"])
    return np.array(out)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", [HSTU(), HSTU(times=False)], ids=repr)
@pytest.mark.parametrize("timed", [True, False])
def test_the_block_is_the_equations(block, causal, timed):
    module, rng = made(block), np.random.default_rng(4)
    for tokens in (1, 4, LENGTH + 1):
        x = rng.normal(size=(tokens, DIM))
        gaps = rng.choice([0, 7, 4_000, 90_000, 40_000_000], tokens + 1) * 1_000_000 + rng.integers(0, 900_000, tokens + 1)
        moments = 1_500_000_000_000_000 + np.cumsum(gaps)
        times, asked = (moments[:-1], moments[1:]) if timed else (None, None)
        clock = () if times is None or asked is None else (torch.tensor(times), torch.tensor(asked))
        layout = Layout(torch.tensor([tokens]), *clock)
        wanted = by_loops(module, x, times, asked, causal)
        np.testing.assert_allclose(module(torch.tensor(x), layout, causal).detach(), wanted, atol=1e-9)
        np.testing.assert_allclose(module.last(torch.tensor(x), layout).detach()[0], wanted[-1], atol=1e-9)


def by_delay(people=200, length=8):
    """Who comes back within the hour takes bread, and after days soap: only the moment of asking tells which."""
    rng = np.random.default_rng(0)
    late = rng.random((people, length)) < 0.5
    times = 1_600_000_000_000_000 + np.cumsum(np.where(late, 5 * 86_400, 600) * 1_000_000, 1)
    events = vt.types.Events(late.ravel().astype(np.int32), times.ravel())
    users = vt.Vocabulary.of([f"u{n}" for n in range(people)])
    return vt.Dataset.of_codes(np.repeat(np.arange(people), length), events, users, vt.Vocabulary.of(["bread", "soap"]), time_unit="us")


def test_the_moment_of_asking_is_learned_from():
    split = by_delay().split(vt.split.LeaveOneOut())
    training, shares = Training(epochs=25, tokens=256, patience=None, average=0.0), []
    for reads_now in (True, False):
        model = vt.SequenceModel(block=HSTU(), reads_now=reads_now, dim=16, dropout=0.0, length=8, embed=Ids(), training=training)
        firsts = model.fit(split.train).recommend(split.queries, 1, eligible=vt.Eligibility(repeat=True)).items[:, 0]
        shares.append((firsts == split.truth.values).mean())
    assert shares[0] > 0.95
    assert shares[1] < 0.65


def test_a_visitor_without_times_is_answered_by_places_alone():
    fitted = vt.SequenceModel(block=HSTU(), dim=8, training=Training(epochs=1, patience=None)).fit(DATA)
    known = DATA.queries()
    timeless = replace(known, now=None, events=vt.types.Events(known.events.items))
    blind = replace(fitted, body=fitted.answering.body())
    blind.body.eval().load_state_dict(fitted.body.state_dict())
    with torch.no_grad():
        for block in blind.body.blocks:
            block.times.zero_()
    np.testing.assert_array_equal(fitted.encode(timeless), blind.encode(known))


def test_a_log_without_real_time_is_refused_unless_times_are_left_out():
    steps = replace(DATA, time_unit="step")
    with pytest.raises(DataError, match=r"HSTU\(\) needs events with real time, .* Use LiGR\(\)."):
        vt.SequenceModel(block=HSTU()).fit(steps)
    assert vt.SequenceModel(block=HSTU(times=False), dim=8, training=Training(epochs=1)).fit(steps).notes


def test_it_is_saved_and_gone_on_from(tmp_path):
    model = vt.SequenceModel(block=HSTU(), dim=8, layers=2, training=Training(epochs=1, patience=None))
    fitted = model.fit(DATA)
    loaded = vt.load(vt.save(fitted, tmp_path / "artifact", model=model, data=DATA)).recommender
    np.testing.assert_array_equal(loaded.encode(DATA.queries()), fitted.encode(DATA.queries()))
    assert model.fit(DATA, start=loaded).answering == fitted.answering
