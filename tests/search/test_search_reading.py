"""Reading of what was typed: each step against what people would do by hand, and on a small Russian shop whose queries are labelled."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.grades import Grades
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.search.layout import LATIN, RUSSIAN, other_layout
from vitrina.search.spelling import allowed

SHOP = Path(__file__).parents[1] / "fixtures" / "search_ru"
BOTH = vt.search.TextAnalysis(languages=("russian", "english"))


@pytest.fixture(scope="module")
def shop():
    """Items, queries by slice, the index as it is, the index of items whose units are written in one way, and the steps."""
    items = pl.read_csv(SHOP / "items.csv")
    with open(SHOP / "queries.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def index(table):
        return vt.search.ItemIndex.build(table, id="item", columns=["title", "description"], language=BOTH)

    units = vt.search.Units()
    plain, written = index(items), index(units.on(items, ["title", "description"]))
    known = vt.search.KnownWords.of_index(plain)
    spelling = vt.search.Spelling(known)
    steps = {
        "layout": vt.search.Layout(known, spelling), "units": units, "spelling": spelling,
        "synonyms": vt.search.Synonyms.read_file(SHOP / "synonyms.txt"),
    }  # fmt: skip
    return rows, plain, written, known, steps


def values(rows, index, steps, slice_of):
    """Graded nDCG@10 of each query of a slice."""
    asked = [row for row in rows if row["slice"] == slice_of]
    pairs = [[pair.split(":") for pair in row["grades"].split()] for row in asked]
    codes = [index.vocabulary.encode([item for item, _ in own]).tolist() for own in pairs]
    grades = Grades.of(codes, [[float(grade) for _, grade in own] for own in pairs])
    source = vt.search.Query(steps).before(index.lexical())
    lists = source.recommend(vt.Queries.of_texts(index.vocabulary, [row["query"] for row in asked]), 10)
    return metric("linear nDCG@10").per_query(Judged(lists, grades.relevant, index.catalogue, grades=grades))


def test_each_repair_helps_its_slice_and_costs_nothing_on_clean_queries(shop):
    rows, plain, written, _, steps = shop
    assert len(rows) >= 60
    assert min(sum(row["slice"] == name for row in rows) for name in ("clean", *steps)) >= 10
    clean, found = values(rows, plain, (), "clean"), {}
    for name, step in steps.items():
        index = written if name == "units" else plain
        off, on = values(rows, plain, (), name), values(rows, index, (step,), name)
        found[name] = round(float(off.mean()), 4), round(float(on.mean()), 4)
        assert on.mean() > off.mean() + 0.1, found
        assert (on < off - 0.1).sum() <= 1, found
        costs = values(rows, index, (step,), "clean") - (values(rows, written, (), "clean") if name == "units" else clean)
        assert costs.min() > -0.05, (name, costs)
        assert costs.mean() > -0.001, (name, costs.mean())
        assert on.mean() > 0.85, found
    everything = tuple(steps.values())
    for name in steps:
        assert values(rows, written, everything, name).mean() > found[name][1] - 0.05


def test_clean_queries_stay_to_the_letter(shop):
    rows, _, _, _, steps = shop
    for name in ("layout", "spelling", "units"):
        for row in rows:
            if row["slice"] in ("clean", "synonyms") and (name != "spelling" or row["slice"] == "clean"):
                assert steps[name].read(row["query"]) == vt.search.Reading(row["query"]), name


def test_a_rare_but_real_word_is_never_mended():
    texts = ["кроссовки"] * 500 + ["сабо", "термос", "тернос плюс"]
    spelling = vt.search.Spelling(vt.search.KnownWords.of(texts, analysis=BOTH))
    for word in ("сабо", "тернос", "термоса", "кроссовкам", "для"):
        assert spelling.read(word).changes == ()
    assert spelling.read("термас").text == "термос"
    asked = vt.search.KnownWords.of(["кроссовки"], analysis=BOTH, searched=["кросовки"] * 2 + ["слипоны"] * 3)
    assert asked.knows("слипоны")
    assert not asked.knows("кросовки")  # an error that some people make is not a word


def osa(a, b):
    """Insertions, deletions, changes, and swaps of neighbours: the table that one fills in by hand."""
    d = {(i, -1): i + 1 for i in range(-1, len(a))} | {(-1, j): j + 1 for j in range(-1, len(b))}
    for i in range(len(a)):
        for j in range(len(b)):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i] != b[j]))
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return d[len(a) - 1, len(b) - 1]


def test_the_nearest_word_is_that_of_the_slow_search(shop):
    _, _, _, known, steps = shop
    rng = np.random.default_rng(3)
    letters = "абвгдежзиклмнопрстуфхцчшщыьэюя"
    mended = 0
    for word in rng.choice([w for w in known.words if w.isalpha() and len(w) > 3], 60):
        at = int(rng.integers(len(word) - 1))
        wrong = [
            word[:at] + word[at + 1 :],
            word[:at] + rng.choice(list(letters)) + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
        typed = str(wrong[int(rng.integers(3))])
        if known.knows(typed):
            continue
        near = [
            (osa(typed, other), other[0] != typed[0], -known.count(other), other)
            for other in known.words
            if other.isalpha() and len(other) > 1 and osa(typed, other) <= allowed(len(typed))
        ]
        assert steps["spelling"].nearest(typed) == (min(near)[-1] if near else None)
        mended += bool(near) and min(near)[-1] == word
    assert mended > 30


def test_words_that_were_run_together_are_cut_and_pieces_joined(shop):
    spelling = shop[4]["spelling"]
    assert spelling.read("Рюкзакшкольный, термо кружка 5!").text == "рюкзак школьный, термокружка 5!"
    assert spelling.read("термо кружка").changes == (vt.search.reading.Change("spelling", "термо кружка", "термокружка"),)
    for odd in ("", "   ", "!!!", "12345", "ghbdtn123", "я"):
        assert spelling.read(odd).text == odd


def test_keyboards_are_the_inverse_of_each_other():
    assert len(LATIN) == len(RUSSIAN) == len(set(LATIN))
    for word in ("привет", "объезд", "жюри", "ёлка", "бюджет"):
        assert other_layout(other_layout(word)) == word
    assert other_layout("ghbdtn") == "привет"
    assert other_layout("руддщ") == "hello"


def test_a_layout_is_changed_only_where_the_word_is_known_there(shop):
    layout = shop[4]["layout"]
    assert layout.read("rhjccjdrb nike, фвшвфы").text == "кроссовки nike, adidas"
    assert layout.read("abracadabra usb 16gb").changes == ()
    assert layout.read("yfeiytrb").text == "наушнеки"  # nearly known there, and nothing as typed: the spelling is mended next
    assert vt.search.Query((layout, shop[4]["spelling"])).read("yfeiytrb").told == (
        "searched for 'наушнеки' in place of 'yfeiytrb'; 'наушники' in place of 'наушнеки'"
    )


@pytest.mark.parametrize(
    ("typed", "one_way"),
    [
        ("16 gb", "16гб"), ("16GB", "16гб"), ("16 ГБ", "16гб"), ("1,5 л", "1500мл"), ("1.5L", "1500мл"), ('15.6"', "396мм"), ("15,6 дюйма", "396мм"),
        ("0.5 кг", "500г"), ("2 м", "2000мм"), ("5000 mAh", "5000мач"), ("2,4 кВт", "2400вт"), ("2.5 ГБ", "2p5гб"), ("60 шт.", "60шт"),
    ],
)  # fmt: skip
def test_quantities_are_written_in_one_way(typed, one_way):
    units = vt.search.Units()
    assert units.read(f"вещь {typed} белая").text == f"вещь {one_way} белая"
    assert units.read(units.read(typed).text).text == one_way  # once more changes nothing


def test_what_is_no_quantity_stays():
    for text in ("iphone 13 mini", "м 16", "usb3", "a4 формат", "16gbx", "1.2.3 л", "канал 5", "3d"):
        assert vt.search.Units().read(text).changes == ()


def test_synonyms_are_groups_and_replacements():
    synonyms = vt.search.Synonyms.of("тв, телевизор, smart tv # экраны\nноут => ноутбук\nзарядка => зарядное устройство, адаптер", BOTH)
    assert synonyms.read("телевизоры lg").text == "телевизоры lg тв smart tv"
    assert synonyms.read("smart tv").text == "smart tv тв телевизор"  # the phrase as a whole
    assert synonyms.read("smart часы").changes == ()
    assert synonyms.read("Ноут, зарядка").text == "ноутбук, зарядное устройство, адаптер"
    assert synonyms.read("ноутбук").changes == ()  # one way only
    assert synonyms.read("тв и телевизор").text == "тв и телевизор smart tv"
    for wrong in ("тв", "a => b => c", "=> x", "a, , b"):
        with pytest.raises(DataError, match="Line 1 of the synonyms"):
            vt.search.Synonyms.of(wrong)


def test_what_was_changed_is_told_and_can_be_refused(shop, tmp_path):
    _, plain, _, _, steps = shop
    source = vt.search.Query((steps["layout"], steps["spelling"])).before(plain.lexical())
    queries = vt.Queries.of_texts(plain.vocabulary, ["кросовки", "кросовки", "телевизор", None])
    queries = replace(queries, context=pl.DataFrame({"as_typed": [0, 1, 0, 0]}))
    answered = source.answer(queries, 3)
    assert answered.told["typed"].to_list() == ["кросовки", "кросовки", "телевизор", None]
    assert answered.told["searched"].to_list() == ["кроссовки", "кросовки", "телевизор", None]
    assert answered.told["told"].to_list() == ["searched for 'кроссовки' in place of 'кросовки'", None, None, None]
    assert answered.told["found"].to_list() == [3, 0, 3, 0]
    assert answered.told["changes"][0].to_list() == [{"step": "spelling", "before": "кросовки", "after": "кроссовки"}]
    again = vt.load(vt.save(source, tmp_path / "understood")).recommender
    assert again.answer(queries, 3).told.equals(answered.told)
    assert again.recommend(queries, 3).to_frame().equals(answered.lists.to_frame())
    whole = vt.search.Query(tuple(steps.values())).before(vt.search.Hybrid({"words": plain.lexical()}))
    assert vt.load(vt.save(whole, tmp_path / "whole")).recommender.answer(queries, 3).told.equals(whole.answer(queries, 3).told)
    with pytest.raises(ParameterError, match=r"read\(text\)"):
        vt.search.Query(("spelling",))


def test_completion_is_that_of_a_slow_count(tmp_path):
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("абв "), 6)) for _ in range(400)]
    times = rng.uniform(0, 100, 400)
    completion = vt.search.Completion.of(texts[:250], times=times[:250], half_life=10.0, at=100.0).after(
        texts[250:], times=times[250:], at=120.0
    )
    counts = {}
    for text, time in zip(texts, times, strict=True):
        key = " ".join(text.split())
        counts[key] = counts.get(key, 0) + 0.5 ** ((120 - time) / 10)
    for prefix in ("а", "аб", "ба ", "в", "вввввв"):
        slow = sorted(((-w, t) for t, w in counts.items() if t.startswith(prefix) and t), key=lambda pair: (round(pair[0], 12), pair[1]))[
            :7
        ]
        assert completion.complete(prefix, 7)["text"].to_list() == [text for _, text in slow]
    assert completion.complete("  ").is_empty()
    again = vt.search.Completion.of_state(completion.state())
    assert again.complete("а").equals(completion.complete("а"))
    assert vt.search.Completion.of(["Ёлка", "елка ", "ель"]).complete("ё")["weight"].to_list() == [2.0, 1.0]
    assert vt.search.Completion.of(["ель", "ёлка"]).without(["Ель"]).complete("е")["text"].to_list() == ["елка"]
    with pytest.raises(ParameterError, match="times"):
        vt.search.Completion.of(["a"], half_life=1)
