"""Section 3: who is best, how sure that is, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vitrina.board.sections.view import View, gloss, has, known, rows, sign_of_minus, standing
from vitrina.report.charts import Dot, dots, interval
from vitrina.report.html import Column, Html, breakable, el, figure, join, name, scrolling, section, sentence, table, table_row
from vitrina.report.words import between, count, decimals, fixed, half_width, listed, percent, plural, seconds, sentence_end, signed

if TYPE_CHECKING:
    from vitrina.board.result import Entry
    from vitrina.metrics import MetricInfo

BEYOND_COLUMNS = 3
METRICS_PER_TABLE = 6


def leaderboard(view: View) -> Html:
    """The table of models, their differences from the baseline, and every metric."""
    if not view.board.entries:
        return section("leaderboard", "The leaderboard", sentence("Nothing was compared yet. Give the comparison at least one model."))
    return section(
        "leaderboard", "The leaderboard", el("p", _summary(view), class_="finding"), _board_table(view), _notes(view), _columns_explained(view),
        el("p", _legend(view), class_="sub"),
        _differences(view), _every_metric(view),
    )  # fmt: skip


def verdicts(view: View) -> dict[str, dict[str, Any]]:
    """The comparison with the baseline on the primary metric, by model."""
    if not has(view.board.comparisons, "model", "metric", "difference", "verdict"):
        return {}
    return {r["model"]: r for r in rows(view.board.comparisons, metric=view.board.primary)}


def _summary(view: View) -> str:
    standings = [standing(r["verdict"]) for model, r in verdicts(view).items() if model in view.models]
    if not standings:
        return f"{plural(len(view.models), 'model')} answered; none could be compared with a baseline."
    parts = [
        text
        for word, text in (
            (
                "better",
                f"{standings.count('better') or 'None'} of {plural(len(standings), 'model')} did better than {view.board.baseline} on {view.board.primary}",
            ),
            ("worse", f"{standings.count('worse')} did worse"),
            ("unsure", f"{standings.count('unsure')} can’t be told from it"),
        )
        if word == "better" or standings.count(word)
    ]
    failed = f" {plural(len(view.failed), 'model')} failed." if view.failed else ""
    return listed(parts) + "." + failed


# The table


def _board_table(view: View) -> Html:
    beyond = view.metrics.beyond[:BEYOND_COLUMNS]
    head = el("thead", el("tr", *(el("th", c.title, scope="col", class_=_class(c), title=c.hint) for c in _columns(view, beyond))))
    body = [_row(view, model, beyond) for model in view.models]
    body += [_failed_row(view, entry, 6 + len(beyond)) for entry in view.failed]
    caption = f"Models by {view.board.primary}, best first"
    return scrolling(
        el("table", el("caption", el("span", caption)), head, el("tbody", join(body, "\n")), class_="board", id="board"), caption
    )


def _class(column: Column) -> str | None:
    return " ".join(filter(None, ("num" if column.number else "", column.class_))) or None


def _columns(view: View, beyond: Sequence[MetricInfo]) -> list[Column]:
    primary, interval_head = view.board.primary, el("span", f"{view.confidence} interval of {view.board.primary}", class_="hidden")
    return [
        Column("Model", number=False, class_="first"), Column(primary), Column(interval_head, number=False),
        Column(el("span", "Against ", name(view.board.baseline)), number=False, class_="verdict"),
        *(Column(m.name, hint=gloss(m)) for m in beyond),
        Column("Fit, s", hint="seconds that fitting took"), Column("Answer, s", hint="seconds that answering all queries took"),
        Column("Memory, MB", hint="the peak of the model’s own process"),
    ]  # fmt: skip


def _row(view: View, model: str, beyond: Sequence[MetricInfo]) -> Html:
    entry, metric = view.board.entry(model), view.board.primary
    dot, scale = view.dot(model, metric), primary_scale(view)
    marker = view.numbers.of(view.board.baseline, metric).value
    bar = join((interval(dot, scale, marker), el("span", between(dot.low, dot.high, view.numbers.places.get(metric, 3)), class_="hidden")))
    cells: list[object] = [_named(view, entry), fixed(dot.value, view.numbers.places.get(metric, 3)), bar, _verdict(view, model)]
    cells += [fixed(view.numbers.of(model, m.name).value, view.numbers.places[m.name]) for m in beyond]
    cells += [seconds(entry.fit_seconds), seconds(entry.answer_seconds), count(entry.peak_bytes / 1e6) if entry.peak_bytes else "–"]
    return table_row(_columns(view, beyond), cells, data_model=view.place[model], class_="leading" if model == view.leader else None)


def primary_scale(view: View) -> tuple[float, float]:
    """One scale for all the bars of the table: from zero, or closer when all the values are far from it."""
    estimates = [view.numbers.of(m, view.board.primary) for m in view.models]
    ends = [v for e in estimates for v in e if v is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    start = 0.0 if 0 <= low < 0.6 * high else low - 0.05 * ((high - low) or 1.0)
    return start, (high + 0.02 * (high - start)) or 1.0


def _named(view: View, entry: Entry) -> Html:
    """The name, and below it in a few words what it stands for and where it comes from; what the model says itself is below the table."""
    remarks = []
    if entry.baseline:
        remarks.append("always on the board")
    if entry.trials > 1:
        remarks.append(f"best of {entry.trials} configurations")
    if entry.fallback_share > 0:
        remarks.append(f"{percent(entry.fallback_share)} of places filled from popularity")
    if entry.notes:
        remarks.append("see below the table")
    meaning = el("span", el("code", breakable(entry.meaning)), class_="remark") if entry.meaning else None
    return el("div", view.model_cell(entry.name), meaning, el("span", "; ".join(remarks), class_="remark") if remarks else None)


def _notes(view: View) -> Html | None:
    """What the models say of themselves, a sentence each."""
    said = [el("li", view.model_cell(e.name), ": ", sentence_end(note)) for e in view.board.entries for note in e.notes]
    return el("ul", *said, class_="notes") if said else None


def _verdict(view: View, model: str) -> Html:
    if model == view.board.baseline:
        return el("span", "the baseline", class_="unsure")
    row = verdicts(view).get(model)
    if row is None:
        return el("span", "not compared", class_="unsure")
    return el("div", *_in_two(sign_of_minus(row["verdict"] or "not compared")), class_=standing(row["verdict"]))


def _in_two(verdict: str) -> tuple[object, ...]:
    """The verdict, and below it in small what makes it precise: the interval, or what could have been seen."""
    head, mark, rest = verdict.partition("; ") if "; " in verdict else verdict.partition(" (")
    if not mark:
        return (verdict,)
    return head, " ", el("span", f"({rest}" if "(" in mark else rest, class_="remark")


def _failed_row(view: View, entry: Entry, width: int) -> Html:
    reason = sign_of_minus(entry.error) or "No reason was given."
    what = el("strong", "Failed" if entry.status == "failed" else "Out of memory")
    cell = el("td", el("div", what, ": ", reason, class_="reason"), colspan=width)
    return el("tr", el("th", _named(view, entry), scope="row", class_="first"), cell, class_="failed", data_model=view.place[entry.name])


def _columns_explained(view: View) -> Html:
    """The metrics of the table in plain words, where they are first seen."""
    shown = (view.primary, *view.metrics.beyond[:BEYOND_COLUMNS])
    return el("p", *(part for m in shown for part in (el("b", m.name), f": {gloss(m)}. ")), class_="sub")


def _legend(view: View) -> str:
    tuned = [e.trials for e in view.board.entries if e.trials > 1]
    budget = f" Tuned models had a budget of {plural(max(tuned), 'configuration')} each, judged on validation data only." if tuned else ""
    return (
        f"A mark is the mean over queries, its bar the {view.confidence} interval when people are drawn anew; the long upright line is "
        f"{view.board.baseline}. Verdicts are paired by person and corrected for the number of models (Holm). Grey: can’t be told from no "
        f"difference.{budget}"
    )


# Differences from the baseline


def _differences(view: View) -> Html | None:
    compared = {m: r for m, r in verdicts(view).items() if known(r["difference"]) is not None}
    order = [m for m in view.models if m in compared]
    if not order:
        return None
    places = decimals(
        [known(compared[m]["difference"]) for m in order],
        [half_width(known(compared[m].get("low")), known(compared[m].get("high"))) for m in order],
    )
    drawn = [_difference(view, m, compared[m], places) for m in order]
    metric, baseline = view.board.primary, view.board.baseline
    described = f"{metric} of each model minus that of {baseline}, with intervals. " + "; ".join(d.detail for d in drawn) + "."
    columns = [
        Column("Model", number=False),
        Column("Difference"),
        Column("Interval"),
        Column("p"),
        Column("p, Holm"),
        Column("Would be seen"),
    ]
    cells = [_difference_cells(view, m, compared[m], places) for m in order]
    return figure(
        "differences", _difference_title(view, compared, order), dots(drawn, description=described, marker=0.0),
        table(columns, cells, caption=f"Difference in {metric} from {baseline}"),
        note=f"{metric} minus that of {baseline}, with the {view.confidence} interval of each difference",
    )  # fmt: skip


def _difference(view: View, model: str, row: dict[str, Any], places: int) -> Dot:
    low, high = known(row.get("low")), known(row.get("high"))
    detail = f"{model}: {signed(known(row['difference']), places)} {between(low, high, places)}, {sign_of_minus(row['verdict'] or '')}"
    return Dot(model, known(row["difference"]), low, high, standing(row["verdict"]), detail.rstrip(", "), view.place.get(model))


def _difference_cells(view: View, model: str, row: dict[str, Any], places: int) -> list[object]:
    low, high = known(row.get("low")), known(row.get("high"))
    rest = [_p(known(row.get("p"))), _p(known(row.get("p_adjusted"))), fixed(known(row.get("detectable")), places)]
    return [view.model_cell(model), signed(known(row["difference"]), places), between(low, high, places) or "–", *rest]


def _p(value: float | None) -> str:
    return "<0.0001" if value is not None and value < 0.0001 else fixed(value, 4)


def _difference_title(view: View, compared: dict[str, dict[str, Any]], order: list[str]) -> str:
    baseline, better = view.board.baseline, [m for m in order if standing(compared[m]["verdict"]) == "better"]
    if better:
        by = sign_of_minus(compared[better[0]]["verdict"]).removeprefix("better ")
        return f"{better[0]} is better than {baseline} {by}"
    if all(standing(compared[m]["verdict"]) == "worse" for m in order):
        return f"Every model is worse than {baseline}"
    return f"No model can be shown to be better than {baseline}"


# Every metric


def _every_metric(view: View) -> Html | None:
    if not view.models or not view.metrics.all:
        return sentence("No metric was computed, because no model answered.")
    parts = []
    for title, metrics in (("Accuracy", view.metrics.accuracy), ("Beyond accuracy", view.metrics.beyond)):
        for first in range(0, len(metrics), METRICS_PER_TABLE):
            chosen = metrics[first : first + METRICS_PER_TABLE]
            columns = [Column("Model", number=False, class_="first"), *(Column(m.name, hint=gloss(m)) for m in chosen)]
            body = [[view.model_cell(m), *(_estimate(view, m, metric.name) for metric in chosen)] for m in view.models]
            parts.append(table(columns, body, caption=title if not first else f"{title}, continued", class_="metrics"))
    return el("div", el("h3", "Every metric with its interval"), *parts, class_="every")


def _estimate(view: View, model: str, metric: str) -> Html:
    estimate, places = view.numbers.of(model, metric), view.numbers.places[metric]
    small = between(estimate.low, estimate.high, places)
    return el("div", fixed(estimate.value, places), el("span", small, class_="remark") if small else None)
