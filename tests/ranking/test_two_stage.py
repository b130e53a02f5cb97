from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from own_rankers import Broken, KeptLine, Line, LostLine

import vitrina as vt
from vitrina.base.errors import ArtifactError, DataError, MissingExtraError, ParameterError
from vitrina.ranking import Examples, Ranker
from vitrina.ranking.window import windows_of
from vitrina.testing import check_model
from vitrina.types import Events

pytest.importorskip("lightgbm")
Source, Head, LambdaRank = vt.ranking.Source, vt.ranking.Head, vt.ranking.LambdaRank
UNLIKE = (Source(model=vt.Cooccurrence(), n=60), Source(model=vt.TopPersonal(), n=60), Source(model=vt.Popularity(), n=60))
SMALL = LambdaRank(trees=30, leaves=4, least_pairs=20, learning_rate=0.1)
SURE = vt.TwoStage(
    sources=UNLIKE, features=(vt.ranking.SourceScores(),), window=vt.split.GlobalTime(quantile=0.7), held_out=0.3, ranker=SMALL
)


@pytest.fixture(scope="module")
def data() -> vt.Dataset:
    """150 people, 40 items of which three have no event; enough for a ranker to be better than each source."""
    whole = vt.testing.synthetic(users=150, items=40, mean_length=10, groups=4, seed=2)
    return whole.select(~np.isin(whole.events.items, [11, 30, 35]))


@pytest.fixture(scope="module")
def fitted(data: vt.Dataset) -> vt.ranking.RankedLists:
    return SURE.fit(data)


def test_the_contract_is_kept_where_a_ranker_orders(data: vt.Dataset, fitted: vt.ranking.RankedLists) -> None:
    assert fitted.features is not None
    report = check_model(SURE, data)
    assert set(report.skipped) == {"score", "encode", "shards_only"}


def test_the_contract_is_kept_where_the_log_is_too_small_for_one() -> None:
    model = vt.TwoStage(sources=UNLIKE)
    report = check_model(model)
    assert set(report.skipped) == {"score", "encode", "shards_only"}
    notes = model.fit(vt.testing.toy()).notes
    assert any("no ranker: a head has" in note or "no window for a ranker" in note for note in notes)


def test_a_small_log_keeps_the_order_of_its_best_source() -> None:
    data = vt.testing.toy()
    sources = (Source(model=vt.Cooccurrence(), n=4), Source(model=vt.Popularity(), n=4))
    fitted = vt.TwoStage(sources=sources).fit(data)
    assert "the order is that of" in fitted.notes[-1]
    best = sources[fitted.best].model.fit(data)
    eligible = vt.Eligibility(repeat=True)
    own, ranked = (recommender.recommend(data.queries(), 4, eligible=eligible) for recommender in (best, fitted))
    np.testing.assert_array_equal(np.where(own.fallback, -1, own.items), np.where(own.fallback, -1, ranked.items))


def test_tables_say_what_each_source_finds_and_what_the_ranker_is_worth(fitted: vt.ranking.RankedLists) -> None:
    tables = fitted.tables
    assert tables["sources"]["source"].to_list() == ["Cooccurrence", "TopPersonal", "Popularity", "all together"]
    assert tables["sources"]["hits"][-1] >= tables["sources"]["hits"].max()
    assert tables["orders"]["order"].to_list() == ["Cooccurrence", "TopPersonal", "Popularity", "ranker"]
    assert tables["orders"]["nDCG@10"][-1] > tables["orders"]["nDCG@10"][:-1].max()
    assert tables["importances"]["share"].sum() == pytest.approx(1)
    assert tables["groups"]["features"].sum() == len(fitted.features.names)
    assert set(tables["calibration"].columns) == {"head", "band", "pairs", "expected", "came"}
    mean = tables["calibration"].select((pl.col("expected") * pl.col("pairs")).sum(), (pl.col("came") * pl.col("pairs")).sum())
    assert mean["expected"][0] == pytest.approx(mean["came"][0], rel=0.05)
    missing = dict(tables["missing"].select("feature", "missing").iter_rows())
    assert missing["TopPersonal: score"] > 0.5 > missing["Popularity: score"] == 0


