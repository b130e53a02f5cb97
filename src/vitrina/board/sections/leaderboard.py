"""Section 3: who is best, how sure that is, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrina.base.printing import short
from vitrina.board.named import IN_WORDS, named_before
from vitrina.board.sections.differences import differences
from vitrina.board.sections.folds import over_seeds, over_time
from vitrina.board.sections.view import DOUBT, View, gloss, sign_of_minus
from vitrina.board.verdict import standing
from vitrina.evaluate.interval import TRUSTED
from vitrina.report.charts import interval
from vitrina.report.html import Column, Html, breakable, el, join, name, scrolling, section, sentence, table, table_row
from vitrina.report.words import count, fixed, listed, percent, plural, seconds, sentence_end

if TYPE_CHECKING:
    from vitrina.board.result import Entry
    from vitrina.metrics import MetricInfo

BEYOND_COLUMNS = 2
METRICS_PER_TABLE = 6


def leaderboard(view: View) -> Html:
    """The table of models, their differences from the baseline, and every metric."""
    if not view.board.entries:
        return section("leaderboard", "The leaderboard", sentence("Nothing was compared yet. Give the comparison at least one model."))
    return section(
        "leaderboard", "The leaderboard", el("p", _summary(view), class_="finding"), _before(view), _board_table(view), _notes(view),
        _columns_explained(view), el("p", _legend(view), class_="sub"), differences(view), over_time(view),
        over_seeds(view), _every_metric(view),
    )  # fmt: skip


def _summary(view: View) -> str:
    standings = [standing(r["verdict"]) for model, r in view.verdicts.items() if model in view.models]
    if not standings:
        return f"{plural(len(view.models), 'model')} answered; none could be compared with a baseline."
    counts, baseline = {word: standings.count(word) for word in ("better", "worse", "equal", "unsure")}, view.board.baseline
    parts = [f"{counts['better'] or 'None'} of {plural(len(standings), 'model')} did better than {baseline} on {view.board.primary}"]
    parts += [f"{counts['worse']} did worse"] if counts["worse"] else []
    parts += [f"{counts['equal']} {'is' if counts['equal'] == 1 else 'are'} about equal to it"] if counts["equal"] else []
    parts += [f"{counts['unsure']} can’t be told from it"] if counts["unsure"] else []
    failed = f" {plural(len(view.failed), 'model')} failed." if view.failed else ""
    return listed(parts) + "." + failed


def _before(view: View) -> Html | None:
    """The protocol in a line, and what was settled before anything ran."""
    protocol, said = view.board.protocol, named_before(view.board.settings)
    lines = [el("p", text, class_="sub") for text in (protocol and protocol.line, said) if text]
    return join(lines) if lines else None


# The table


def _board_table(view: View) -> Html:
    beyond = view.metrics.beyond[:BEYOND_COLUMNS]
    head = el("thead", el("tr", *(el("th", c.title, scope="col", class_=_class(c), title=c.hint) for c in _columns(view, beyond))))
    body = [_row(view, model, beyond) for model in view.models]
    body += [_failed_row(view, entry, len(_columns(view, beyond)) - 1) for entry in view.failed]
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
        Column("Tuning", number=False, hint="fixed, or the configurations that were tried on validation and the seconds that took"),
        *(Column(m.name, hint=gloss(m)) for m in beyond),
        Column("Fit, s", hint="seconds that fitting took"), Column("Answer, s", hint="seconds that answering all queries took"),
        Column("Memory, MB", hint="the peak of the model’s own process"),
    ]  # fmt: skip


def _row(view: View, model: str, beyond: Sequence[MetricInfo]) -> Html:
    entry = view.board.entry(model)
    cells = [
        _named(view, entry),
        _primary(view, model),
        _bar(view, model),
        _verdict(view, model),
        el("span", entry.effort, class_="effort"),
    ]
    cells += [_value(view, model, m.name) for m in beyond]
    cells += [seconds(entry.fit_seconds), seconds(entry.answer_seconds), count(entry.peak_bytes / 1e6) if entry.peak_bytes else "–"]
    return table_row(_columns(view, beyond), cells, data_model=view.place[model], class_="leading" if model == view.leader else None)


def _primary(view: View, model: str) -> Html:
    """The mean over queries, and below it that over people where it is another one."""
    estimate, places = view.numbers.of(model, view.board.primary), view.numbers.places.get(view.board.primary, 3)
    own = el("span", f"{fixed(estimate.by_person, places)} by person", class_="remark") if view.by_person else None
    return el("div", fixed(estimate.value, places), own)


def _bar(view: View, model: str) -> Html:
    """The interval drawn, said to who doesn't see it, and marked where it can't be trusted."""
    metric, estimate = view.board.primary, view.numbers.of(model, view.board.primary)
    drawn = interval(view.dot(model, metric), primary_scale(view), view.numbers.of(view.board.baseline, metric).value, 110)
    few = f"{plural(int(estimate.hits or 0), 'person', 'people')} with hits{DOUBT}" if estimate.doubtful else None
    said = el("span", view.numbers.ends(model, metric), class_="hidden")
    return join((drawn, said, el("span", few, class_="remark") if few else None))


def _effort(entry: Entry) -> Html:
    """What tuning took, the seconds below the trials."""
    tried, _, spent = entry.effort.partition(", ")
    return el("div", tried, el("span", spent, class_="remark") if spent else None, class_="effort")


def _value(view: View, model: str, metric: str) -> object:
    """A number, and the share of the queries that it is a mean over, where other models have more."""
    shown, share = fixed(view.numbers.of(model, metric).value, view.numbers.places[metric]), view.numbers.share(model, metric)
    return shown if share == 1 else el("div", shown, el("span", f"over {percent(share)} of the queries", class_="remark"))


def primary_scale(view: View) -> tuple[float, float]:
    """One scale for all the bars of the table: from zero, or closer when all the values are far from it."""
    estimates = [view.numbers.of(m, view.board.primary) for m in view.models]
    ends = [v for e in estimates for v in (e.value, e.low, e.high) if v is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    start = 0.0 if 0 <= low < 0.6 * high else low - 0.05 * ((high - low) or 1.0)
    return start, (high + 0.02 * (high - start)) or 1.0


def _named(view: View, entry: Entry) -> Html:
    """The name, and below it in a few words what it stands for and where it comes from; what the model says itself is below the table."""
    remarks = list(entry.marks)
    if entry.baseline:
        remarks.append("always on the board")
    if entry.answered < 1:
        remarks.append(f"answered {percent(entry.answered)} of the queries, {percent(entry.people_answered)} of the people")
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
    row = view.verdicts.get(model)
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
    """What marks, verdicts and colours mean."""
    board, compared = view.board, view.verdicts
    tuned = any(e.trials > 1 for e in board.entries)
    parts = (
        f"A mark is the mean over queries, its bar the {view.confidence} interval when people are drawn anew; the long upright line is {board.baseline}, the baseline, {IN_WORDS[board.chosen]}.",
        "Verdicts are paired by person, and interval, p and what would have been seen are corrected for all comparisons together. Grey: can’t be told from no difference."
        if compared else "",
        f"About equal: the interval lies within {short(board.matters)}, the smallest difference that matters." if board.matters else "",
        "By person: the mean over people, each of whom counts once, however much they ask." if view.by_person else "",
        "Tuned models were judged on validation data only." if tuned else "",
        f"{DOUBT.strip()}: fewer than {TRUSTED} people have a hit, and the interval can’t be trusted." if view.doubtful else "",
        "A value over a part of the queries is no mean of the others’ queries: differences are of those that both have a value for."
        if view.partly else "",
    )  # fmt: skip
    return " ".join(filter(None, parts))


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
    share = view.numbers.share(model, metric)
    small = [view.numbers.ends(model, metric), f"over {percent(share)} of the queries" if share < 1 else ""]
    remarks = [el("span", text, class_="remark") for text in small if text]
    return el("div", fixed(view.numbers.of(model, metric).value, view.numbers.places[metric]), *remarks)
