"""What a table's log says of it is what its rows say."""

from dataclasses import replace
from datetime import date

import pytest
from deltalake import write_deltalake
from pyarrow import table as arrow

from lakehouse.contracts import table
from lakehouse.errors import BrokenContract
from lakehouse.table_state import describe_table, range_of, read_small, rows_in, weeks_of
from lakehouse.tables import append_rows, conform_table, create_table, delete_rows

# Partitioned by week_end; event_date is among its statsColumns, active_users is not.
DAYS = table("gold", "daily_activity")
FIRST, SECOND = date(2025, 1, 7), date(2025, 1, 14)
COLUMNS = "week_end date, event_date date, listens long, likes long, skips long, active_users long, tracks_heard long"


def write(spark, lake: str, key: str, *days: tuple[date, date]) -> None:
    create_table(spark, DAYS, lake)
    append(spark, lake, key, *days)


def append(spark, lake: str, key: str, *days: tuple[date, date]) -> None:
    rows = spark.createDataFrame([(week, day, 1, 0, 0, 1, 1) for week, day in days], COLUMNS)
    append_rows(rows, DAYS, lake, key, 1)


def test_rows_weeks_and_days_are_those_of_the_version_that_is_asked_for(spark, lake):
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)), (FIRST, date(2025, 1, 6)))
    write(spark, lake, "b", (SECOND, date(2025, 1, 9)))
    assert describe_table(DAYS, lake) == {"table": "gold/daily_activity", "version": 2, "rows": 3}
    assert weeks_of(DAYS, lake) == {FIRST, SECOND}
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 2), date(2025, 1, 9))
    assert range_of(spark, DAYS, lake, "week_end") == (FIRST, SECOND)
    assert (rows_in(DAYS, lake, 1), weeks_of(DAYS, lake, 1)) == (2, {FIRST})
    assert range_of(spark, DAYS, lake, "event_date", 1) == (date(2025, 1, 2), date(2025, 1, 6))


def test_rows_that_are_deleted_are_in_it_no_longer(spark, lake):
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)), (FIRST, date(2025, 1, 6)))
    write(spark, lake, "b", (SECOND, date(2025, 1, 9)))
    delete_rows(spark, DAYS, lake, "event_date IN (DATE'2025-01-02', DATE'2025-01-09')")
    assert (rows_in(DAYS, lake), weeks_of(DAYS, lake)) == (1, {FIRST})
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 6), date(2025, 1, 6))


def test_a_table_without_a_row_has_no_week_and_no_day(spark, lake):
    create_table(spark, DAYS, lake)
    assert (rows_in(DAYS, lake), weeks_of(DAYS, lake)) == (0, set())
    assert range_of(spark, DAYS, lake, "event_date") is None
    assert range_of(spark, DAYS, lake, "week_end") is None


def test_days_are_read_from_the_rows_where_a_writer_left_their_limits_out(spark, lake):
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)))
    spark.sql(f"ALTER TABLE delta.`{DAYS.uri(lake)}` SET TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'listens')")
    append(spark, lake, "b", (SECOND, date(2025, 1, 9)))
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 2), date(2025, 1, 9))


def test_rows_are_counted_in_the_files_of_a_writer_that_did_not_say_how_many(spark, lake):
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)))
    spark.conf.set("spark.databricks.delta.stats.collect", "false")
    try:
        write(spark, lake, "b", (SECOND, date(2025, 1, 9)), (SECOND, date(2025, 1, 10)))
    finally:
        spark.conf.unset("spark.databricks.delta.stats.collect")
    assert (rows_in(DAYS, lake), weeks_of(DAYS, lake)) == (3, {FIRST, SECOND})
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 2), date(2025, 1, 10))


def test_another_writer_of_the_format_says_the_same(spark, lake):
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)))
    row = {"week_end": [SECOND], "event_date": [date(2025, 1, 9)]}
    row |= {name: [1] for name in ("listens", "likes", "skips", "active_users", "tracks_heard")}
    write_deltalake(DAYS.uri(lake), arrow(row), mode="append")
    assert (rows_in(DAYS, lake), weeks_of(DAYS, lake)) == (2, {FIRST, SECOND})
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 2), date(2025, 1, 9))


def test_a_table_that_is_not_there_is_named(spark, lake):
    with pytest.raises(BrokenContract, match="gold/daily_activity"):
        rows_in(DAYS, lake)


def test_a_small_table_is_read_as_it_is_now(spark, lake):
    results = table("gold", "user_features")
    create_table(spark, results, lake)
    assert read_small(results, lake, ["user_id"]).num_rows == 0
    columns = ", ".join(f"{column.name} {column.spark_type}" for column in results.columns)
    for user in ("a", "b"):
        row = [user if column.name == "user_id" else None if not column.required else 1 for column in results.columns]
        rows = spark.createDataFrame([tuple(row)], columns)
        append_rows(rows, results, lake, user, 1)
    delete_rows(spark, results, lake, "user_id = 'a'")
    assert read_small(results, lake, ["user_id"]).to_pydict() == {"user_id": ["b"]}


def test_a_table_of_another_layout_or_with_other_statistics_is_made_anew_once(spark, lake):
    former = replace(DAYS, columns=DAYS.columns[:-1], partition_by=(), stats_columns=("active_users",))
    create_table(spark, former, lake)
    conform_table(spark, DAYS, lake)
    assert describe_table(DAYS, lake)["version"] == 1
    write(spark, lake, "a", (FIRST, date(2025, 1, 2)))
    other = "'delta.dataSkippingStatsColumns' = 'active_users'"
    spark.sql(f"ALTER TABLE delta.`{DAYS.uri(lake)}` SET TBLPROPERTIES ({other})").collect()
    conform_table(spark, DAYS, lake)
    made = describe_table(DAYS, lake)
    conform_table(spark, DAYS, lake)
    assert describe_table(DAYS, lake) == made == {"table": "gold/daily_activity", "version": 4, "rows": 0}
    write(spark, lake, "b", (SECOND, date(2025, 1, 9)))
    assert range_of(spark, DAYS, lake, "event_date") == (date(2025, 1, 9), date(2025, 1, 9))
    assert not spark.read.format("delta").load(DAYS.uri(lake)).schema["listens"].nullable
