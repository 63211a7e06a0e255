from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from hashlib import sha256

import pytest
from load_bronze import load_bronze
from worlds import (
    EVENTS_HEADER,
    USERS_HEADER,
    bronze_params,
    events_file,
    landing_file,
    rows,
    run,
    songs_file,
    table,
    version,
)

from lakehouse.errors import BadParameters, BrokenContract

EVENTS = "bronze/fact_listening_events"
REFUSED = "quarantine/fact_listening_events"
GOOD = "1,u1,t1,like,2024-03-05T10:00:00Z"


def load(spark, lake, *files):
    return run(load_bronze, spark, bronze_params(lake, list(files)))


def test_an_event_gets_its_types_its_partition_and_where_it_came_from(spark, lake, tmp_path):
    result = load(spark, lake, events_file(tmp_path, ["e1,u1,t1,complete_listen,2024-12-31T23:59:59.5Z"]))

    assert table(lake, EVENTS).to_pylist() == [
        {
            "event_id": "e1",
            "user_id": "u1",
            "track_id": "t1",
            "event_type": "complete_listen",
            "timestamp": datetime(2024, 12, 31, 23, 59, 59, 500_000, tzinfo=timezone.utc),
            "event_date": date(2024, 12, 31),
            "year": 2024,
            "month": 12,
            "_source_file": "fact_listening_events_2024.csv",
            "_ingested_at": datetime(2025, 2, 1, tzinfo=timezone.utc),
        }
    ]
    assert result["files"] == [
        {
            "file": "fact_listening_events_2024.csv",
            "table": "fact_listening_events",
            "bronze": 1,
            "quarantined": 0,
            "reasons": {},
            "tableVersion": version(lake, EVENTS),
        }
    ]


def test_each_broken_rule_sends_its_row_to_quarantine_with_text_line_and_reason(spark, lake, tmp_path):
    refused = [
        (2, ",u1,t1,like,2024-03-05T10:00:00Z", "missing_event_id"),
        (3, "2,,t1,like,2024-03-05T10:00:00Z", "missing_user_id"),
        (4, '3,"  ",t1,like,2024-03-05T10:00:00Z', "missing_user_id"),
        (5, "4,u1,,like,2024-03-05T10:00:00Z", "missing_track_id"),
        (6, "5,u1,t1,,2024-03-05T10:00:00Z", "missing_event_type"),
        (7, "6,u1,t1,like,", "missing_timestamp"),
        (8, "7,u1,t1,listened,2024-03-05T10:00:00Z", "unknown_event_type"),
        (9, "8,u1,t1,like,05.03.2024", "bad_timestamp"),
        (10, "9,u1,t1,like", "wrong_column_count"),
        (11, "10,u1,t1,like,2024-03-05T10:00:00Z,more", "wrong_column_count"),
        (12, "just words", "wrong_column_count"),
        (13, EVENTS_HEADER, "unknown_event_type"),
        (14, '14,"u1,t1,like,2024-03-05T10:00:00Z', "unclosed_quote"),
        (15, '15,"u1"x,t1,like,2024-03-05T10:00:00Z', "unclosed_quote"),
        (16, "16,u1,t\x85,like,2024-03-05T10:00:00Z", "control_character_track_id"),
        (17, f"17,{'u' * 201},t1,like,2024-03-05T10:00:00Z", "too_long_user_id"),
        (18, "18,u1,t1,like,0001-01-01T00:00:00Z", "too_early_timestamp"),
        (19, "19,u1,t1,like,2025-02-01T02:30:00+01:00", "too_late_timestamp"),
        (20, "20,u1,t1,like,2024-07-07T05:00:00 BST", "bad_timestamp"),
        (21, "," * 1_000_000, "wrong_column_count"),
        (22, '"",' * 100_000, "wrong_column_count"),
    ]
    file = events_file(tmp_path, [*(text for _, text, _ in refused), GOOD])

    result = load(spark, lake, file)

    assert rows(lake, EVENTS, "event_id") == [("1",)]
    found = table(lake, REFUSED).sort_by("line_number").to_pylist()
    assert [(row["line_number"], row["raw"], row["reason"]) for row in found] == refused
    assert {row["source_file"] for row in found} == {"fact_listening_events_2024.csv"}
    assert {row["detected_at"] for row in found} == {datetime(2025, 2, 1, tzinfo=timezone.utc)}
    [told] = result["files"]
    assert (told["bronze"], told["quarantined"]) == (1, 21)
    assert told["reasons"]["wrong_column_count"] == 5
    assert sum(told["reasons"].values()) == 21


