"""Session value as a re-ranker: the order of rank_session, the laws, limits, artifacts and config files."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.cli.main import app
from vitrina.data.features import FeatureTable
from vitrina.rerank.base import Candidates
from vitrina.testing import check_model, check_reranker

CURVE = vt.ranking.PlattCurve(slope=3.0, intercept=-2.0)
PLAIN = vt.testing.synthetic(users=40, items=30, seed=3)
RNG = np.random.default_rng(0)
TABLE = pl.DataFrame({
    "item_id": PLAIN.items.ids, "price": RNG.lognormal(0, 1, 30), "stays": RNG.uniform(0.2, 1, 30), "brand": ["a", "b", "c"] * 10,
}).with_columns(price=pl.when(pl.int_range(30) > 2).then("price"))  # fmt: skip
DATA = replace(PLAIN, item_table=FeatureTable.of(TABLE, "item_id", PLAIN.items))
PRICED = vt.ranking.SessionValue(value="price", chance=CURVE, continue_after_success="stays", continue_after_failure=0.8, slots=4)
ALL = vt.Eligibility(repeat=True)


@pytest.mark.parametrize(
    "reranker",
    [
        vt.ranking.SessionValue(chance=CURVE), vt.ranking.SessionValue(chance=CURVE, slots=3, loss_of_stopping=2.0, continue_after_success=0.3),
        vt.ranking.SessionValue(chance=CURVE, continue_after_success=1.0, continue_after_failure=1.0),
    ],
    ids=repr,
)  # fmt: skip
def test_it_keeps_the_laws(reranker):
    report = check_reranker(reranker)
    assert set(report.skipped) == {"diversity"}


def test_it_keeps_the_laws_on_prices_too():
    assert set(check_reranker(PRICED, DATA).skipped) == {"diversity"}


def test_with_a_model_it_is_a_model():
    check_model(vt.Reranked(model=vt.Cooccurrence(), reranker=vt.ranking.SessionValue(chance=CURVE), candidates=12))


def candidates_of(data=DATA, k=12):
    return vt.Cooccurrence().fit(data).recommend(data.queries(), k, eligible=ALL)


def test_the_first_places_are_the_best_choice_and_the_rest_follow_by_index():
    lists = candidates_of()
    ranked = PRICED.fit(DATA).rerank(DATA.queries(), lists, 12, eligible=ALL)
    price, stays = np.nan_to_num(TABLE["price"].to_numpy()), TABLE["stays"].to_numpy()
    checked = 0
    for row in range(len(lists)):
        own = lists.items[row][np.isfinite(lists.scores[row])]
        p = CURVE(lists.scores[row][: len(own)])
        order = vt.ranking.rank_session(p, price[own], stays[own], 0.8, k=4)
        first = [int(own[i]) for i in order.items[0] if i >= 0]
        assert ranked.items[row, : len(first)].tolist() == first
        index = dict(zip(own.tolist(), p * price[own] / (p * (1 - stays[own]) + (1 - p) * 0.2), strict=True))
        rest = [index[i] for i in ranked.items[row, len(first) : len(own)].tolist()]
        assert rest == sorted(rest, reverse=True)
        checked += len(own) > 6
    assert checked > 20


def test_chances_may_stand_in_a_column():
    lists = candidates_of()
    chances = np.where(np.isfinite(lists.scores), CURVE(lists.scores), np.nan).astype(np.float32)
    given = replace(lists, extra={**lists.extra, "buys": chances})
    by_column = PRICED.model_copy(update={"chance": None, "column": "buys"}).fit(DATA).rerank(DATA.queries(), given, 12, eligible=ALL)
    assert (by_column.items == PRICED.fit(DATA).rerank(DATA.queries(), lists, 12, eligible=ALL).items).all()


def test_without_a_column_of_prices_events_say_what_items_are_worth():
    reranker = vt.ranking.SessionValue(chance=CURVE)
    events = PLAIN.events
    usual = [events.values[events.items == i].mean() for i in range(5)]
    np.testing.assert_allclose(reranker.of_items(PLAIN)["value"][:5], usual, rtol=1e-6)


def test_limits_hold_inside_the_choice():
    """At most one of a brand in the first two places, by the limits that rules hand over."""
    lists, reranker = candidates_of(), PRICED
    whole = Candidates.of(DATA.queries(), lists, 6, ALL)
    brand = np.where(whole.lists.items >= 0, whole.lists.items % 3, 0).astype(np.int32)
    queries, width = brand.shape
    limits = whole.limits._replace(
        indptr=np.arange(queries * width + 1), groups=brand.ravel(), bounds=np.arange(0, 3 * queries + 1, 3),
        group=np.tile(np.arange(3, dtype=np.int32), queries), first=np.full(3 * queries, 2, np.int32), most=np.ones(3 * queries, np.int32),
        least=np.zeros(3 * queries, np.int32), pinned=np.full((queries, width), -1, np.int32), copy_indptr=np.zeros(queries * width + 1, np.int64),
    )  # fmt: skip
    items = reranker.of_items(DATA)
    free, held = (reranker.order(DATA.queries(), c, items)[0] for c in (whole, replace(whole, limits=limits)))
    brands = np.take_along_axis(brand, np.maximum(held[:, :2], 0), axis=1)
    may = np.array([len(set(brand[q, : whole.counts[q]])) > 1 for q in range(queries)])
    assert (brands[may, 0] != brands[may, 1]).all()
    assert (free != held).any()
    assert (held[:, 0] == free[:, 0]).all()


def test_it_has_a_name_in_a_config_file_and_comes_back_from_an_artifact(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DATA.frame().select("user_id", "item_id", "timestamp").write_csv("log.csv")
    TABLE.with_columns(pl.col("price").fill_null(0.0)).write_csv("items.csv")
    (tmp_path / "vitrina.toml").write_text("""
