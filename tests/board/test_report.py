"""The report: well-formed, self-contained, escaped, complete, readable."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.board.sections import render
from vitrina.board.sections.audit import binned
from vitrina.board.sections.exposure import half_of_places
from vitrina.board.sections.timeline import as_date
from vitrina.board.sections.view import View, gloss
from vitrina.board.verdict import standing
from vitrina.data.dataset import Step
from vitrina.metrics import MetricInfo
from vitrina.metrics import metric as metric_of
from vitrina.report.html import VOID, el
from vitrina.report.scales import Box, Labels, Linear, shorten, spanning, text_width, time_ticks
from vitrina.report.words import decimals, fixed, percent

sys.path.insert(0, str(Path(__file__).parent))
import made_boards as boards  # pyright: ignore[reportMissingImports]

EVERY = ("full", "staged", "bare", "nothing")


class Page(HTMLParser):
    """Reads a page strictly: every tag is closed by its own end, ids are unique, and the visible text is kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.cells: list[tuple[int, int]] = []  # columns of the head and of each row, by table
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.said)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@cache
def page(which: str) -> Page:
    return Page(render(getattr(boards, which)()))


# The page as a whole


@pytest.mark.parametrize("which", EVERY)
def test_is_well_formed_with_unique_ids_and_working_references(which: str) -> None:
    read = page(which)
    assert len(set(read.ids)) == len(read.ids)
    for link in read.all("a"):
        assert (link["href"] or "").removeprefix("#") in read.ids
    for _, attributes in read.tags:
        for pointer in (attributes.get("aria-labelledby") or "").split():
            assert pointer in read.ids


@pytest.mark.parametrize("which", EVERY)
def test_needs_nothing_from_elsewhere(which: str) -> None:
    text = render(getattr(boards, which)())
    assert not re.search(r"https?:|//[a-z]|@import|url\(|@font-face", text)
    for _, attributes in page(which).tags:
        assert not {"src", "srcset", "data", "action", "poster"} & set(attributes)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page(which).tags}
    assert len(text.encode()) < 1_000_000


def test_the_same_board_gives_the_same_page() -> None:
    assert render(boards.full()) == render(boards.full())


@pytest.mark.parametrize("which", EVERY)
def test_shows_no_number_that_is_none(which: str) -> None:
    shown = page(which).text.replace("The loss became NaN in epoch 3", "")
    assert not re.search(r"\b(nan|NaN|None|inf|null|undefined)\b", shown)
    for _, attributes in page(which).tags:
        assert not [v for k, v in attributes.items() if k not in ("class", "id") and re.search(r"\b(nan|inf|None)\b", v or "")]


def test_every_model_and_metric_is_named() -> None:
    shown, board = page("full").text.replace(" ", ""), boards.full()
    for entry in board.entries:
        assert entry.name.replace(" ", "") in shown
        assert entry.error.replace(" ", "") in shown
    for metric in board.numbers["metric"].unique():
        assert metric.replace(" ", "") in shown
    for sentence in board.headline:
        assert sentence in page("full").text


def test_failed_models_stand_in_rows_of_their_own() -> None:
    shown = re.sub(r"\s+", " ", page("full").text)
    assert re.search(r"Failed : The loss became NaN in epoch 3\. Lower learning_rate", shown)
    assert re.search(r"Out of memory : It was stopped at 14\.1 GB", shown)


def test_rows_of_a_table_are_as_wide_as_its_head() -> None:
    text = render(boards.full())
    for found in re.findall(r"<table.*?</table>", text, re.S):
        head, body = found.split("</thead>")
        width = len(re.findall(r"<th[ >]", head))
        for row in re.findall(r"<tr.*?</tr>", body, re.S):
            cells = re.findall(r"<t[hd]([^>]*)>", row)
            assert sum(int(m[1]) if (m := re.search(r'colspan="(\d+)"', c)) else 1 for c in cells) == width


@pytest.mark.parametrize("which", EVERY)
def test_plots_have_words_and_numbers(which: str) -> None:
    read = page(which)
    plots = [a for a in read.all("svg") if a.get("aria-hidden") != "true"]
    assert all(a.get("role") == "img" and a.get("aria-labelledby") for a in plots)
    assert len(read.all("figure")) <= len(read.all("summary"))
    assert all(a.get("scope") in ("row", "col") for a in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))
    assert len(read.all("h1")) == 1


