"""Two stages: which source finds what people take, what the ranker goes by, whether its promises are kept, and which features to distrust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from vitrina.board.sections.view import View, has, known, rows
from vitrina.report.charts import Bar, bars
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, Panel, el, figure, join, panels, section, table
from vitrina.report.scales import Linear
from vitrina.report.words import count, fixed, listed, percent, plural
from vitrina.told import WITHIN

UNION = "all together"  # the row of the table of sources that is all of them together
IDLE = 0.005  # of what people took: a source that alone finds less earns no place
FEATURES = 12  # drawn
LITTLE, MUCH = 0.1, 0.25  # of the population stability index
DISTANT = 0.25  # of what is promised, from which promises are not kept
DOUBTED = 8  # features with the most missing or the most drift
WIDTH = 300  # of a small plot
Row = dict[str, Any]
Tables = Mapping[str, pl.DataFrame]


def stages(view: View) -> Html | None:
    """None where no model names sources or tells anything about itself."""
    parts = [part for at, model in enumerate(view.models) for part in _of_model(view, model, at)]
    return section("stages", "Two stages", view.of_latest, *parts) if parts else None


def _of_model(view: View, model: str, at: int) -> Iterator[Html]:
    """The parts of one row of the board; of each of its members that tells something."""
    own = view.board.tables.get(model, {})
    prefixes = list(dict.fromkeys(name.rpartition(WITHIN)[0] for name in own))
    found = rows(view.board.sources, model=model) if has(view.board.sources, "model", "source", "places") else []
    if found and "" not in prefixes:
        prefixes.insert(0, "")
    for number, prefix in enumerate(prefixes):
        tables = {name.rpartition(WITHIN)[2]: table for name, table in own.items() if name.rpartition(WITHIN)[0] == prefix}
        key = f"stages-{at}-{number}"
        parts = (
            _sources(key, tables, found if prefix == "" else []), _orders(tables), _importances(key, tables), _calibration(key, tables), _doubted(tables),
        )  # fmt: skip
        shown = [part for part in parts if part is not None]
        if shown:
            inside = el("span", f", {prefix} inside it", class_="unsure") if prefix else None
            yield el("h3", view.model_cell(model), inside)
            yield from shown


# Sources


def _sources(key: str, tables: Tables, placed: Sequence[Row]) -> Html | None:
    """What each source finds of what people take, what only it finds, and what of the lists comes from it."""
    frame = tables.get("sources", pl.DataFrame())
    told = rows(frame) if has(frame, "source", "recall") else []
    by_source = {r["source"]: r for r in placed}
    if not told:
        return _places(placed) if placed else None
    union = next((r for r in told if r["source"] == UNION), None)
    each = sorted((r for r in told if r is not union), key=lambda r: -(known(r["recall"]) or 0.0))
    order = [*each, *([union] if union else [])]
    drawn = [Bar(r["source"], known(r["recall"]) or 0.0, _found(r), class_="lead" if r is union else "other") for r in order]
    described = (
        "Share of what people took that is among the candidates, by source: " + "; ".join(f"{b.label} {b.shown}" for b in drawn) + "."
    )
    columns = [
        Column("Source", number=False), Column("Finds", hint="share of what people took that is among its candidates"),
        Column("Alone", hint="share of what people took that no other source has"), Column("Candidates", hint="of a query, on average"),
        Column("Places", hint="share of the places of the lists"), Column("Hits", hint="share of the hits of the lists"),
    ]  # fmt: skip
    body = [
        [
            r["source"], percent(known(r["recall"]), 1), percent(_alone(r), 1), count(known(r.get("candidates"))),
            *(percent(known(by_source.get(r["source"], {}).get(n)), 1) for n in ("places", "hits")),
        ]
        for r in order
    ]  # fmt: skip
    note = "Share of what people took that is among the candidates of a query, on the window that the ranker learned from"
    data = table(columns, body, caption="Sources")
    said = el("p", _told(each, union, by_source), class_="finding")
    return join((said, figure(f"{key}-sources", _title(each, union), bars(drawn, description=described), data, note=note)))


def _alone(row: Row) -> float | None:
    """The share of what people took that no other source has."""
    hits, taken = known(row.get("unique_hits")), known(row.get("taken"))
    return None if row["source"] == UNION or hits is None or not taken else hits / taken


def _found(row: Row) -> str:
    alone = _alone(row)
    return percent(known(row["recall"]), 1) + ("" if alone is None else f", {percent(alone, 1)} alone")


def _title(each: Sequence[Row], union: Row | None) -> str:
    best = each[0]
    if union is None:
        return f"{best['source']} finds {percent(known(best['recall']))} of what people took"
    return f"The sources together find {percent(known(union['recall']))} of what people took, {best['source']} alone {percent(known(best['recall']))}"


def _told(each: Sequence[Row], union: Row | None, placed: Mapping[str, Row]) -> str:
    """What no ranker can put right, and who earns no place."""
    said = []
    if union is not None and (found := known(union["recall"])) is not None:
        said.append(f"{percent(1 - found)} of what people took is no candidate at all: no ranker can put it into a list.")
    if len(each) == 1:
        said.append("One source was given: a ranker can order its candidates, and find nothing that it misses.")
    idle = [r["source"] for r in each if len(each) > 1 and (alone := _alone(r)) is not None and alone < IDLE]
    if idle:
        said.append(f"{listed(idle)} {'finds' if len(idle) == 1 else 'find'} next to nothing that the others don’t.")
    shares = {name: row["places"] for name, row in placed.items() if row["places"]}
    if shares:
        first = max(shares, key=lambda name: shares[name])
        said.append(f"{percent(shares[first])} of the places are items that {first} ranks best.")
    return " ".join(said)


def _places(placed: Sequence[Row]) -> Html:
    """Shares of the lists by source, of a model that says no more."""
    drawn = [Bar(r["source"], known(r["places"]) or 0.0, percent(known(r["places"]), 1)) for r in placed if r["places"]]
    columns = [Column("Source", number=False), Column("Places"), Column("Hits")]
    body = [[r["source"], *(percent(known(r[n]), 1) for n in ("places", "hits"))] for r in placed]
    first = max(drawn, key=lambda bar: bar.value)
    return join(
        (
            el("p", f"{first.shown} of the places come from {first.label}.", class_="finding"),
            table(columns, body, caption="Where places and hits come from"),
        )
    )


# The ranker


def _orders(tables: Tables) -> Html | None:
    """The ranker beside the order of each source, on people that it hasn't learned from."""
    frame = tables.get("orders", pl.DataFrame())
    if not has(frame, "order"):
        return None
    metrics = [name for name in frame.columns if name != "order"]
    best = {name: frame[name].max() for name in metrics}
    body = [
        [r["order"], *(el("b", fixed(known(r[m]), 4)) if r[m] == best[m] else fixed(known(r[m]), 4) for m in metrics)]
        for r in frame.sort(metrics[-1], descending=True).iter_rows(named=True)
    ]
    caption = "The same candidates in the order of the ranker and of each source, for people whom the ranker hasn’t learned from"
    return table([Column("Order by", number=False), *map(Column, metrics)], body, caption=caption)