def test_blank_lines_carriage_returns_and_a_byte_order_mark_are_no_content(spark, lake, tmp_path):
    lines = ["", EVENTS_HEADER, GOOD, "", "   ", "\t", "2,,t1,like,2024-03-05T10:00:00Z", ""]
    content = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    file = landing_file(tmp_path, "fact_listening_events.csv", "fact_listening_events", content, rows=2)

    load(spark, lake, file)

    assert rows(lake, EVENTS, "event_id", "event_type") == [("1", "like")]
    # Lines of the file: 1 blank, 2 header, 3 the good row, 4-6 blank, 7 the refused one.
    assert rows(lake, REFUSED, "line_number", "raw") == [(7, "2,,t1,like,2024-03-05T10:00:00Z")]


def test_quotes_are_rfc_4180_and_a_backslash_is_a_letter(spark, lake, tmp_path):
    file = events_file(
        tmp_path, ['"1","u,1","t ""1""",like,"2024-03-05T10:00:00Z"', r"2,u\,t2,skip,2024-03-05T10:00:00Z"]
    )
    load(spark, lake, file)
    assert rows(lake, EVENTS, "event_id", "user_id", "track_id") == [("1", "u,1", 't "1"'), ("2", "u\\", "t2")]


def test_a_song_may_hold_quotes_and_what_is_empty_is_null(spark, lake, tmp_path):
    file = songs_file(
        tmp_path,
        [
            '1,"A song, in one line",a1,宇多田ヒカル,pop,181000,2019-03-01,0.5',
            '2,7" single,a2,"He said ""no""",,,,',
            '3,x,a3,b,"\u3000",,1987,1e-3',
            "   ",
        ],
        rows=3,
    )
    load(spark, lake, file)
    assert rows(
        lake,
        "bronze/dim_songs",
        "track_id",
        "title",
        "artist_name",
        "genre",
        "duration_ms",
        "release_date",
        "base_popularity",
    ) == [
        ("1", "A song, in one line", "宇多田ヒカル", "pop", 181000, date(2019, 3, 1), 0.5),
        ("2", '7" single', 'He said "no"', None, None, None, None),
        ("3", "x", "b", None, None, date(1987, 1, 1), 0.001),
    ]


def test_a_refused_song_is_numbered_by_the_line_it_starts_on(spark, lake, tmp_path):
    lines = [
        '1,"two\nlines",a1,b,pop,1,,',
        '2,"three\r\nmore\nlines",,b,pop,1,,',
        "3,ok,a1,b,pop,1,,",
        "4,x,a1,b,pop,long,,",
        "5,x,a1,b,pop,1,someday,",
        "6,x,a1,b,pop,1,,NaN",
        "7,x",
    ]
    load(spark, lake, songs_file(tmp_path, lines))
    # Header 1; song 1 on 2-3; song 2 on 4-6; song 3 on 7; and so on.
    assert rows(lake, "quarantine/dim_songs", "line_number", "reason", "raw") == [
        (10, "bad_base_popularity", lines[5]),
        (11, "wrong_column_count", lines[6]),
        (2, "control_character_title", lines[0]),
        (4, "missing_artist_id", lines[1]),
        (8, "bad_duration_ms", lines[3]),
        (9, "bad_release_date", lines[4]),
    ]
    assert rows(lake, "bronze/dim_songs", "track_id") == [("3",)]


def test_a_record_over_several_lines_counts_once_and_loads_where_no_text_holds_the_break(spark, lake, tmp_path):
    """A number may stand between line breaks: Spark reads it, and nothing that is kept holds them."""
    lines = ['1,x,a1,b,pop,"\n181000\n",,', "2,y,a1,b,pop,1,,"]
    [told] = load(spark, lake, songs_file(tmp_path, lines))["files"]
    assert (told["bronze"], told["quarantined"]) == (2, 0)
    assert rows(lake, "bronze/dim_songs", "track_id", "duration_ms") == [("1", 181000), ("2", 1)]


def test_a_quote_that_closes_rows_later_takes_no_row_with_it(spark, lake, tmp_path):
    lines = [
        't1,"Unclosed start,a1,Nova,,,,',
        "t2,River,a1,Nova,,,,",
        't3,12" version,a1,Nova,,,,',
        "t4,Last,a1,Nova,,,,",
        't5,"Fine, too",a1,Nova,,,,',
    ]
    [told] = load(spark, lake, songs_file(tmp_path, lines))["files"]
    assert (told["bronze"], told["quarantined"], told["reasons"]) == (4, 1, {"unclosed_quote": 1})
    assert rows(lake, "bronze/dim_songs", "track_id") == [("t2",), ("t3",), ("t4",), ("t5",)]
    assert rows(lake, "quarantine/dim_songs", "line_number", "reason", "raw") == [(2, "unclosed_quote", lines[0])]