def test_what_is_missing_is_said_in_a_sentence() -> None:
    shown = page("bare").text
    for part in ("no second metric", "no slices", "no example people", "without an inspection", "not measured"):
        assert part in shown
    for part in ("No model has an answer", "without its settings", "without a summary of its split"):
        assert part in page("nothing").text
    assert "Popularity has the best nDCG@10 of 1 model: 0.131" in shown


# Escaping

EVIL = "<script>alert('x')</script>&\"'><img src=x onerror=alert(1)>\u202e\x00"


def _with_evil_names() -> str:
    board = boards.full()
    old = "TifuKNN"

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("model").replace(old, EVIL)) if "model" in frame.columns else frame

    tables = {n: renamed(getattr(board, n)) for n in ("numbers", "comparisons", "slices", "pareto", "popularity", "coverage", "trials")}
    entries = tuple(
        dataclasses.replace(e, name=EVIL, notes=(EVIL,), config={"name": EVIL, EVIL: EVIL}) if e.name == old else e for e in board.entries
    )
    lists = {EVIL: ((EVIL, True), (EVIL, False))}
    examples = tuple(dataclasses.replace(e, user=EVIL, history=(EVIL,), truth=(EVIL,), lists=lists) for e in board.examples)
    tables["slices"] = tables["slices"].with_columns(group=pl.lit(EVIL), slice=pl.lit(EVIL))
    tables["popularity"] = tables["popularity"].with_columns(bucket=pl.lit(EVIL))
    settings = {EVIL: EVIL, "command": EVIL, "machine": {EVIL: EVIL}, "created": EVIL}
    changed = dataclasses.replace(
        board, title=EVIL, headline=(EVIL,), entries=entries, examples=examples, settings=settings, **tables,
    )  # fmt: skip
    return render(changed)