def test_places_name_the_source_that_has_the_item_highest(data: vt.Dataset, fitted: vt.ranking.RankedLists) -> None:
    lists = fitted.recommend(data.queries(), 40)
    assert lists.sources == ("Cooccurrence", "TopPersonal", "Popularity", "fallback")
    own = [r.recommend(data.queries(), 60).items for r in fitted.sources.recommenders]
    for query in range(0, len(lists), 10):
        for item, source, score in zip(lists.items[query], lists.extra["source"][query], lists.scores[query], strict=True):
            places = [np.flatnonzero(items[query] == item) for items in own]
            if item >= 0 and lists.sources[source] != "fallback":
                assert places[source][0] <= min(place[0] for place in places if len(place))
                assert np.isfinite(score)


def test_an_explanation_adds_up(data: vt.Dataset, fitted: vt.ranking.RankedLists) -> None:
    queries = data.queries()[:4]
    table, lists = fitted.explain(queries, 5), fitted.recommend(queries, 5)
    assert table.drop("sources", "heads", "features").equals(lists.to_frame())
    pairs = fitted.sources.candidates(queries)
    values = fitted.values(pairs)
    for row in table.iter_rows(named=True):
        code = data.items.encode([row["item_id"]])[0]
        at = np.flatnonzero((pairs.rows == queries.labels.to_list().index(row["user_id"])) & (pairs.codes == code))[0]
        assert row["sources"][0]["source"] == row["source"]
        assert row["heads"][0]["expected"] == pytest.approx(row["score"], rel=1e-5)
        added = fitted.heads[0].ranker.contributions(values[[at]])[0]
        named = {f["feature"]: f["adds"] for f in row["features"]}
        assert 1 <= len(named) <= 5
        assert min(map(abs, named.values())) >= np.sort(np.abs(added))[-len(named)] - 1e-12
        for name, adds in named.items():
            assert adds == pytest.approx(added[fitted.features.names.index(name)])
        score = fitted.heads[0].ranker.score(values[[at]])[0]
        assert added.sum() + fitted.heads[0].ranker.trees.base == pytest.approx(score, abs=1e-5)


def test_what_is_saved_answers_explains_and_knows_the_same(data: vt.Dataset, fitted: vt.ranking.RankedLists, tmp_path: Path) -> None:
    again = vt.load(vt.save(fitted, tmp_path / "two", data=data)).recommender
    queries = data.queries()[:5]
    assert again.explain(queries, 5).equals(fitted.explain(queries, 5))
    assert list(again.tables) == list(fitted.tables)
    assert all(again.tables[name].equals(table) for name, table in fitted.tables.items())
    assert again.notes == fitted.notes
    vt.save(again, tmp_path / "again")
    assert vt.load(tmp_path / "again").manifest["model"] == vt.load(tmp_path / "two").manifest["model"]


def _items(asked: tuple[vt.ranking.RankedLists, vt.Queries]) -> np.ndarray:
    return asked[0].recommend(asked[1], 5).items


def test_threads_and_processes_made_by_fork_answer_the_same(data: vt.Dataset, fitted: vt.ranking.RankedLists) -> None:
    asked, expected = (fitted, data.queries()), fitted.recommend(data.queries(), 5).items
    with ThreadPoolExecutor(4) as pool, get_context("fork").Pool(2) as processes:
        for items in [*pool.map(_items, [asked] * 8), *processes.map(_items, [asked] * 2)]:
            np.testing.assert_array_equal(items, expected)


def test_a_ranker_of_ones_own_orders_and_is_kept(data: vt.Dataset, tmp_path: Path) -> None:
    fitted = SURE.model_copy(update={"ranker": Line()}).fit(data)
    assert fitted.features is not None
    vt.save(fitted, tmp_path / "line")
    with pytest.raises(ArtifactError, match=r"own_rankers:.*trust=True"):
        vt.load(tmp_path / "line")
    again = vt.load(tmp_path / "line", trust=True).recommender
    np.testing.assert_array_equal(again.recommend(data.queries(), 5).items, fitted.recommend(data.queries(), 5).items)
    assert fitted.explain(data.queries()[:1], 2)["features"].to_list() == [[], []]
    assert "importances" not in fitted.tables