def test_a_refused_row_of_a_forgotten_user_leaves_no_word_behind(spark, lake, tmp_path):
    """Also where its quotes do not close, so that nobody can say which field is the user's id."""
    hashes = tmp_path / "lake" / "_control" / "forgotten"
    hashes.mkdir(parents=True)
    (hashes / f"{sha256(b'u1').hexdigest()}.json").write_text("{}")
    lines = [GOOD, '2,u1,"t1,like,2024-03-05T10:00:00Z', "3,u1,t1", '4,u2,"t1,like,2024-03-05T10:00:00Z']
    load(spark, lake, events_file(tmp_path, lines))
    assert rows(lake, REFUSED, "line_number", "reason", "raw") == [
        (2, "user_forgotten", None),
        (3, "user_forgotten", None),
        (4, "user_forgotten", None),
        (5, "unclosed_quote", lines[3]),
    ]


def test_the_earliest_time_of_a_listen_is_a_parameter(spark, lake, tmp_path):
    file = events_file(tmp_path, ["1,u1,t1,like,2001-01-01T00:00:00Z", "2,u1,t1,like,1999-12-31T23:59:59Z"])
    run(load_bronze, spark, {**bronze_params(lake, [file]), "earliest": "2000-01-01T00:00:00Z"})
    assert rows(lake, EVENTS, "event_id") == [("1",)]
    assert rows(lake, REFUSED, "reason") == [("too_early_timestamp",)]


def test_bytes_that_are_no_utf_8_end_as_replacement_characters(spark, lake, tmp_path):
    """The check before the load refuses such a file; a load that is given one must leave tables that others can read."""
    content = f"{EVENTS_HEADER}\n".encode() + b"1,u\xff,t1,like,2024-03-05T10:00:00Z\n2,u\xe9,,,\n"
    file = landing_file(tmp_path, "fact_listening_events.csv", "fact_listening_events", content, rows=2)
    load(spark, lake, file)
    assert rows(lake, EVENTS, "user_id") == [("u\ufffd",)]
    assert rows(lake, REFUSED, "raw") == [("2,u\ufffd,,,",)]


def test_lines_are_numbered_through_a_file_that_many_tasks_read(spark, lake, tmp_path):
    lines = [f"{number},u{number},t,like,2024-03-05T10:00:00Z" for number in range(2, 5002)]
    bad = [17, 1234, 2500, 4999, 5001]
    for number in bad:
        lines[number - 2] = f"{number},,t,like,2024-03-05T10:00:00Z"
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "16k")
    try:
        result = load(spark, lake, events_file(tmp_path, lines))
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    assert result["files"][0]["bronze"] == 4995
    assert sorted(line for (line,) in rows(lake, REFUSED, "line_number")) == bad


def test_a_second_run_adds_no_version_and_no_row(spark, lake, tmp_path):
    file = events_file(tmp_path, [GOOD, "2,,t1,like,2024-03-05T10:00:00Z"])
    first = load(spark, lake, file)
    versions = (version(lake, EVENTS), version(lake, REFUSED))

    second = load(spark, lake, file)

    assert (version(lake, EVENTS), version(lake, REFUSED)) == versions
    assert second == first


def test_a_file_with_new_content_replaces_just_its_own_rows(spark, lake, tmp_path):
    weekly = events_file(tmp_path, ["w1,u1,t1,like,2025-01-02T10:00:00Z", "w2,,,,"], file="trends_2025-01-07.csv")
    year = events_file(tmp_path, ["1,u1,t1,like,2024-03-05T10:00:00Z", "2,u1,t1,like,2025-01-03T10:00:00Z", "3,,,,"])
    load(spark, lake, weekly, year)

    load(spark, lake, events_file(tmp_path, ["4,u1,t1,like,2024-03-05T10:00:00Z", "5,u1,,,", "6,u1,,,"]))

    assert rows(lake, EVENTS, "event_id", "_source_file") == [
        ("4", "fact_listening_events_2024.csv"),
        ("w1", "trends_2025-01-07.csv"),
    ]
    assert rows(lake, REFUSED, "raw", "source_file") == [
        ("5,u1,,,", "fact_listening_events_2024.csv"),
        ("6,u1,,,", "fact_listening_events_2024.csv"),
        ("w2,,,,", "trends_2025-01-07.csv"),
    ]