def test_text_of_the_data_is_never_markup() -> None:
    text = _with_evil_names()
    read = Page(text)
    assert len(read.all("script")) == 1
    assert not read.all("img")
    assert not [a for _, a in read.tags if "onerror" in a]
    assert "alert('x')" in read.text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_elements_escape_children_and_attributes() -> None:
    assert el("p", "<b>", el("i", "x"), None, title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<i>x</i></p>'
    assert el("br") == "<br>"
    with pytest.raises(AssertionError):
        el("rect", x=float("nan"))


# What the words say


def test_titles_say_what_the_numbers_say() -> None:
    shown = re.sub(r"\s+", " ", page("full").text)
    assert "2 of 7 models did better than Cooccurrence on nDCG@10, 3 did worse and 2 can’t be told from it. 2 models failed." in shown
    assert "EASE is better than Cooccurrence by 0.015 (0.011 to 0.020)" in shown
    assert "keeps 98% of the best nDCG@10 with 41% more Coverage@10" in shown
    assert "45% of the places of EASE go to items of “top 1%”, 1.4 times what people take" in shown


def test_nothing_found_is_said_too() -> None:
    board = boards.full()
    unsure = board.comparisons.with_columns(verdict=pl.lit("no measurable difference; a difference of 0.2 or more would have been seen"))
    shown = Page(render(dataclasses.replace(board, comparisons=unsure))).text
    assert "No model can be shown to be better than Cooccurrence" in shown
    assert "None of 7 models did better" in shown


def test_a_lead_in_a_slice_needs_differences_that_say_so_and_enough_queries() -> None:
    board = boards.full()
    assert "EASE is first in every group, but no lead is larger than its doubt" in page("full").text
    rows = [
        (r["slice"], r["group"], "EASE", r["model"], 0.01 if r["group"] != "week 4" else 0.2)
        for r in board.slices.filter(pl.col("model") != "EASE").iter_rows(named=True)
    ]
    leads = pl.DataFrame(rows, schema=["slice", "group", "leader", "model", "p_adjusted"], orient="row")
    shown = Page(render(dataclasses.replace(board, leads=leads))).text  # intervals that meet don't matter
    assert "EASE leads whatever the items" in shown
    assert "EASE leads where days since the cut is “week 1” or “week 2” or “week 3”; elsewhere it is too close to tell" in shown
    few = board.slices.with_columns(queries=pl.when(pl.col("group") == "week 1").then(12).otherwise("queries"))
    shown = Page(render(dataclasses.replace(board, slices=few))).text
    assert "Too few queries for a plot (under 30): “week 1”" in shown


def test_a_verdict_against_zero_is_grey() -> None:
    assert standing("better by 0.05 (0.04 to 0.06)") == "better"
    assert standing("worse by 0.05 (0.04 to 0.06)") == "worse"
    assert [standing(v) for v in ("about equal: within 0.002", "the same on every query")] == ["equal"] * 2
    assert [standing(v) for v in ("no measurable difference; 0.1 would have been seen", "too few people to tell", "", None)] == [
        "unsure"
    ] * 4


def test_models_are_ordered_by_the_primary_metric() -> None:
    assert View(boards.full()).models == tuple(sorted(boards.MODELS, key=lambda m: -boards.MODELS[m][0]))


def test_metrics_are_sorted_by_what_they_measure() -> None:
    found = View(boards.full()).metrics
    assert [m.name for m in found.accuracy] == list(boards.METRICS)
    assert [m.name for m in found.beyond] == ["Coverage@10", "MIUF@10", "Gini@10", "MeanPopularity@10"]
    assert found.all == found.accuracy + tuple(sorted(found.beyond, key=found.all.index))


def test_a_metric_is_defined_by_its_own_words() -> None:
    plain, part = (MetricInfo.of(metric_of(name)) for name in ("nDCG@5", "repeat nDCG@10"))
    assert "Discounted gain" in plain.definition
    assert "http" not in plain.definition
    assert "taken before" in part.definition
    assert gloss(part) == f"{gloss(plain)}, asked of what the person had taken before"
    assert gloss(MetricInfo("mine", 0, False, frozenset(), "How many smiled.")) == "how many smiled"


# Numbers


@pytest.mark.parametrize(
    ("values", "half_widths", "places"),
    [
        ((0.25, 0.3), (0.011,), 3),
        ((0.25,), (0.003,), 4),
        ((0.25, None), (None,), 3),
        ((1234.0,), (), 0),
        ((4.2, float("nan")), (), 2),
        ((), (), 0),
    ],
)
def test_a_column_has_the_decimals_that_its_doubt_allows(values: tuple, half_widths: tuple, places: int) -> None:
    assert decimals(values, half_widths) == places


def test_shares_are_never_rounded_to_certainty() -> None:
    assert [percent(s) for s in (0, 1, 0.0004, 0.9999, None, math.nan)] == ["0%", "100%", "<0.1%", ">99.9%", "–", "–"]
    assert percent(0.004, 0) == "<1%"
    assert [fixed(v, 3) for v in (-0.0004, 0.0002, 0.0, -0.0)] == [">−0.001", "<0.001", "0.000", "0.000"]


# Scales


def test_ticks_are_round_and_inside() -> None:
    scale = Linear(0.013, 0.41, 0, 300)
    assert np.allclose(scale.ticks(4), [0.1, 0.2, 0.3, 0.4])
    assert scale(0.013) == 0
    assert scale(0.41) == 300
    assert spanning([], 0, 10)(0.5) == pytest.approx(5)


@pytest.mark.parametrize("last", [date(2020, 1, 3), date(2020, 2, 20), date(2020, 11, 30), date(2023, 5, 5), date(2060, 1, 1)])
def test_time_ticks_fit(last: date) -> None:
    ticks = time_ticks(date(2020, 1, 1), last, 8)
    assert 2 <= len(ticks) <= 10
    assert all(date(2020, 1, 1) <= t <= last for t, _ in ticks)
    assert "20" in ticks[0][1]


def test_labels_keep_off_each_other() -> None:
    labels = Labels(Box(0, 0, 600, 400))
    places = [labels.place(f"model {k}", 300 + 4 * (k % 3), 200 + 3 * k) for k in range(9)]
    for at, one in enumerate(places):
        assert all(one.box.overlap(other.box) == 0 for other in places[at + 1 :])
        assert one.box.left >= 0
        assert one.box.right <= 600


def test_long_names_are_cut_in_the_middle() -> None:
    text = "Cooccurrence(weighting=Cosine(), half_life=5)"
    short = shorten(text, 120)
    assert text_width(short) <= 120
    assert short.startswith("Coocc")
    assert short.endswith("5)")
    assert shorten("EASE", 120) == "EASE"


def test_half_of_the_places() -> None:
    assert half_of_places([(1, 0.3), (2, 0.5), (4, 1.0)]) == 2
    assert half_of_places([(1, 0.3)]) == 1


# Colours


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css))


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_contrast_is_enough(scheme: int) -> None:
    css = (Path(vt.__file__).parent / "report" / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    colour = _colours(blocks[scheme])
    for text in ("ink", "soft", "accent", "better", "worse"):
        assert _contrast(colour[text], colour["paper"]) >= 4.5
    assert _contrast(colour["mark"], colour["paper"]) >= 3
    for text in ("ink", "soft"):
        assert _contrast(colour[text], colour["rule"]) >= 4.5  # labels over the area of a plot
    assert _contrast(colour["on"], colour["accent"]) >= 4.5
    assert _contrast(colour["on"], colour["soft"]) >= 4.5


# The records of other parts


def test_reads_a_real_inspection_and_a_real_split() -> None:
    data = vt.testing.synthetic(users=80, items=40)
    seen, split = vt.inspect(data), data.split(vt.split.GlobalTime(days=7))
    read = Page(render(dataclasses.replace(boards.full(), inspection=seen, split=split.summary)))
    for number in (data.n_events, data.n_users, len(split.queries)):
        assert f"{number:,}" in read.text
    assert f"From {_day(seen.sizes.first)} to {_day(seen.sizes.last)}." in read.text
    for warning in (*seen.warnings, *split.summary.leakage, *split.summary.warnings):
        assert warning.rstrip(".") in read.text


def _day(moment: str | int | None) -> str:
    day = as_date(moment)
    assert day is not None
    return f"{day.day} {day:%B %Y}"


def test_histories_fall_into_round_bins_and_steps_are_no_dates() -> None:
    assert binned([(3, 2), (4, 5), (7, 1), (20_000, 3)])[0] == ("3 to 4", 7)
    assert binned([(3, 2), (4, 5), (7, 1), (20_000, 3)])[-1] == ("10,000 and more", 3)
    assert binned([]) == ()
    assert [as_date(m) for m in ("2017-12-03 23:58", 20171203, "step", None)] == [date(2017, 12, 3), None, None, None]


# What a page must not do


def _people(board, **changed):
    return Page(render(dataclasses.replace(board, examples=tuple(dataclasses.replace(e, **changed) for e in board.examples))))


def test_a_person_takes_a_bounded_part_of_the_page() -> None:
    board = boards.full()
    lists = {f"model {m}": tuple((f"place {p} of {m}", p == 60) for p in range(100)) for m in range(40)}
    read = _people(board, history=tuple(f"had {n}" for n in range(500)), truth=tuple(f"took {n}" for n in range(45)), lists=lists)
    shown = read.text
    assert shown.count("had 499") == len(board.examples)
    assert "had 400" not in shown
    assert shown.count("and 37 more") == len(board.examples)
    assert "Then took 45 items; 40 of 40 models had at least one in the list." in shown
    assert "90 more places with 1 hit" in shown
    assert "those of 24 more are in board.json" in shown
    assert sum(tag == "li" for tag, _ in read.tags) < 1700
    long = _people(board, history=("x" * 5000,)).text
    assert "x" * 90 + "…" in long
    assert "x" * 100 not in long


def test_what_a_model_had_in_its_list_is_seen_first_of_what_was_taken() -> None:
    truth = tuple(f"took {n}" for n in range(45))
    shown = _people(boards.full(), truth=truth, lists={"EASE": (("took 44", True), ("other", False))}).text
    assert shown.index("took 44") < shown.index("took 0")


def test_no_sentence_runs_into_the_next_one() -> None:
    board = boards.full()
    notes = ("Fitted on the 6,000 most frequent of 65,587 items, limited by max_items.", "4 rounds")
    entries = tuple(
        dataclasses.replace(e, notes=notes, fallback_share=0.003, config={"name": "Cooccurrence", "kinds": {}, "decay": None, "last": None})
        for e in board.entries
    )
    nothing = dataclasses.replace(boards.inspection(), steps=(Step("read", *[10] * 6, note="17 items have no row."),))
    shown = re.sub(r"\s+", " ", Page(render(dataclasses.replace(board, entries=entries, inspection=nothing))).text)
    assert not re.search(r"\.;|\.,|=,|=\)|unset|\.\.(?!\.)|; \.|\(read\)", shown)
    assert "limited by max_items. " in shown
    assert "4 rounds." in shown
    assert "Reading removed nothing. 17 items have no row." in shown
    assert "decay=none" in shown


def test_a_small_value_is_not_shown_as_zero() -> None:
    board = boards.full()
    small = pl.when((pl.col("metric") == "Coverage@10") & (pl.col("model") == "Popularity")).then(0.0002).otherwise("value").alias("value")
    shown = Page(render(dataclasses.replace(board, numbers=board.numbers.with_columns(small)))).text
    assert "0.0002" in shown
    assert "0.2140" in shown  # one precision in a column


def test_metrics_and_names_are_explained_where_they_are_first_seen() -> None:
    board = boards.full()
    entries = tuple(dataclasses.replace(e, call="EASE(l2=500)") if e.name == "EASE" else e for e in board.entries)
    text = re.sub(r"\s+", " ", Page(render(dataclasses.replace(board, entries=entries))).text)
    assert re.search(r"EASE is EASE\(\s?l2=\s?500\) ?: score items by how well", text.replace("( ", "("))
    for metric in ("nDCG@10", "Coverage@10", "MIUF@10"):
        assert re.search(rf"{metric} ?: ", text), metric
    assert text.index("MIUF@10 : mean inverse user frequency") < text.index("Every metric with its interval")


def test_a_first_look_says_so_on_the_page() -> None:
    board = boards.full()
    said = "A first look (quick): 1,900 of 9,000 queries."
    assert said in Page(render(dataclasses.replace(board, settings={**board.settings, "quick": said}))).text


# Two stages, and lists that were ranked again


def test_two_stages_and_re_ranking_have_sections_only_where_there_are_some() -> None:
    assert "stages" not in page("full").ids
    assert "reordered" not in page("full").ids
    assert {"stages", "reordered"} <= set(page("staged").ids)
    assert "#stages" in [link["href"] for link in page("staged").all("a")]


def test_the_page_of_two_stages_says_what_no_ranker_can_put_right_and_which_source_is_idle() -> None:
    shown = page("staged").text
    for said in (
        "49% of what people took is no candidate at all",
        "Cooccurrence finds next to nothing that the others don’t",
        "The sources together find 51% of what people took, fading alone 38%",
        "38.2%, 11.0% alone",
        "52% of the places are items that fading ranks best",
        "41% of what the ranker gains comes from sources",
        "What the ranker promises is what comes, give or take 7.7% on average",
        "TwoStage inside it",
        "for people whom the ranker hasn’t learned from",
    ):
        assert said in shown


def test_a_source_alone_is_said_to_be_one() -> None:
    board = boards.staged()
    model = next(iter(board.tables))
    alone = board.tables[model]["sources"].filter(pl.col("source") == "EASE")
    shown = Page(render(dataclasses.replace(board, tables={model: {"sources": alone}}))).text
    assert "One source was given" in shown
    assert "EASE finds 34% of what people took" in shown


def test_lists_before_and_after_are_beside_each_other_with_what_moved_and_why() -> None:
    shown = page("staged").text
    assert "97% of the lists" in shown
    for said in ("0.318 → 0.310", "−0.008 (−0.011 to −0.005)", "from below 10", "at least 1 store brand in 10", "from 2"):
        assert said in shown
    assert "s" in {tag for tag, _ in page("staged").tags}