[data]
source = "log.csv"
items = "items.csv"

[split]
rule = "GlobalTime"
quantile = 0.8

[models.valued]
type = "Reranked"
model = {type = "Cooccurrence"}
reranker = {type = "SessionValue", value = "price", chance = {type = "PlattCurve", slope = 3.0, intercept = -2.0}, continue_after_success = "stays", slots = 4}
candidates = 12
""")
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "valued", "--out", "valued"])
    assert done.exit_code == 0, done.output
    artifact = vt.load(tmp_path / "valued")
    assert artifact.manifest["model"]["reranker"]["chance"] == {"name": "PlattCurve", "slope": 3.0, "intercept": -2.0}
    lists = artifact.recommender.recommend(vt.aligned(DATA, artifact.recommender.vocabulary).queries(), 5, eligible=ALL)
    assert (np.diff(np.nan_to_num(lists.scores, nan=-1)) <= 0).all()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"value": "weight"}, DataError, "needs the column 'weight' of numbers of the item table. Its columns of numbers: price, stays."),
        ({"value": "brand"}, DataError, "Its columns of numbers: price, stays."),
        ({"continue_after_success": 1.2}, ParameterError, "must be chances within [0, 1], for every item. Got 1.2"),
        ({"continue_after_success": "price"}, ParameterError, "must be chances within [0, 1], for every item."),
        ({"column": "buys"}, ParameterError, "from the column 'buys' of the lists, and they have source"),
    ],
)
def test_what_is_refused(change, error, said):
    with pytest.raises(error) as caught:
        PRICED.model_copy(update=change).fit(DATA).rerank(DATA.queries(), candidates_of(), 5, eligible=ALL)
    assert said in str(caught.value)


def test_scores_that_are_no_chances_and_a_log_without_values_are_refused():
    lists = candidates_of()
    high = replace(lists, scores=lists.scores * 10)
    with pytest.raises(ParameterError, match=r"needs chances within \[0, 1\], and got .* chance=vt.ranking.Platt"):
        PRICED.model_copy(update={"chance": None}).fit(DATA).rerank(DATA.queries(), high, 5, eligible=ALL)
    bare = replace(DATA, events=replace(DATA.events, values=None))
    with pytest.raises(DataError, match=r"the log has no values\. Name a column of the item table"):
        vt.ranking.SessionValue(chance=CURVE).fit(bare)


def test_scores_that_are_taken_as_chances_are_said():
    assert "taken as chances" in vt.ranking.SessionValue().fit(vt.testing.synthetic()).notes[0]
    assert vt.ranking.SessionValue(chance=vt.ranking.PlattCurve(slope=1.0, intercept=-2.0)).fit(vt.testing.synthetic()).notes == ()