def _importances(key: str, tables: Tables) -> Html | None:
    """What the ranker goes by: groups of features, and the single ones that weigh most."""
    frame = tables.get("importances", pl.DataFrame())
    if not has(frame, "feature", "group", "share"):
        return None
    total = float(frame["share"].sum()) or 1.0  # of all heads, where there are several
    features = frame.group_by("feature", "group", maintain_order=True).agg(pl.col("share").sum() / total).sort("share", descending=True)
    groups = features.group_by("group", maintain_order=True).agg(pl.col("share").sum()).sort("share", descending=True)
    by_group = [Bar(name, share, percent(share, 1)) for name, share in groups.select("group", "share").iter_rows()]
    by_feature = [Bar(name, share, percent(share, 1)) for name, share in features.head(FEATURES).select("feature", "share").iter_rows()]
    columns = [Column("Feature", number=False), Column("Group", number=False), Column("Share")]
    body = [[r["feature"], r["group"], percent(r["share"], 1)] for r in features.to_dicts()]
    data = table(columns, body, caption="What the ranker goes by")
    of_groups = table(
        [Column("Group", number=False), Column("Share")], [[b.label, b.shown] for b in by_group], caption="Groups of features"
    )
    note = "Share of what all splits of the trees gain"
    first = f"{percent(by_group[0].value)} of what the ranker gains comes from {by_group[0].label}"
    parts = (
        figure(f"{key}-groups", first, bars(by_group, description=_in_words("Share by group", by_group)), of_groups, note=note, span="half"),
        figure(f"{key}-features", _heading(features.height), bars(by_feature, description=_in_words("Share by feature", by_feature)), data, note=note, span="half"),
    )  # fmt: skip
    return el("div", *parts, class_="pair")