def test_a_ranker_without_a_state_is_refused_when_it_is_saved(data: vt.Dataset, tmp_path: Path) -> None:
    fitted = SURE.model_copy(update={"ranker": LostLine()}).fit(data)
    assert len(fitted.recommend(data.queries(), 5)) == 150
    with pytest.raises(ArtifactError, match=r"ForgottenLine can't be saved.*state\(self\).*of_state\(cls, state\)"):
        vt.save(fitted, tmp_path / "lost")
    assert not (tmp_path / "lost").exists()


def test_a_ranker_that_gives_no_numbers_is_refused(data: vt.Dataset) -> None:
    with pytest.raises(ParameterError, match=r"'score' of Nothing must be a finite number per pair.*NaN"):
        SURE.model_copy(update={"ranker": Broken()}).fit(data)


def test_a_package_that_is_missing_is_told_before_a_source_is_fitted(data: vt.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    monkeypatch.setattr(vt.ranking.Sources, "fit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vitrina\[rank\]'"):
        vt.TwoStage(sources=UNLIKE).fit(data)


def test_one_source_and_two_of_a_kind_are_said() -> None:
    data = vt.testing.toy()
    one = vt.TwoStage(sources=(Source(model=vt.Popularity()),)).fit(data)
    assert "one source, Popularity: a second one of another kind" in one.notes[0]
    alike = (Source(model=vt.Popularity(), name="all"), Source(model=vt.Popularity(days=1), name="new"))
    assert "all 2 sources are of the kind Popularity" in vt.TwoStage(sources=alike).fit(data).notes[0]


def test_a_start_two_heads_of_one_name_and_no_sources_are_refused(data: vt.Dataset, fitted: vt.ranking.RankedLists) -> None:
    with pytest.raises(ParameterError, match="TwoStage can't go on from a 'start'"):
        SURE.fit(data, start=fitted)
    with pytest.raises(ParameterError, match="two are called 'taken'"):
        vt.TwoStage(sources=UNLIKE, heads=(Head(), Head()))
    with pytest.raises(ParameterError, match="two are called 'Popularity'") as caught:
        vt.TwoStage(sources=(Source(model=vt.Popularity()), Source(model=vt.Popularity(days=1))))
    assert caught.value.parameter == "sources"
    with pytest.raises(ParameterError, match="'sources' parameter of TwoStage must be a list of 1 or more"):
        vt.TwoStage(sources=())


def test_several_windows_teach_more_and_too_many_are_said(data: vt.Dataset) -> None:
    one, two = (SURE.model_copy(update={"windows": windows}).fit(data) for windows in (1, 2))
    assert two.tables["sources"]["queries"][0] > one.tables["sources"]["queries"][0]
    many = vt.TwoStage(sources=UNLIKE, window=vt.split.GlobalTime(quantile=0.1), windows=3).fit(vt.testing.toy())
    assert any("windows for a ranker to learn from" in note for note in many.notes)


class Watched(Ranker):
    """Keeps what it is taught with: every call of a fit, in order."""

    def fit(self, examples: Examples) -> KeptLine:
        TAUGHT.append(examples)
        return Line().fit(examples)


TAUGHT: list[Examples] = []


def test_the_latest_window_judges_what_was_learned_before_it_and_then_teaches(data: vt.Dataset) -> None:
    TAUGHT.clear()
    fitted = SURE.model_copy(update={"ranker": Watched(), "windows": 2}).fit(data)
    judged, both = TAUGHT
    assert "on people of a later window" in fitted.notes[-1]
    splits, _ = windows_of(data, None, SURE.window, 2)
    asked = [len(split.queries) for split in splits]
    assert 0 < (~judged.held_out).sum() <= asked[1] < (~both.held_out).sum()
    assert 0 < judged.held_out.sum() == both.held_out.sum() < asked[0] / 2
    order = dict(fitted.tables["orders"].select("order", "nDCG@10").iter_rows())
    early = Line().fit(judged)
    kept = judged.take(judged.held_out)
    questions = sum(alone(kept, early.score(kept.features))) / order["ranker"]  # of which nothing was found in some
    assert questions == pytest.approx(round(questions), abs=1e-3)
    assert len(kept) <= round(questions)
    assert (fitted.heads[0].ranker.slopes == Line().fit(both).slopes).all()
    assert (fitted.heads[0].ranker.slopes != early.slopes).any()


def alone(examples: Examples, scores: np.ndarray) -> list[float]:
    """nDCG@10, query by query."""
    ends, values = np.cumsum(examples.lengths), []
    for start, stop in zip(ends - examples.lengths, ends, strict=True):
        gains = examples.gains[start:stop]
        discount = 1 / np.log2(np.arange(2, 12))[: len(gains)]
        ordered = gains[np.argsort(-scores[start:stop], kind="stable")][:10]
        values.append((ordered * discount).sum() / (np.sort(gains)[::-1][:10] * discount).sum())
    return values


def test_a_strict_split_teaches_in_its_validation_part(data: vt.Dataset) -> None:
    split = data.split(vt.split.GlobalTime(quantile=0.8, strict=True))
    fitted = vt.TwoStage(sources=UNLIKE).fit(split.train, validation=split.validation)
    before = split.train.holdout()
    assert fitted.tables["sources"]["queries"][0] == len(split.validation.queries) + len(before.queries)


def kinds_log() -> vt.Dataset:
    """300 people who view what is cheap and popular, and buy what is dear and rare; the value is the price."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(30) % 3 == 0, 1, 3)
    users, items = np.repeat(np.arange(300), 12), rng.choice(30, 3600, p=share / share.sum()).astype(np.int32)
    dear = items % 3 == 0
    kinds = (dear & (rng.random(3600) < 0.8)).astype(np.uint8)
    times = np.sort(rng.integers(0, 10**6, 3600).reshape(300, 12), axis=1).ravel().astype(np.int64)
    events = Events(items, times, np.where(kinds, 10.0, 1.0).astype(np.float32), kinds)
    names = vt.Vocabulary.of([f"u{u}" for u in range(300)]), vt.Vocabulary.of([f"i{i:02}" for i in range(30)])
    return vt.Dataset.of_codes(users, events, *names, time_unit="step", kind_names=("view", "buy"))


def test_heads_are_mixed_when_somebody_asks() -> None:
    data = kinds_log()
    heads = (Head(name="viewed", kinds=("view",)), Head(name="bought", kinds=("buy",), weight=0), Head(name="money", values=True, weight=0))
    fitted = vt.TwoStage(sources=UNLIKE, heads=heads, ranker=SMALL, window=vt.split.GlobalTime(quantile=0.6), held_out=0.3).fit(data)
    assert fitted.features is not None, fitted.notes
    assert fitted.tables["calibration"]["head"].unique(maintain_order=True).to_list() == ["viewed", "bought", "money"]

    def dear(**weights: float) -> float:
        asked = data.queries()
        context = pl.DataFrame({"n": range(len(asked))} | {f"weight_{name}": [weight] * len(asked) for name, weight in weights.items()})
        lists = fitted.recommend(replace(asked, context=context), 5, eligible=vt.Eligibility(repeat=True))
        return float((lists.items % 3 == 0).mean())

    assert dear() < 0.5 < dear(viewed=0, bought=1)
    assert dear(viewed=0, money=1) > 0.9
    assert dear(viewed=0, bought=-1) < 0.1
    explained = fitted.explain(data.queries()[:1], 1)["heads"][0].to_list()
    assert [(head["head"], head["weight"]) for head in explained] == [("viewed", 1), ("bought", 0), ("money", 0)]


def test_a_head_that_reads_what_the_log_does_not_have_is_refused(data: vt.Dataset) -> None:
    plain = replace(data, events=Events(data.events.items, data.events.times))
    with pytest.raises(ParameterError, match="head 'money' counts the values of events, and the log has none"):
        vt.TwoStage(sources=UNLIKE, heads=(Head(name="money", values=True),)).fit(plain)
    with pytest.raises(ParameterError, match=r"'kinds' of the head 'bought' must be kinds of event of the log: it has none. Got 'buy'"):
        vt.TwoStage(sources=UNLIKE, heads=(Head(name="bought", kinds=("buy",)),)).fit(plain)
    hidden = vt.split.RandomShare()
    with pytest.raises(ParameterError, match="head 'money' reads kinds or values of what was taken"):
        vt.TwoStage(sources=UNLIKE, heads=(Head(name="money", values=True),), window=hidden).fit(data)


def test_a_log_of_dislikes_is_refused(data: vt.Dataset) -> None:
    events = replace(data.events, weights=np.full(data.n_events, -1, np.float32))
    with pytest.raises(DataError, match="learns from events of weights above 0"):
        SURE.fit(replace(data, events=events))
