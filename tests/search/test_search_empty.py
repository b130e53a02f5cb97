"""Lists that are empty: why, what is given up, what is kept of them; and lists that somebody fixed by hand."""

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.search.relaxing import BARRED, FILTER, NOTHING, TOGETHER

TABLE = pl.DataFrame({
    "sku": ["a", "b", "c", "d", "e"],
    "title": ["красные кроссовки nike", "красные кеды", "синие кроссовки adidas", "белые кроссовки", "чёрный шарф"],
    "brand": ["nike", "converse", "adidas", "puma", "none"],
})  # fmt: skip


@pytest.fixture(scope="module")
def index():
    return vt.search.ItemIndex.build(TABLE, id="sku", columns=["title"], language=("russian", "english"))


@pytest.fixture(scope="module")
def relaxed(index):
    return vt.search.Relaxed(index.lexical(match="all"), vt.search.KnownWords.of_index(index), index.lexical())


def asked(index, *texts):
    return vt.Queries.of_texts(index.vocabulary, texts)


def ids(lists):
    return [lists.vocabulary.decode(row[row >= 0]).to_list() for row in lists.items]


def rows(answered):
    return answered.told.select("why", "relaxed", "without").rows()


def test_it_says_why_and_what_was_given_up(index, relaxed):
    queries = asked(index, "кроссовки", "красные кроссовки adidas", "самокат", "кроссовки самокат", "", None)
    answered = relaxed.answer(queries, 3)
    assert rows(answered) == [
        (None, None, None), (TOGETHER, "words", "adidas"), ("no item has the word 'самокат'", None, None),
        ("no item has the word 'самокат'", "words", "самокат"), (NOTHING, None, None), (NOTHING, None, None),
    ]  # fmt: skip
    assert ids(answered.lists)[1] == ["a"]
    assert sorted(ids(answered.lists)[3]) == ["a", "c", "d"]
    assert ids(answered.lists)[0] == ids(index.lexical(match="all").recommend(queries[:1], 3))[0]
    assert answered.told["found"].to_list() == [3, 1, 0, 3, 0, 0]


def test_a_filter_goes_before_words_and_what_the_shop_forbids_never_goes(index, relaxed):
    queries, blue = asked(index, "красные кеды", "шарф"), index.vocabulary.encode(["c"])
    shop = vt.Eligibility(exclude=index.vocabulary.encode(["e"]))
    answered = relaxed.answer(queries, 3, eligible=shop, chosen=blue)
    assert rows(answered) == [(FILTER, "filter", None), (BARRED, None, None)]
    assert ids(answered.lists) == [["b"], []]
    last = replace(relaxed, order=("words", "any", "filter")).answer(asked(index, "синие кеды"), 3, eligible=shop, chosen=blue)
    assert rows(last) == [(TOGETHER, "any", None)]  # of equally rare words the first goes, and "кеды" alone keeps no filter
    assert ids(replace(relaxed, order=()).answer(queries, 3, eligible=shop, chosen=blue).lists) == [[], []]


def test_any_word_is_the_last_resort_and_work_is_bounded(index):
    class Counting:
        def __init__(self, source):
            self.source, self.times = source, 0
            self.vocabulary, self.catalogue, self.notes = source.vocabulary, source.catalogue, ()

        def recommend(self, queries, k, *, eligible=vt.Eligibility()):
            self.times += 1
            return self.source.recommend(queries, k, eligible=eligible)

    strict, wide = Counting(index.lexical(match="all")), Counting(index.lexical())
    source = vt.search.Relaxed(strict, vt.search.KnownWords.of_index(index), wide)
    answered = source.answer(asked(index, "шарф nike кеды adidas", "самокат", "шарф"), 3)
    assert rows(answered)[0] == (TOGETHER, "any", None)
    assert sorted(ids(answered.lists)[0]) == ["a", "b", "c"] or len(ids(answered.lists)[0]) == 3
    assert (strict.times, wide.times) == (1 + 1 + 2, 1)
    strict.times = 0
    source.recommend(asked(index, "шарф"), 3)
    assert strict.times == 1
    with pytest.raises(ParameterError, match="'order' of Relaxed"):
        vt.search.Relaxed(strict, order=("all",))


