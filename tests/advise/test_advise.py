"""What is said before a fit: sizes against a count by hand, wishes, needs, and estimates that grow with the log."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.advise import run
from vitrina.advise.machine import Machine, measured
from vitrina.advise.run import public_models
from vitrina.advise.size import size_of
from vitrina.base.errors import DataError, MissingExtraError, ParameterError
from vitrina.data.sharded import held
from vitrina.models.cost import Cost, Size

HERE = Machine(products=1e11, jumps=2e8, threads=2, cores=2, free=8 << 30, torch=True)
LARGE = Size(2_000_000, 1_000_000, 50_000_000, 45_000_000, 6e9, 7e9)


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measured", lambda: HERE)


def fits(advice) -> dict[str, str]:
    return {e.name: e.fits for e in advice.estimates}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_size_is_what_a_table_says(shards: int, weighted: bool) -> None:
    data = vt.testing.synthetic(users=50, items=30)
    if weighted:
        weights = np.where(np.arange(data.n_events) % 3, 1, -1).astype(np.float32)
        data = replace(data, events=replace(data.events, weights=weights))
    table = (data.counted() if weighted else data).frame()
    by_user = table.group_by("user_id").agg(n=pl.len(), distinct=pl.col("item_id").n_unique())
    size = size_of(held(data, shards) if shards > 1 else data)
    assert size.users == by_user.height
    assert size.items == table["item_id"].n_unique()
    assert size.events == table.height
    assert size.entries == by_user["distinct"].sum()
    assert size.pairs == (by_user["distinct"] ** 2).sum()
    assert size.events_pairs == (by_user["n"] ** 2).sum()


def test_every_public_model_has_a_row_once() -> None:
    names = [name for name, _ in public_models()]
    assert len(set(names)) == len(names)
    assert {"EASE", "Cooccurrence", "eSASRec", "TifuKNN"} <= set(names)
    assert "SequenceModel" not in names  # which eSASRec is
    assert fits(vt.advise(vt.testing.synthetic())) == dict.fromkeys(names, "yes")


def test_estimates_are_finite_and_grow() -> None:
    small = Size(2000, 1000, 50_000, 45_000, 6e6, 7e6)
    for name, model in public_models():
        less, more = model.cost(small), model.cost(LARGE)
        assert less is not None, name
        assert 0 <= less.kept <= less.memory < more.memory < np.inf, name
        assert HERE.seconds(less) < HERE.seconds(more) < np.inf, name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, model in public_models() if "torch" not in model.needs])
def test_what_a_model_needs_is_what_its_fit_refuses_to_lack(name: str) -> None:
    model, whole = dict(public_models())[name], vt.testing.synthetic(users=30, items=12)
    for need, log in {
        "items": replace(whole, item_table=None),
        "times": replace(whole, events=replace(whole.events, times=None), time_unit=None),
    }.items():
        if need in model.needs:
            with pytest.raises(DataError):
                model.fit(log)
        else:
            model.fit(log)


def test_a_need_that_the_log_lacks_is_said() -> None:
    data = vt.testing.synthetic(text=False)
    row = next(e for e in vt.advise(data).estimates if e.name == "ContentSimilarity")
    assert (row.fits, row.why) == ("no", "needs a table of items: read the log with items=...")


def test_without_pytorch_networks_are_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measured", lambda: replace(HERE, torch=False))
    missing = MissingExtraError.of("PyTorch", "torch", "A network")

    def class_at(path: str):
        if ".sequence." in path:
            raise missing
        return run_class_at(path)

    run_class_at = run.class_at
    monkeypatch.setattr(run, "class_at", class_at)
    rows = {e.name: e for e in vt.advise(vt.testing.synthetic()).estimates}
    assert rows["eSASRec"].fits == "no"
    assert "pip install 'vitrina[torch]'" in rows["eSASRec"].why
    assert rows["eSASRec"].seconds is None
    assert rows["EASE"].fits == "yes"


def advice_on(size: Size, monkeypatch: pytest.MonkeyPatch, **wishes):
    monkeypatch.setattr(run, "size_of", lambda data: size)
    return vt.advise(vt.testing.synthetic(), **wishes)


def test_of_a_large_catalogue_ease_gets_the_items_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    advice = advice_on(LARGE, monkeypatch)
    row = next(e for e in advice.estimates if e.name == "EASE")
    assert row.fits == "in part"
    assert row.memory <= advice.memory
    assert vt.EASE(max_items=row.model.max_items + 1000).cost(LARGE).memory > advice.memory
    assert "all 1,000,000 would take 4.0 TB of memory" in row.why
    order = [e.fits for e in advice.estimates]
    assert order == sorted(order, key=["yes", "in part", "no", "unknown"].index)


def test_wishes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    loose, tight = advice_on(LARGE, monkeypatch), advice_on(LARGE, monkeypatch, memory="1GB", minutes=0.5)
    assert tight.memory == 1e9
    for e in tight.estimates:
        if e.fits in ("yes", "in part"):
            assert e.memory <= 1e9
            assert e.seconds <= 30
    count = {a: sum(e.fits == "yes" for e in advice.estimates) for a, advice in (("loose", loose), ("tight", tight))}
    assert count["tight"] < count["loose"]
    said = next(e.why for e in tight.estimates if e.name == "Cooccurrence")
    assert said.startswith("would take ")


def test_a_model_of_ones_own_without_an_estimate_is_unknown() -> None:
    stages = vt.TwoStage(sources=(vt.ranking.Source(model=vt.Cooccurrence(), n=10),))
    advice = vt.advise(vt.testing.synthetic(), models=[stages, vt.EASE()])
    assert fits(advice) == {"EASE": "yes", "TwoStage": "unknown"}


def test_it_prints_and_is_plain() -> None:
    advice = vt.advise(vt.testing.synthetic(), minutes=5)
    printed = str(advice)
    assert "Cooccurrence()" in printed
    assert "and 5 minutes" in printed
    assert "factor of two or three" in printed
    json.dumps(advice.to_dict(), allow_nan=False)
    assert "<" in advice._repr_html_()


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"memory": "8"}, "such as 8GB"), ({"memory": "lots"}, "such as 8GB"), ({"memory": 0}, "above 0"), ({"memory": "8 XB"}, "such as 8GB"),
        ({"minutes": 0}, "above 0"), ({"minutes": float("nan")}, "above 0"),
    ],
)  # fmt: skip
def test_a_wish_that_is_none_is_refused(wishes, said) -> None:
    with pytest.raises(ParameterError, match=said):
        vt.advise(vt.testing.toy(), **wishes)


def test_no_log_and_no_events_are_refused() -> None:
    with pytest.raises(ParameterError, match="advise looks at a Dataset"):
        vt.advise("log.csv")
    toy = vt.testing.toy()
    with pytest.raises(DataError, match="no events that count"):
        vt.advise(toy.select(np.zeros(toy.n_events, bool)))


def test_rates_are_measured() -> None:
    here = measured()
    assert here.products > 1e7
    assert here.jumps > 1e5
    assert here.seconds(Cost(0, 0, flops=here.products, steps=here.jumps * here.threads)) == pytest.approx(2)
    gpu = replace(here, gpu="a card", gpu_products=10 * here.products)
    assert gpu.seconds(Cost(0, 0, flops=here.products), network=True) == pytest.approx(0.1)
    assert gpu.seconds(Cost(0, 0, flops=here.products)) == pytest.approx(1)
