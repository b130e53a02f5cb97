"""The frame of every page: one file with its style and its script inside, and nothing from anywhere else."""

from __future__ import annotations

from importlib.resources import files

import vitrina
from vitrina.report.html import Html, el


def document(title: str, main: Html, skip: Html | None = None) -> str:
    """Any page of ours: the style and the script inside, and the given main part."""
    body = el("body", skip, el("main", main, id="main"), el("script", Html(part("script.js"))))
    return f"<!doctype html>\n{el('html', _head(title), body, lang='en')}\n"


def _head(title: str) -> Html:
    return el(
        "head", el("meta", charset="utf-8"), el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"), el("meta", name="generator", content=f"Vitrina {vitrina.__version__}"),
        el("title", title), el("style", Html(part("style.css"))),
    )  # fmt: skip


def part(file: str) -> str:
    """A file of the kit: the style or the script."""
    return files("vitrina.report").joinpath(file).read_text(encoding="utf-8")
