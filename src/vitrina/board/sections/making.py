"""Section 9: everything that is needed to repeat the comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitrina.base.config import title_of
from vitrina.board.sections.view import View, has, known, rows
from vitrina.report.html import Column, Html, el, join, name, section, sentence, table
from vitrina.report.words import count, finite, fixed, minute, percent, plural, sentence_end

if TYPE_CHECKING:
    from vitrina.board.result import Entry
    from vitrina.metrics import MetricInfo

TIMES = ("date", "created", "finished", "started")


def making(view: View) -> Html:
    """Command, configurations, tuning, settings and definitions."""
    return section(
        "making", "How it was made", _command(view), _protocol(view), el("h3", "Models and their parameters"), _configs(view), _tuning(view),
        el("h3", "Settings, seeds, versions and machine"), _settings(view), el("h3", "What the metrics mean"), _definitions(view),
    )  # fmt: skip


def _command(view: View) -> Html | None:
    command = view.board.settings.get("command")
    return el("div", el("h3", "To repeat it"), el("pre", el("code", command))) if command else None


def _protocol(view: View) -> Html | None:
    """What two numbers must have in common to be compared."""
    card = view.board.protocol
    if card is None:
        return None
    ties = (
        "can’t be seen without times"
        if card.ties is None
        else f"{percent(card.ties, 1)} of the targets are one of several at the same time"
    )
    pairs = {
        "split": f"{card.rule}, {count(card.queries)} queries"
        + ("" if card.out_of is None else f" of {count(card.out_of)}, those of people drawn by a hash of their ids"),
        "trained on": "nobody’s validation event (strict)" if card.trained_on == "strict" else "everything before the test (retrained)",
        "validation": "cut from the training part"
        if card.validation is None
        else f"{plural(card.validation, 'query', 'queries')} that no model learns",
        "seen items": "may come back" if card.repeat else "are left out",
        "candidates": f"full ranking of {plural(card.candidates, 'item')}",
        "cold targets": f"{percent(card.cold, 1)} are items that training has never seen; they count as misses",
        "ties": ties,
        "leakage": f"{percent(card.future, 1)} of the training events are not earlier than the first query" if card.future else "none",
        "metric": card.metric,
    }
    shown = (part for key, text in pairs.items() if text for part in (el("dt", key), el("dd", text)))
    said = "Two numbers are compared only where these are the same."
    return el("div", el("h3", "The protocol"), el("p", said, class_="sub"), el("dl", *shown, class_="settings"))


def _configs(view: View) -> Html:
    if not view.board.entries:
        return sentence("No model was compared.")
    pairs = ((el("dt", view.model_cell(e.name)), el("dd", *_config(e))) for e in view.board.entries)
    return el("dl", *(part for pair in pairs for part in pair), class_="settings configs")


def _config(entry: Entry) -> list[object]:
    tried = f"{plural(entry.trials, 'configuration')} tried" if entry.trials != 1 else "one configuration, not tuned"
    source = ["kept from an earlier run"] if entry.cached else []
    return [el("code", plain(dict(entry.config)) or "defaults"), el("span", "; ".join([tried, *source]), class_="remark")]


def plain(value: Any) -> str:
    """A configuration as a person would write it: Name(parameter=value)."""
    if isinstance(value, Mapping):
        return _plain_table(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plain(v) for v in value) + "]"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if finite(value) else "inf"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _plain_table(value: Mapping[str, Any]) -> str:
    """A config, what JSON has no value for (marked by `to_plain`), or a mapping."""
    if set(value) in ({"float"}, {"date"}, {"datetime"}, {"list"}):
        (inner,) = value.values()
        return inner if isinstance(inner, str) else plain(inner)
    named = "class" in value or isinstance(value.get("name"), str)
    inside = ", ".join(f"{k}={plain(v)}" for k, v in value.items() if not (named and k in ("class", "name")))
    return f"{title_of(value)}({inside})" if named else f"{{{inside}}}"


# Tuning


def _tuning(view: View) -> Html | None:
    if not has(view.board.trials, "model", "trial", "config", "metric", "value"):
        return None
    trials = rows(view.board.trials)
    columns = [
        Column("Model", number=False, class_="first"),
        Column("Fold"),
        Column("Trial"),
        Column("Validation", number=False),
        Column("Value"),
        Column("Configuration", number=False),
    ]
    body = [
        [view.model_cell(r["model"]), fixed(known(r.get("fold", 1)), 0), fixed(known(r["trial"]), 0), r["metric"], fixed(known(r["value"]), 4), el("code", _trial(r["config"]))]
        for r in trials
    ]  # fmt: skip
    return el(
        "details",
        el("summary", f"All {plural(len(trials), 'trial')} of the tuning"),
        table(columns, body, caption="Trials on validation data"),
    )


def _trial(config: Any) -> str:
    try:
        return plain(json.loads(config))
    except (TypeError, ValueError):
        return str(config)


# Settings


def _settings(view: View) -> Html:
    rule = view.board.split.rule if view.board.split else ""
    shown = {"split": rule, **{k: v for k, v in view.board.settings.items() if k != "command"}}
    pairs = [(key, text) for key, value in shown.items() for text in [_setting(key, value)] if text]
    if not pairs:
        return sentence("The board came without its settings.")
    return el(
        "dl", *(part for key, text in pairs for part in (el("dt", name(str(key).replace("_", " "))), el("dd", text))), class_="settings"
    )


def _setting(key: str, value: Any) -> object:
    if isinstance(value, Mapping):
        said = [f"{str(k).replace('_', ' ')} {text}" for k, v in value.items() if (text := _scalar(v))]
        return ", ".join(said)
    return minute(value) if key in TIMES else _scalar(value)


def _scalar(value: Any) -> str:
    if value is None or (isinstance(value, float) and not finite(value)):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(_scalar, value)))
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {text}" for k, v in value.items() if (text := _scalar(v)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


# Definitions


def _definitions(view: View) -> Html:
    if not view.metrics.all:
        return sentence("No metric was computed.")
    symbols = (
        "k is the number after the @, hit[j] is 1 where place j holds something that the person took, R is how many items the person took."
    )
    meanings = el("dl", *(part for m in view.metrics.all for part in (el("dt", m.name), el("dd", _meaning(m)))), class_="settings")
    return join((el("p", symbols, class_="sub"), meanings))


def _meaning(metric: MetricInfo) -> str:
    return sentence_end(metric.definition) + (" Lower is better." if metric.lower_is_better else "")