def test_rows_are_counted_by_file_also_where_compaction_put_several_files_together(spark, lake, tmp_path):
    first = events_file(tmp_path, [GOOD, "2,u1,t2,like,2024-03-05T11:00:00Z"], "fact_listening_events_a.csv")
    other = events_file(tmp_path, ["3,u2,t1,like,2024-03-06T10:00:00Z"], "fact_listening_events_b.csv")
    load(spark, lake, first, other)
    spark.sql(f"OPTIMIZE delta.`{lake}/{EVENTS}`").collect()
    mended = events_file(tmp_path, [GOOD], "fact_listening_events_a.csv")

    (result,) = load(spark, lake, mended)["files"]

    # The commit also writes the row of the other file again: both lay in one Parquet file.
    assert result["bronze"] == 1
    assert sorted(rows(lake, EVENTS, "event_id")) == [("1",), ("3",)]


def test_a_mended_file_leaves_quarantine(spark, lake, tmp_path):
    load(spark, lake, events_file(tmp_path, [GOOD, "2,,,,"]))
    result = load(spark, lake, events_file(tmp_path, [GOOD, "2,u2,t1,like,2024-03-05T10:00:00Z"]))
    assert rows(lake, REFUSED, "raw") == []
    assert (result["files"][0]["bronze"], result["files"][0]["quarantined"]) == (2, 0)


def test_two_loads_at_once_end_with_the_rows_of_one(spark, lake, tmp_path):
    year = events_file(tmp_path, [GOOD, "2,,t1,like,2024-03-05T10:00:00Z"])
    songs = songs_file(tmp_path, ["1,x,a1,b,pop,1,,", "2,x,,b,pop,1,,"])
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: load(spark.newSession(), lake, year, songs), range(2)))
    assert rows(lake, EVENTS, "event_id") == [("1",)]
    assert rows(lake, "bronze/dim_songs", "track_id") == [("1",)]
    assert rows(lake, REFUSED, "line_number") == [(3,)]
    for result in results:
        assert [(file["bronze"], file["quarantined"]) for file in result["files"]] == [(1, 1), (1, 1)]


def test_a_file_name_with_a_quote_is_only_a_name(spark, lake, tmp_path):
    other = events_file(tmp_path, [GOOD])
    odd = events_file(tmp_path, ["9,u1,t1,like,2024-03-05T10:00:00Z"], file="fact_listening_events_o'neil.csv")
    load(spark, lake, other, odd)
    load(spark, lake, other, odd)
    assert rows(lake, EVENTS, "event_id", "_source_file") == [
        ("1", "fact_listening_events_2024.csv"),
        ("9", "fact_listening_events_o'neil.csv"),
    ]


def test_a_file_with_a_header_alone_loads_nothing(spark, lake, tmp_path):
    file = landing_file(tmp_path, "dim_users.csv", "dim_users", f"{USERS_HEADER}\n", rows=0)
    result = load(spark, lake, file)
    assert (result["files"][0]["bronze"], result["files"][0]["quarantined"]) == (0, 0)
    assert rows(lake, "bronze/dim_users", "user_id") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("event_id,track_id,user_id,event_type,timestamp\n1,t,u,like,2024-03-05T10:00:00Z\n", "expected the header"),
        ("event_id,user_id\n1,u\n", "expected the header"),
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
    ],
)
def test_another_header_is_a_broken_contract_and_leaves_no_row(spark, lake, tmp_path, content, said):
    file = landing_file(tmp_path, "fact_listening_events.csv", "fact_listening_events", content, rows=1)
    with pytest.raises(BrokenContract, match=said):
        load(spark, lake, file)
    assert not (tmp_path / "lake" / EVENTS).exists()


def test_a_file_that_is_gone_is_named(spark, lake, tmp_path):
    file = events_file(tmp_path, [GOOD])
    (tmp_path / file["file"]).unlink()
    with pytest.raises(BrokenContract, match=r"fact_listening_events_2024\.csv: there is no such file"):
        load(spark, lake, file)


def test_a_table_without_a_contract_is_a_bad_parameter(spark, lake, tmp_path):
    file = {**events_file(tmp_path, [GOOD]), "table": "dim_podcasts"}
    with pytest.raises(BadParameters, match="dim_podcasts"):
        load(spark, lake, file)
