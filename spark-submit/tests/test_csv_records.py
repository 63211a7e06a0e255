"""How a CSV is split, by Spark and by this process: the naive reading of RFC 4180 decides."""

import io

import naive
import pytest
from generated import SEED, csv_file, csv_lines, make, texts
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehouse.contracts import dataset
from lakehouse.landing import records as spanning
from lakehouse.landing.lines import LandingLines, unquoted
from lakehouse.landing.records import fields_of, spanning_records

EVENTS, SONGS, FOLLOWS = dataset("fact_listening_events"), dataset("dim_songs"), dataset("graph_user_follows")


def lines_in(spark, tmp_path, contract, content: str) -> LandingLines:
    path = tmp_path / f"{contract.table.name}.csv"
    path.write_bytes(content.encode())
    return LandingLines.of(spark, contract, str(path), header_line=1)


def read(spark, tmp_path, contract, content: str) -> list[tuple]:
    found = lines_in(spark, tmp_path, contract, content).numbered_records(spark)
    found = found.select("line_number", "raw", F.transform("fields", unquoted).alias("fields"))
    return sorted((row["line_number"], row["raw"], row["fields"]) for row in found.collect())


def naively(contract, content: str) -> list[tuple]:
    return [
        record for record in naive.records_of(content, len(contract.columns), contract.is_multi_line) if record[0] > 1
    ]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b", ["a", "b"]),
        (",", ["", ""]),
        (",,", ["", "", ""]),
        ('"a","b"', ["a", "b"]),
        ('"","b"', ["", "b"]),
        ('"a,1","b ""x"""', ["a,1", 'b "x"']),
        ('"""",""""""', ['"', '""']),
        ('7" single,a"b"', ['7" single', 'a"b"']),
        (' "a",b', [' "a"', "b"]),
        ("a\\,b\\", ["a\\", "b\\"]),
        ('"a\\",b', ["a\\", "b"]),
        ("#a,b", ["#a", "b"]),
        ("a\x00,b", ["a\x00", "b"]),
        ("a\x0b\x1c\x85\u2028,b", ["a\x0b\x1c\x85\u2028", "b"]),
        ('"a\x85","b\u2028"', ["a\x85", "b\u2028"]),
        ('"a"b,c', None),
        ('"a" ,c', None),
        ('"a,c', None),
        ('a,"c', None),
        ('a,"c\x85', None),
        ('a,"\\"c\\""', None),
        ('"', None),
        ('"""', None),
        ('a,"b""', None),
    ],
)
def test_a_line_is_split_by_rfc_4180(spark, tmp_path, line, fields):
    assert naive.fields_of(line) == (fields and (fields, len(line)))
    assert fields_of(line) == fields
    assert read(spark, tmp_path, EVENTS, f"header\n{line}\n") == [(2, line, fields)]


def test_generated_files_of_lines_are_split_as_the_naive_reading_has_it(spark, tmp_path):
    content = csv_file("user_id_a,user_id_b", make(csv_lines([texts, texts]), 1_500))
    expected = naively(FOLLOWS, content)
    assert len(expected) >= 1_000
    assert read(spark, tmp_path, FOLLOWS, content) == expected, f"seed {SEED}"
    assert {record[2] is None for record in expected} == {True, False}


def test_generated_records_over_several_lines_are_split_as_the_naive_reading_has_it(spark, tmp_path):
    lines = make(csv_lines([texts] * len(SONGS.columns)), 1_500)
    content = csv_file(",".join(SONGS.column_names), lines)
    expected = naively(SONGS, content)
    assert any("\n" in record[1] for record in expected)
    assert read(spark, tmp_path, SONGS, content) == expected, f"seed {SEED}"


def test_short_chunks_of_a_file_change_no_record(monkeypatch, tmp_path):
    """Line breaks, quotes and pairs of quotes lie across what is read at once."""
    monkeypatch.setattr(spanning, "_CHARACTERS_AT_ONCE", 3)
    monkeypatch.setattr(spanning, "LONGEST_RECORD_BYTES", 40)
    monkeypatch.setattr(naive, "LONGEST_RECORD_BYTES", 40)
    short = st.text(alphabet='a",\n\r é', max_size=30)
    for content in make(short, 1_000):
        expected = [record for record in naive.records_of(content, 2, True) if len(naive.lines_of(record[1])) > 1]
        found = spanning._spanning(io.StringIO(content, newline=""), 2)
        assert [(r.first_line, r.raw, fields_over_lines(r)) for r in found] == expected, (SEED, content)