def _heading(features: int) -> str:
    return f"The {FEATURES} of {count(features)} features that weigh most" if features > FEATURES else plural(features, "feature")


def _in_words(what: str, drawn: Sequence[Bar]) -> str:
    return f"{what}: " + "; ".join(f"{bar.label} {bar.shown}" for bar in drawn) + "."


def _calibration(key: str, tables: Tables) -> Html | None:
    """What was promised beside what came, a small plot for each head."""
    frame = tables.get("calibration", pl.DataFrame())
    if not has(frame, "expected", "came"):
        return None
    frame = frame if "head" in frame.columns else frame.with_columns(head=pl.lit("score"))
    parts, body, worst = [], [], 0.0
    for (head,), part in frame.drop_nulls(["expected", "came"]).group_by("head", maintain_order=True):
        points = sorted(part.select("expected", "came").iter_rows())
        worst = max(worst, sum(abs(p - r) for p, r in points) / (sum(p for p, _ in points) or 1.0))  # bands hold as many pairs each
        parts.append(Panel(str(head), _reliability(points, str(head))))
        body += [[str(head), fixed(p, 4), fixed(r, 4)] for p, r in points]
    columns = [Column("Head", number=False), Column("Promised"), Column("Came")]
    data = table(columns, body, caption="Promised and realised, from the least promising pairs to the most")
    title = f"What the ranker promises is what comes, give or take {percent(worst)} on average"
    if worst > DISTANT:
        title = f"What comes is {percent(worst)} off what the ranker promises, on average"
    return panels(
        f"{key}-calibration",
        title,
        parts,
        data,
        width=WIDTH,
        note="Realised rate against the promised one; on the thin line they are equal",
    )


def _reliability(points: Sequence[tuple[float, float]], head: str) -> Any:
    most = max(max(pair) for pair in points) or 1.0
    scale = Linear(0, most, 0, 1)
    ticks = scale.tick_labels(3)
    described = f"{head}: " + "; ".join(f"promised {fixed(p, 4)}, came {fixed(r, 4)}" for p, r in points) + "."
    lines = [Curve([(0, 0), (most, most)], "faint"), Curve(points, "lead", "realised")]
    return curves(
        lines, across=scale, up=(0, most), across_ticks=ticks, up_ticks=[t for t in ticks if t[0] > 0], note=None, description=described
    )


# Features to distrust


def _doubted(tables: Tables) -> Html | None:
    """Features that are often missing, or that have moved since the fit."""
    missing, drift = (tables.get(name, pl.DataFrame()) for name in ("missing", "drift"))
    shares = {r["feature"]: r["missing"] for r in rows(missing) if r["missing"]} if has(missing, "feature", "missing") else {}
    moved = (
        {r["feature"]: r["drift"] for r in rows(drift) if (known(r["drift"]) or 0.0) >= LITTLE} if has(drift, "feature", "drift") else {}
    )
    if not (shares or moved):
        return None
    order = sorted({*shares, *moved}, key=lambda f: (-(moved.get(f) or 0.0), -(shares.get(f) or 0.0), f))[:DOUBTED]
    columns = [Column("Feature", number=False), Column("Missing", hint="share of the pairs for which its default stands"), Column("Drift")]
    body = [[f, percent(shares.get(f, 0.0), 1), fixed(moved.get(f), 2)] for f in order]
    said = f"A missing feature has its declared default. Drift is how far a feature is from what it was in the window that the ranker learned from: below {LITTLE:g} little has changed, above {MUCH:g} much has."
    caption = "Features to look at: what is missing, and what has moved"
    return el("div", table(columns, body, caption=caption), el("p", said, class_="sub"))
