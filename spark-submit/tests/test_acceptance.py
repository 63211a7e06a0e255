"""The conformance lists of contracts/acceptance, by Spark's expressions and by the naive reading that other tests rely on."""

import naive
import pytest
from pyspark.sql import functions as F

from lakehouse.acceptance import texts
from lakehouse.acceptance.reasons import missing_reason, value_reasons
from lakehouse.acceptance.times import ListenTimes, instant
from lakehouse.contracts import table

TIMES, TEXTS = naive.conformance("times"), naive.conformance("texts")


def test_every_time_of_the_list_is_the_instant_it_says_or_nothing(spark):
    found = spark.createDataFrame([(entry["text"],) for entry in TIMES], "text string").select(
        "text", F.date_format(instant(F.col("text")), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").alias("instant")
    )
    assert {row["text"]: row["instant"] for row in found.collect()} == {e["text"]: e["instant"] for e in TIMES}


def test_every_text_of_the_list_has_the_problem_it_says(spark):
    # JSON holds unpaired surrogates that no UTF-8 can: their three bytes are what other programs write for them.
    encoded = [(_bytes(entry["text"]),) for entry in TEXTS]
    text = F.col("bytes").cast("string")
    rows = spark.createDataFrame(encoded, "bytes binary").select(texts.problem(text, "id", True).alias("problem"))
    assert [row["problem"] for row in rows.collect()] == [entry["problem"] for entry in TEXTS]


def _bytes(text: str) -> bytes:
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return paired.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(("kind", "longest"), [("id", 200), ("name", 1000)])
@pytest.mark.parametrize("character", ["x", "é", "🎵"])
def test_a_length_counts_characters_and_no_bytes(spark, kind, longest, character):
    given = spark.createDataFrame([(character * longest,), (character * (longest + 1),)], "text string")
    found = given.select(texts.problem(F.col("text"), kind, False).alias("problem")).collect()
    assert [row["problem"] for row in found] == [None, "too_long"]


def test_a_text_that_may_be_left_out_may_be_blanks_however_many(spark):
    given = spark.createDataFrame(
        [("",), (" \u3000" * 900,), ("\t",), (" " * 900 + "x" * 101,), (None,)], "text string"
    )
    found = given.select(texts.problem(F.col("text"), "name", False).alias("problem")).collect()
    assert [row["problem"] for row in found] == [None, None, "control_character", "too_long", None]


def test_the_naive_reading_agrees_with_both_lists():
    since = naive.micros("1970-01-01T00:00Z")
    for entry in TIMES:
        expected = entry["instant"] and naive.micros(entry["instant"])
        assert naive.micros(entry["text"]) == expected, entry
    for entry in TEXTS:
        paired = entry["text"].encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        assert naive.text_problem(paired, "id") == entry["problem"], entry
    assert naive.micros("1970-01-01T00:00:00.000001Z") == since + 1


def test_the_range_holds_both_its_ends_and_compares_instants(spark):
    times = ListenTimes.until("2025-02-01T02:00:00+02:00")
    given = [
        ("2002-10-01T00:00:00Z", None),
        ("2002-09-30T23:59:59.999999Z", "too_early"),
        ("2002-10-01T00:00:00+00:01", "too_early"),
        ("2025-02-01T01:00:00Z", None),
        ("2025-02-01T01:00:00.000001Z", "too_late"),
        ("2025-02-01T02:30:00+02:00", None),
        ("2025-01-31T23:30:00-18:00", "too_late"),
        ("9999-12-31T23:59:59-18:00", "too_late"),
        ("0001-01-01T00:00:00+18:00", "too_early"),
    ]
    rows = spark.createDataFrame(given, "text string, expected string")
    found = rows.select("text", times.problem(instant(F.col("text"))).alias("problem")).collect()
    assert [(row["text"], row["problem"]) for row in found] == given


def test_the_earliest_time_is_a_setting(spark):
    times = ListenTimes.until("2025-02-01T00:00:00Z", earliest="1970-01-01T00:00:00Z")
    rows = spark.createDataFrame([("1970-01-01T00:00:00Z",), ("1969-12-31T23:59:59Z",)], "text string")
    found = rows.select(times.problem(instant(F.col("text"))).alias("problem")).collect()
    assert [row["problem"] for row in found] == [None, "too_early"]


def test_a_typed_row_has_the_reason_that_a_door_would_give(spark):
    events = table("bronze", "listening_events_stream")
    columns = [column for column in events.columns if column.text or column.name in ("event_type", "timestamp")]
    good = ("e", "u", "t", "like", "2025-01-07T05:00:00Z", None, None)
    given = [
        (good, None),
        (("\x85e", *good[1:]), "control_character_event_id"),
        ((*good[:1], "\u3000", *good[2:]), "missing_user_id"),
        ((*good[:2], "t" * 201, *good[3:]), "too_long_track_id"),
        ((*good[:3], "danced", *good[4:]), "unknown_event_type"),
        ((*good[:4], "0001-01-01T00:00:00Z", *good[5:]), "too_early_timestamp"),
        ((*good[:4], "9999-12-31T23:59:59Z", *good[5:]), "too_late_timestamp"),
        ((*good[:4], None, *good[5:]), "missing_timestamp"),
        ((*good[:5], "a\u2028b", None), "control_character_title"),
    ]
    names = ["event_id", "user_id", "track_id", "event_type", "timestamp", "title", "artist_name"]
    rows = spark.createDataFrame([row for row, _ in given], ", ".join(f"{name} string" for name in names))
    rows = rows.withColumn("timestamp", F.col("timestamp").cast("timestamp"))
    times = ListenTimes.until("2025-02-01T00:00:00Z")
    missing = [missing_reason(c, F.col(c.name), is_text=c.type == "string") for c in columns if c.required]
    reason = F.coalesce(*missing, *(each for c in columns for each in value_reasons(c, F.col(c.name), times)))
    assert [row["reason"] for row in rows.select(reason.alias("reason")).collect()] == [said for _, said in given]
