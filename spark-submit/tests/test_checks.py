"""Checks of a table against its contract: what they see, what they stop, and that nothing is forgotten."""

from datetime import date

import pytest
from bronze_rows import put_in_files
from build_silver import build_silver
from load_bronze import load_bronze
from worlds import INGESTED_AT, bronze_params, events_file, rows, run, silver_params, songs_file, users_file

from lakehouse.checks import Checks, check_table
from lakehouse.contracts import Check, Table, table
from lakehouse.errors import FailedChecks
from lakehouse.freshness import newest_that_counts
from lakehouse.listening_events import FILES
from lakehouse.tables import append_rows, create_table

GENRES = table("gold", "genre_weekly_stats")
WEEK = date(2025, 1, 7)
COLUMNS = (
    "week_end date, genre string, listens long, likes long, skips long, unique_listeners long, listen_share double"
)


def write(spark, lake, *values, target: Table = GENRES, key: str = "k", schema: str = COLUMNS) -> None:
    create_table(spark, target, lake)
    append_rows(spark.createDataFrame(list(values), schema), target, lake, key, 1)


def check_genres(spark, lake: str, run_key: str) -> dict:
    checks = Checks(spark, lake, run_key, INGESTED_AT)
    checks.check(GENRES)
    return checks.conclude()


def failed(results) -> dict[str, float]:
    return {result.check: result.observed for result in results if not result.is_passed}


def test_a_key_that_is_not_unique_and_values_out_of_range_are_counted(spark, lake):
    write(spark, lake, (WEEK, "pop", 3, 0, 0, 2, 0.5), (WEEK, "pop", 3, 0, 0, 2, 0.5), (WEEK, "rock", -1, 0, 0, 2, 1.5))
    # silver/listening_events is not there: freshness cannot be behind it.
    assert failed(check_table(spark, GENRES, lake)) == {
        "week_end, genre is not unique": 1,
        "listens is out of range": 1,
        "listen_share is out of range": 1,
    }


def test_limits_of_a_range_are_in_it_and_null_is_for_required_columns_to_refuse(spark, lake):
    write(spark, lake, (WEEK, "pop", 0, 0, 0, 0, 0.0), (WEEK, "rock", 5, 0, 0, 1, 1.0))
    assert failed(check_table(spark, GENRES, lake)) == {}


def test_an_empty_table_passes(spark, lake):
    create_table(spark, GENRES, lake)
    assert failed(check_table(spark, GENRES, lake)) == {}


def test_the_share_of_values_that_another_table_has_is_measured_by_distinct_value(spark, lake):
    key = table("gold", "user_features").columns[:1]
    check = Check("references", "user_id", False, 0.9, None, ("bronze", "dim_users"), "user_id")
    mine = Table("gold", "mine", key, (), ("user_id",), (), (check,))
    users = Table("bronze", "dim_users", key, (), ("user_id",))
    write(spark, lake, ("u1",), ("u2",), target=users, schema="user_id string")
    write(spark, lake, ("u1",), ("u1",), ("u2",), ("u3",), target=mine, schema="user_id string")
    # u1 and u2 of three distinct values.
    assert failed(check_table(spark, mine, lake)) == {"user_id in bronze/dim_users": pytest.approx(2 / 3)}


def test_a_failed_hard_check_stops_until_the_same_rows_pass(spark, lake):
    write(spark, lake, (WEEK, "pop", -1, 0, 0, 1, 0.5))
    for run_key in ("r1", "r2"):
        with pytest.raises(
            FailedChecks, match=r"gold/genre_weekly_stats version 1: listens is out of range is 1, expected 0 rows"
        ):
            check_genres(spark, lake, run_key)
    kept = rows(lake, "gold/table_checks", "run_key", "check", "is_hard", "is_passed", "observed")
    assert [row for row in kept if not row[3]] == [
        ("r1", "listens is out of range", True, False, 1.0),
        ("r2", "listens is out of range", True, False, 1.0),
    ]


def test_only_weeks_that_are_new_since_the_last_pass_are_looked_at(spark, lake):
    write(spark, lake, (WEEK, "pop", 1, 0, 0, 1, 1.0), key="k1")
    check_genres(spark, lake, "r1")
    write(spark, lake, (date(2025, 1, 14), "pop", 1, 0, 0, 1, 1.0), key="k2")
    check_genres(spark, lake, "r2")
    scopes = {row for row in rows(lake, "gold/table_checks", "run_key", "scope")}
    assert scopes == {("r1", "all rows"), ("r2", "weeks 2025-01-14")}
    assert check_genres(spark, lake, "r3")["checked"] == 1


def test_a_key_of_a_new_week_is_looked_for_in_all_others_also_where_files_are_skipped(spark, lake):
    events = table("silver", "listening_events")

    def add(week: date, *ids: str) -> None:
        values = [(name, "u1", "t1", "like", week, week) for name in ids]
        columns = "event_id string, user_id string, track_id string, event_type string, event_date date, week_end date"
        described = spark.createDataFrame(values, columns).selectExpr(
            "*",
            "timestamp(event_date) AS timestamp",
            "'file' AS source",
            "'f.csv' AS _source_file",
            "true AS is_known_track",
            "true AS is_known_user",
        )
        missing = [f"NULL AS {c.name}" for c in events.columns if c.name not in described.columns]
        create_table(spark, events, lake)
        rows_of = described.selectExpr("*", *missing)
        append_rows(rows_of, events, lake, str(week), 1)

    def doubled(passed: int) -> float:
        [result] = [one for one in check_table(spark, events, lake, passed) if one.check == "event_id is not unique"]
        return result.observed

    add(date(2025, 1, 7), "a", "b", "m")
    add(date(2025, 1, 14), "n", "z")
    add(date(2025, 1, 21), "c", "m")
    add(date(2025, 1, 28), "o", "p")
    assert [doubled(passed) for passed in (1, 2, 3)] == [1, 1, 0]


def test_a_refresh_warns_of_unknown_tracks_and_goes_on(spark, lake, tmp_path):
    events = [f"{n},u1,t{n},like,2025-01-06T10:00:00Z" for n in range(10)]
    files = [events_file(tmp_path, events), songs_file(tmp_path, ["t1,One,a1,Ann,pop,1,,"])]
    run(load_bronze, spark, bronze_params(lake, [*files, users_file(tmp_path, ["u1,Una,,"])]))
    result = run(build_silver, spark, silver_params(lake))
    # One of ten tracks is known.
    assert any(
        "is_known_track is true is 0.1, expected a share of at least 0.9" in w for w in result["checks"]["warnings"]
    )


def test_a_listen_before_the_earliest_time_that_is_set_makes_no_table_look_late(spark, lake):
    put_in_files(spark, lake, [("e1", "ada", "t1", "like", "2024-12-31T10:00:00Z")])

    def newest(than: date | None, earliest: str) -> date | None:
        return newest_that_counts(spark, FILES, lake, "event_date", than, earliest)

    assert newest(None, "2002-10-01T00:00:00Z") == date(2024, 12, 31)
    assert newest(date(2024, 12, 1), "2002-10-01T00:00:00Z") == date(2024, 12, 31)
    assert newest(None, "2025-01-01T00:00:00Z") is None