def fields_over_lines(record: spanning.SpanningRecord) -> list[str]:
    return [spanning._unquoted(field) for field in record.fields]


def test_a_file_without_open_quotes_is_not_read_by_this_process(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("lakehouse.landing.lines.spanning_records", lambda *_: pytest.fail("read"))
    content = ",".join(SONGS.column_names) + '\nt1,"A, ""b""",a1,x"y,,,,\nt2,"wrong"ly,a1,,,,,\n'
    assert lines_in(spark, tmp_path, SONGS, content).spanning == ()


def test_a_quote_that_closes_rows_later_takes_no_row_with_it(spark, tmp_path):
    lines = [
        't1,"Unclosed start,a1,Nova,,,,',
        "t2,River,a1,Nova,,,,",
        't3,12" version,a1,Nova,,,,',
        "t4,Last,a1,Nova,,,,",
        't5,"Fine, too",a1,Nova,,,,',
    ]
    found = read(spark, tmp_path, SONGS, "\n".join([",".join(SONGS.column_names), *lines, ""]))
    assert [(number, raw) for number, raw, _ in found] == list(enumerate(lines, start=2))
    assert [fields is None for _, _, fields in found] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("length", "is_one"), [(spanning.LONGEST_RECORD_BYTES, True), (spanning.LONGEST_RECORD_BYTES + 1, False)]
)
def test_a_record_of_too_many_bytes_never_closes(tmp_path, length, is_one):
    start, end = 'a,"\n', '"'
    # é is two bytes
    filler = "é" + "x" * (length - len((start + end).encode()) - 2)
    path = tmp_path / "x.csv"
    path.write_text(f"h,h\n{start}{filler}{end}\nb,c\n", encoding="utf-8", newline="")
    found = list(spanning_records(str(path), 2))
    assert [(record.first_line, record.last_line) for record in found] == ([(2, 3)] if is_one else [])


def test_a_file_of_quotes_that_never_close_is_read_in_a_time_that_grows_with_its_size(tmp_path):
    """Each of a hundred thousand lines opens a quote: to look ahead 64 KiB for each would take hours."""
    path = tmp_path / "x.csv"
    path.write_text("h,h\n" + 'a,"b\n' * 100_000, encoding="utf-8")
    assert list(spanning_records(str(path), 2)) == []


def test_a_long_field_in_quotes_needs_no_stack(spark, tmp_path):
    line = f'1,"{"ab" * 500_000}""{"c,d" * 100_000}",t,like,now'
    [(_, raw, fields)] = read(spark, tmp_path, EVENTS, f"header\n{line}\n")
    assert raw == line
    assert [len(part) for part in fields] == [1, 1_300_001, 1, 4, 3]


def test_bytes_that_are_no_utf_8_are_replacement_characters(spark, tmp_path):
    path = tmp_path / "events.csv"
    path.write_bytes(b'header\n"a\xff",b\xed\xa0\x80\nc\xe9,d\n')
    found = LandingLines.of(spark, EVENTS, str(path), 1).records(spark).select("fields").collect()
    assert all("\ufffd" in row["fields"][0] for row in found)


def test_the_header_is_no_record_of_a_file_that_many_tasks_read(spark, tmp_path):
    lines = [f"u{number},v{number}" for number in range(5_000)] + ["user_id_a,user_id_b"]
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "16k")
    try:
        landing = lines_in(spark, tmp_path, FOLLOWS, "\n".join(["", "user_id_a,user_id_b", *lines]))
        landing = LandingLines(FOLLOWS, landing.uri, 2, ())
        found = landing.records(spark).where(F.size("fields") == 2).select("raw").collect()
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    # A row that says the same as the header is a row.
    assert sorted(row["raw"] for row in found) == sorted(lines)