def test_pins_stand_first_where_they_are_eligible(index, tmp_path):
    pins = vt.search.Pins.of(pl.DataFrame({
        "query": ["Кроссовки ", "кроссовки", "КРОССОВКИ", "шарф", "кроссовки", "ничего"], "item": ["e", "b", "d", "e", "nobody", "b"],
        "action": ["pin", "pin", "hide", "hide", "pin", "pin"], "place": [None, 3, None, None, None, 5],
    }))  # fmt: skip
    source = pins.before(index.lexical())
    queries = asked(index, "кроссовки", "шарф", "кеды", "ничего", None)
    answered = source.answer(queries, 4)
    plain = ids(index.lexical().recommend(queries, 4))
    assert ids(answered.lists) == [
        ["e", *[i for i in plain[0] if i != "d"][:1], "b", *[i for i in plain[0] if i != "d"][1:2]],
        [],
        ["b"],
        ["b"],
        [],
    ]
    assert answered.lists.to_frame()["source"].to_list() == ["pinned", "model", "pinned", "model", "model", "pinned"]
    assert answered.told.select("pinned", "hidden", "found").rows() == [(2, 1, 4), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 0, 0)]
    assert np.isnan(answered.lists.scores[0][[0, 2]]).all()
    barred = source.recommend(queries, 4, eligible=vt.Eligibility(exclude=index.vocabulary.encode(["e", "a"])))
    assert ids(barred)[0] == ["c", "b"]  # "e" may not be shown, and "b" keeps no place that the list doesn't reach
    assert source.notes == ("1 of 6 pins are of items that aren't known",)
    again = vt.load(vt.save(source, tmp_path / "pinned")).recommender
    assert again.answer(queries, 4).lists.to_frame().equals(answered.lists.to_frame())


def test_pins_are_read_from_files_and_what_cannot_be_is_refused(tmp_path):
    (tmp_path / "pins.toml").write_text('["зелёный чай"]\npin = ["a", "b"]\nhide = ["c"]\n', encoding="utf-8")
    (tmp_path / "pins.csv").write_text("query,item,action\nЗеленый  чай,a,pin\nзеленый чай,b,pin\nзеленый чай,c,hide\n", encoding="utf-8")
    toml, table = (vt.search.Pins.of(tmp_path / name).table for name in ("pins.toml", "pins.csv"))
    assert toml.equals(table)
    row = {"query": ["q", "q"], "item": ["a", "b"], "action": ["pin", "pin"]}
    for wrong, match in (
        ({**row, "item": ["a", "a"]}, "twice"), ({**row, "action": ["pin", "boost"]}, "'pin' or 'hide'"), ({**row, "place": [1, 1]}, "two items"),
        ({**row, "place": [0, 1]}, "from 1 on"), ({"query": ["q"], "item": ["a"]}, "'action'"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=match):
            vt.search.Pins.of(pl.DataFrame(wrong))


def test_what_found_nothing_is_kept(index, relaxed, tmp_path):
    log = vt.search.ZeroResults(tmp_path / "logs" / "zero.jsonl")
    source = log.of(relaxed)
    lists = source.recommend(asked(index, "Самокат", "кроссовки", "самокат ", "кеды nike", None), 3)
    assert lists.to_frame().equals(relaxed.recommend(asked(index, "Самокат", "кроссовки", "самокат ", "кеды nike", None), 3).to_frame())
    table = log.table()
    assert table.select("text", "times", "why").rows() == [("самокат", 2, "no item has the word 'самокат'"), ("кеды nike", 1, TOGETHER)]
    assert source.tables["zero results"].equals(table)
    with open(log.path, "ab") as file:
        file.write(b'{"text": "cut by a cra')
    log.add(["ещё раз"], at=5.0)
    assert (log.damaged, log.table().filter(text="еще раз")["last"].to_list()) == (1, [5.0])
    (tmp_path / "file").write_text("")
    lost = vt.search.ZeroResults(tmp_path / "file" / "zero.jsonl").of(relaxed)
    assert ids(lost.recommend(asked(index, "самокат", "шарф"), 3)) == [[], ["e"]]
    assert lost.tables["zero results that were lost"]["count"].to_list() == [1]


def write(path, number):
    log = vt.search.ZeroResults(path)
    for turn in range(50):
        log.add([f"запрос {number} {turn}"] * 20)


def test_processes_write_to_one_file(tmp_path):
    path = tmp_path / "zero.jsonl"
    started = [multiprocessing.get_context("spawn").Process(target=write, args=(path, number)) for number in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2000
    assert all(json.loads(line) for line in lines)
    assert vt.search.ZeroResults(path).table()["times"].to_list() == [20] * 100
