"""Dates as strangers write them: read exactly, or asked about; never misread."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read import sources

TIMES_OF_DAY = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H.%M", ", %H:%M", "  %H:%M:%S.%f"]
DATES = [
    *(date.replace("/", sign) for sign in "/.- " for date in ("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%Y/%m/%d")),
    *(date.replace("/", sign) for sign in "/.- " for date in ("%d/%b/%Y", "%d/%B/%Y", "%b/%d/%Y", "%d/%b/%y", "%Y/%b/%d")),
    "%b %d, %Y", "%A, %B %d, %Y", "%a, %d %b %Y", "%Y%m%d",
]  # fmt: skip
FORMS = [date + time for date in DATES for time in TIMES_OF_DAY]
FORMS += [
    "%Y-%m-%dT%H:%M:%SZ",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y",
    "%d/%b/%Y:%H:%M:%S +0000",
    "%Y%m%dT%H%M%S",
    "%Y%m%d%H%M%S",
]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def log(times):
    return pl.DataFrame({"user_id": ["a"] * len(times), "item_id": range(len(times)), "when": times})


def read(times, **options):
    """Moments in the order of the rows."""
    data = vt.read_interactions(log(times), time="when", **options)
    return data.frame().sort("item_id")["timestamp"].to_list(), data.steps[0].note


def complaint(times, **options):
    with pytest.raises(DataError) as caught:
        read(times, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 420
    return str(caught.value)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.datetimes(dt.datetime(1991, 1, 1), dt.datetime(2025, 12, 31)), min_size=1, max_size=12),
    st.sampled_from(FORMS),
    st.integers(1, 5),
)
def test_a_column_of_any_form_is_read_exactly_or_asked_about(moments, form, chunk):
    texts = [m.strftime(form) for m in moments]
    meant = [dt.datetime.strptime(text, form) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        try:
            assert read(texts)[0] == meant
        except DataError as asked:
            if "doesn't tell the day from the month in any row" not in str(asked):
                raise
        assert read(texts, time_format=form)[0] == meant


@pytest.mark.parametrize(("text", "meant"), [
    ("31.12.2024 14:05", dt.datetime(2024, 12, 31, 14, 5)),
    ("31.12.2024, 14:05:33", dt.datetime(2024, 12, 31, 14, 5, 33)),
    ("12/31/10 8:26", dt.datetime(2010, 12, 31, 8, 26)),
    ("12/31/2010 8:26:03 PM", dt.datetime(2010, 12, 31, 20, 26, 3)),
    ("12/31/2010 12:01 a.m.", dt.datetime(2010, 12, 31, 0, 1)),
    ("2024-01-31 10:00:00 UTC", dt.datetime(2024, 1, 31, 10)),
    ("2024-01-31 10:00:00,123", dt.datetime(2024, 1, 31, 10, 0, 0, 123000)),
    ("2024-01-31T10:00:00.123456789Z", dt.datetime(2024, 1, 31, 10, 0, 0, 123456)),
    ("2024-01-31T10:00:00+03:00", dt.datetime(2024, 1, 31, 7)),
    ("2024-01-31T10:00:00-0330", dt.datetime(2024, 1, 31, 13, 30)),
    ("2024-01-31T10:00:00+03:00[Europe/Moscow]", dt.datetime(2024, 1, 31, 7)),
    ("Mon Apr 06 22:19:45 PDT 2009", dt.datetime(2009, 4, 7, 5, 19, 45)),
    ("Mon Apr 06 2009 22:19:45 GMT+0200 (Central European Summer Time)", dt.datetime(2009, 4, 6, 20, 19, 45)),
    ("31/Dec/2024:14:05:33 +0300", dt.datetime(2024, 12, 31, 11, 5, 33)),
    ("31-DEC-24 02.05.33.123000 PM", dt.datetime(2024, 12, 31, 14, 5, 33, 123000)),
    ("07 31, 2013", dt.datetime(2013, 7, 31)),
    ("20240131T101112Z", dt.datetime(2024, 1, 31, 10, 11, 12)),
    ("20240131", dt.datetime(2024, 1, 31)),
    ("20240131101112", dt.datetime(2024, 1, 31, 10, 11, 12)),
    ("24-01-31", dt.datetime(2024, 1, 31)),
    ("2024-01", dt.datetime(2024, 1, 1)),
    (" 978300760", dt.datetime(2000, 12, 31, 22, 12, 40)),
    ("9.78e8", dt.datetime(2000, 12, 28, 10, 40)),
    ("978300760,5", dt.datetime(2000, 12, 31, 22, 12, 40, 500000)),
])  # fmt: skip
def test_what_strangers_write(text, meant):
    for column in ([text], pl.Series([text], dtype=pl.Categorical)):
        assert read(column)[0] == [meant]
    log([text]).write_csv("log.csv")
    assert vt.read_interactions("log.csv", time="when").frame()["timestamp"].to_list() == [meant]


def test_rows_may_lack_the_time_of_day():
    assert read(["31.12.2024 14:05", "30.12.2024", "29.12.2024 1:02:03"])[0] == [
        dt.datetime(2024, 12, 31, 14, 5), dt.datetime(2024, 12, 30), dt.datetime(2024, 12, 29, 1, 2, 3),
    ]  # fmt: skip


class TestDayAndMonth:
    def test_no_row_decides_so_both_are_shown(self):
        message = complaint(["03/04/2024 10:00", "05/06/2024 11:00"])
        assert "'03/04/2024 10:00' is 3 April 2024 with time_format=\"%d/%m/%Y %H:%M\", or 4 March 2024 with" in message
        assert 'time_format="%m/%d/%Y %H:%M"' in message
        assert read(["03/04/2024 10:00"], time_format="%m/%d/%Y %H:%M")[0] == [dt.datetime(2024, 3, 4, 10)]

    def test_equal_numbers_leave_no_doubt(self):
        assert read(["03/03/2024"])[0] == [dt.datetime(2024, 3, 3)]

    @pytest.mark.parametrize(("row", "month"), [("13/02/2024", 4), ("02/13/2024", 3)])
    def test_one_row_decides_for_other_chunks_and_files(self, monkeypatch, row, month):
        monkeypatch.setattr(sources, "CHUNK", 3)
        times = ["03/04/2024"] * 10 + [row]
        assert read(times)[0][0].month == month
        for k, part in enumerate((times[:8], times[8:])):
            log(part).write_csv(f"part-{k}.csv")
        data = vt.read_interactions("part-*.csv", time="when")
        assert {m.month for m in data.frame()["timestamp"].to_list()} == {month, 2}
        assert f"{row!r} was read as 2024-02-13" in data.steps[0].note

    def test_rows_that_contradict_each_other_are_refused(self):
        message = complaint(["01/02/2024", "13/04/2024", "04/14/2024"])
        assert "the day first in some rows and the month first in others: '13/04/2024' and '04/14/2024'" in message

    def test_a_row_that_is_no_date_decides_nothing(self):
        message = complaint(["03/04/2024", "04/05/2024", "soon"])
        assert "doesn't tell the day from the month" in message
        times, note = read(["13/04/2024", "04/05/2024", "soon"], on_bad_row="quarantine")
        assert times == [dt.datetime(2024, 4, 13), dt.datetime(2024, 5, 4)]
        assert "1 when holds no such date" in note

    def test_years_of_two_digits_may_stand_first(self):
        message = complaint(["01-02-24"])
        assert all(said in message for said in ("1 February 2024", "2 January 2024", "24 February 2001"))
        assert read(["31-12-10", "01-02-24"])[0] == [dt.datetime(2010, 12, 31), dt.datetime(2024, 2, 1)]


class TestWhatIsSaid:
    def test_the_form_and_how_to_fix_it(self):
        note = read(["31.12.2024 14:05", "01.01.2024"])[1]
        assert note == "Column 'when' holds dates: '31.12.2024 14:05' was read as 2024-12-31 14:05 (time_format=\"%d.%m.%Y %H:%M\")."
        assert read(["31.12.2024 14:05"], time_format="%d.%m.%Y %H:%M")[1] == ""

    def test_iso_needs_no_word(self):
        assert read(["2024-01-31", "2024-01-31T10:00:00Z", "2024-01-31 10:00 UTC"])[1] == ""

    def test_zones(self):
        assert "with a zone were converted to UTC" in read(["2024-01-31T10:00:00+03:00"])[1]
        column = pl.Series([dt.datetime(2024, 1, 31, 10)]).dt.replace_time_zone("Asia/Tokyo")
        times, note = read(column)
        assert times == [dt.datetime(2024, 1, 31, 1)]
        assert "in the zone Asia/Tokyo were converted to UTC" in note

    def test_digits(self):
        for column in ([20240131, 20240201], [20240131.0, None, 20240201.0], ["20240131", "20240201"]):
            times, note = read(column, on_bad_row="quarantine")
            assert times == [dt.datetime(2024, 1, 31), dt.datetime(2024, 2, 1)]
            assert '20240131 was read as 2024-01-31 (time_format="%Y%m%d")' in note
        assert vt.read_interactions(log([20240131]), time="when", time_unit="step").time_unit == "step"
        assert vt.read_interactions(log(range(20_240_100, 20_240_900)), time="when").time_unit == "step"  # most are no dates

    def test_lost_digits(self):
        assert "numbers like 1.704e+09, which tell moments apart by 1,000,000 at best" in read(["1.704e+09", "1.705e+09"])[1]

    @pytest.mark.parametrize(("times", "said"), [
        (["Q1 2024", "Q2 2024"], "looks like none that is known: 'Q1 2024' and 'Q2 2024'"),
        (["01 янв 2024"], "Names of months are read in English"),
        (["10:00", "11:00"], 'time_format="%d.%m.%Y %H:%M" does for 31.12.2024 14:05'),
        (["2024-01-31 10:00:00 MSK"], 'take the times as they are with time_format="%Y-%m-%d %H:%M:%S MSK"'),
    ])  # fmt: skip
    def test_all_rows_of_no_known_form(self, times, said):
        for rule in ("error", "quarantine"):
            message = complaint(times, on_bad_row=rule)
            assert said in message
            assert "quarantine" not in message

    def test_the_remedy_for_a_zone_works(self):
        assert read(["2024-01-31 10:00:00 MSK"], time_format="%Y-%m-%d %H:%M:%S MSK")[0] == [dt.datetime(2024, 1, 31, 10)]

    def test_a_form_that_fits_no_row(self):
        message = complaint(["2024-01-31", "2024-02-01"], time_format="%d.%m.%Y")
        assert "hold dates of the form time_format=\"%d.%m.%Y\", but holds no such date ('2024-01-31')" in message
        assert 'Give time_format="%Y-%m-%d", or leave it out.' in message

    @pytest.mark.parametrize("given", ["dd.mm.yyyy", "%d.%m", "%H:%M", "%", "", 5, "%d.%m.%Y %H:%M %p"])
    def test_codes_that_make_no_date(self, given):
        with pytest.raises(ParameterError, match="The 'time_format' must describe a date with strptime codes"):
            read(["31.12.2024"], time_format=given)

    def test_a_form_is_for_text(self):
        with pytest.raises(ParameterError, match="is for dates written as text"):
            read([dt.date(2024, 1, 1)], time_format="%d.%m.%Y")
        with pytest.raises(ParameterError, match="Give one of them"):
            read(["31.12.2024"], time_format="%d.%m.%Y", time_unit="s")


class TestOddYears:
    OLD = ("1985-01-02", "1945-05-09", "2145-03-01 10:00:00")

    def test_all_rows_out_of_range_name_the_ways_in(self):
        for year, found in ((1985, "is before 1990"), (2145, "is in the future")):
            message = complaint([f"{year}-01-0{d}" for d in (1, 2)])
            assert f"{found} in rows 1 and 2. Take them as they are with any_year=True, or give time_unit='step'" in message
        quarantined = complaint(["1985-01-02"], on_bad_row="quarantine")
        assert "any_year=True" in quarantined
        assert "set aside" not in quarantined

    def test_any_year_takes_them_as_real_moments(self):
        moments = [dt.datetime(1985, 1, 2), dt.datetime(1945, 5, 9), dt.datetime(2145, 3, 1, 10)]
        assert read(list(self.OLD), any_year=True)[0] == read(moments, any_year=True)[0] == moments
        assert read([-86_400], any_year=True, time_unit="s")[0] == [dt.datetime(1969, 12, 31)]

    def test_such_a_log_is_split_and_fitted(self):
        shift = dt.timedelta(days=365 * 80)
        data = vt.testing.synthetic()
        frame = data.frame().with_columns(pl.col("timestamp") - shift)
        old = vt.read_interactions(frame, any_year=True)
        rule = vt.split.GlobalTime(days=7)
        assert old.time_unit == "us"
        assert old.split(rule).queries.users.tolist() == data.split(rule).queries.users.tolist()
        model = vt.Popularity(half_life=30)
        ours, theirs = (d.items.decode(model.fit(d).recommend(d.queries(), k=3).items[0]).to_list() for d in (old, data))
        assert ours == theirs

    def test_steps_keep_the_order_of_dates(self):
        for column in (list(self.OLD), [dt.datetime(1985, 1, 2), dt.datetime(1945, 5, 9), dt.datetime(2145, 3, 1)]):
            data = vt.read_interactions(log(column), time="when", time_unit="step")
            assert data.time_unit == "step"
            assert data.items.decode(data.events.items).to_list() == [1, 0, 2]

    def test_each_row_has_its_own_reason(self):
        times = ["1900-01-01", "1970-01-01", "9999-12-31", "2099-05-05", "1985-01-01", "2024-01-31"]
        read(times, on_bad_row="quarantine")
        reasons = pl.read_csv("log.bad_rows.csv")["reason"].to_list()
        assert reasons == [
            "when is the placeholder date 1900-01-01", "when is the placeholder date 1970-01-01", "when is the placeholder date 9999-12-31",
            "when is in the future", "when is before 1990",
        ]  # fmt: skip

    @pytest.mark.parametrize("bad", ["1900-01-01", "1970-01-01 00:00:00", "9999-12-31", "2099-01-01"])
    def test_a_few_such_rows_may_be_set_aside(self, bad):
        assert 'on_bad_row="quarantine"' in complaint(["2024-01-31", bad])

    def test_zero_among_seconds(self):
        message = complaint([1_700_000_000, 0])
        assert "is the placeholder date 1970-01-01 in row 2" in message

    def test_days_of_a_spreadsheet(self):
        assert read([45657.58680555556], time_unit="excel")[0] == [dt.datetime(2024, 12, 31, 14, 5)]
        assert "excel for days of a spreadsheet" in complaint([45657.5, 45658.25])


def test_one_file_with_text_and_one_with_dates():
    log(["31.12.2024", "30.12.2024"]).write_csv("a.csv")
    log([dt.datetime(2024, 1, 1)]).write_parquet("b.parquet")
    data = vt.read_interactions([Path("a.csv"), Path("b.parquet")], time="when")
    assert sorted(data.frame()["timestamp"].to_list()) == [dt.datetime(2024, 1, 1), dt.datetime(2024, 12, 30), dt.datetime(2024, 12, 31)]
