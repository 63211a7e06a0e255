"""Rows that a job commits itself: the same tables as by Spark, each commit once."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from build_features import build_features
from build_silver import build_silver
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from small_lakes import LAST_DAY, add_events, of_files, plays, write_bronze
from test_incremental import DERIVED
from worlds import run, silver_params, table, version

from lakehouse import delta_rs, few_rows
from lakehouse.contracts import table as contract
from lakehouse.delta_log import commit_note
from lakehouse.delta_rs import Commit, add_rows, arrow_schema, replace_rows
from lakehouse.few_rows import append_few, overwrite_few
from lakehouse.layout import Layout
from lakehouse.table_state import row_files
from lakehouse.tables import conform_table, retry_conflicts

DAYS = contract("gold", "daily_activity")
WEEKS = [date(2025, 1, 7), date(2025, 1, 14)]


def days(*weeks: date, listens: int = 1) -> list[dict]:
    counts = {"likes": 0, "skips": 0, "active_users": 1, "tracks_heard": 1}
    return [{"event_date": week, "week_end": week, "listens": listens, **counts} for week in weeks]


def few(*weeks: date, listens: int = 1) -> pa.Table:
    return pa.Table.from_pylist(days(*weeks, listens=listens), schema=arrow_schema(DAYS))


def weeks_of(lake: str) -> dict[date, int]:
    found = table(lake, DAYS.path).to_pylist()
    assert len({row["week_end"] for row in found}) == len(found)
    return {row["week_end"]: row["listens"] for row in found}


def nothing() -> None:
    """No other job took over."""


@pytest.fixture
def made(spark, lake) -> str:
    conform_table(spark, DAYS, lake)
    return lake


def test_a_lake_refreshed_by_the_job_is_the_lake_that_spark_writes(spark, tmp_path, monkeypatch):
    """All rows and weeks of a refresh at once and of one by weeks; layouts, notes and what the logs say of files."""
    lakes = {way: f"{tmp_path}/{way}" for way in ("job", "spark")}
    events = plays(["u1", "u2", "u3"], 30, 60, 60)
    later = [(user, track, kind, day + timedelta(days=14)) for user, track, kind, day in events[-3:]]
    for lake in lakes.values():
        write_bronze(lake, of_files(events))
    for key in ("whole", "weeks"):
        for way, lake in lakes.items():
            monkeypatch.setattr(few_rows, "MOST_ROWS", -1 if way == "spark" else 250_000)
            params = silver_params(lake, run_key=key)
            assert run(build_silver, spark, params)["mode"] == key
            run(build_features, spark, params)
        for path in DERIVED:
            of = contract(*path.split("/"))
            # The users of each day are few in any lake.
            by_spark = "delta-rs" if path == "silver/active_users" else "Spark"
            assert [_engine(lake, path) for lake in lakes.values()] == ["delta-rs", by_spark], path
            assert _sorted(lakes["job"], path) == _sorted(lakes["spark"], path), path
            assert Layout.of_lake(of, lakes["job"]) == Layout.of_lake(of, lakes["spark"]), path
            assert commit_note(of, lakes["job"]) == commit_note(of, lakes["spark"]), path
            assert _limits(lakes["job"], path) == _limits(lakes["spark"], path), path
        for lake in lakes.values():
            add_events(lake, later, len(events))


def test_a_commit_is_made_once_however_often_and_by_whomever_it_is_written(made):
    for _ in range(2):
        add_rows(few(WEEKS[0]), DAYS, made, Commit("one"), nothing)
    add_rows(few(WEEKS[1]), DAYS, made, Commit("two"), nothing)
    at = version(made, DAYS.path)
    add_rows(few(WEEKS[0], listens=9), DAYS, made, Commit("one"), nothing)
    assert weeks_of(made) == dict.fromkeys(WEEKS, 1)
    assert version(made, DAYS.path) == at


def test_a_commit_that_spark_made_is_not_made_again_nor_the_other_way_round(spark, made):
    ours, theirs = Commit("ours"), Commit("theirs")
    add_rows(few(WEEKS[0]), DAYS, made, ours, nothing)
    frame = spark.createDataFrame(few(WEEKS[1]))
    for key in (ours.key, theirs.key):
        few_rows.append_rows(frame, DAYS, made, key, 1)
    add_rows(few(WEEKS[0], listens=9), DAYS, made, theirs, nothing)
    assert weeks_of(made) == dict.fromkeys(WEEKS, 1)


@pytest.mark.parametrize("is_same_unit", [True, False])
def test_of_two_at_the_same_moment_the_second_looks_again(made, monkeypatch, is_same_unit):
    """Another process commits after this one has looked, before it writes."""
    opened, beside = delta_rs.open_delta, Commit("first" if is_same_unit else "beside")

    def overtaken(*which):
        found = opened(*which)
        monkeypatch.setattr(delta_rs, "open_delta", opened)
        add_rows(few(WEEKS[0]), DAYS, made, beside, nothing)
        return found

    tries = []

    def write():
        tries.append(1)
        add_rows(few(WEEKS[0 if is_same_unit else 1]), DAYS, made, Commit("first"), nothing)

    monkeypatch.setattr(delta_rs, "open_delta", overtaken)
    with pytest.raises(CommitFailedError):
        write()
    monkeypatch.setattr(delta_rs, "open_delta", overtaken)
    retry_conflicts(write)
    expected = WEEKS[:1] if is_same_unit else WEEKS
    assert weeks_of(made) == dict.fromkeys(expected, 1)


def test_a_job_whose_session_another_one_has_ended_commits_nothing(spark, made, monkeypatch):
    def ended(_):
        raise RuntimeError("INVALID_HANDLE.SESSION_CLOSED")

    monkeypatch.setattr(few_rows, "require_session", ended)
    with pytest.raises(RuntimeError, match="SESSION_CLOSED"):
        append_few(spark, days(WEEKS[0]), DAYS, made, Commit("late"))
    assert weeks_of(made) == {}


def test_weeks_are_replaced_alone_and_a_row_of_another_week_is_refused(made):
    replace_rows(few(*WEEKS), DAYS, made, Commit("all"), nothing)
    condition = f"week_end IN (DATE'{WEEKS[1]}')"
    replace_rows(few(WEEKS[1], listens=5), DAYS, made, Commit("again", condition=condition), nothing)
    with pytest.raises(DeltaError, match="1 rows failed validation"):
        replace_rows(few(WEEKS[0], listens=7), DAYS, made, Commit("wrong", condition=condition), nothing)
    assert weeks_of(made) == {WEEKS[0]: 1, WEEKS[1]: 5}


def test_a_required_value_that_is_missing_is_refused(made):
    rows = few(WEEKS[0]).set_column(2, "listens", pa.array([None], pa.int64()))
    with pytest.raises((DeltaError, ValueError)):
        add_rows(rows, DAYS, made, Commit("null"), nothing)
    assert weeks_of(made) == {}


def test_where_one_driver_alone_may_write_spark_writes(spark, lake):
    spark.conf.set("spark.hadoop.segue.logstore.single.driver", "true")
    try:
        overwrite_few(spark, days(WEEKS[0]), DAYS, lake, Commit("all"))
        append_few(spark, days(WEEKS[1]), DAYS, lake, Commit("more"))
        assert {entry.get("engineInfo", "")[:12] for entry in DeltaTable(f"{lake}/{DAYS.path}").history()} == {
            "Apache-Spark"
        }
    finally:
        spark.conf.unset("spark.hadoop.segue.logstore.single.driver")
    assert weeks_of(lake) == dict.fromkeys(WEEKS, 1)


def test_sources_are_few_together(lake):
    write_bronze(lake, of_files([("u1", "t1", "complete_listen", LAST_DAY)]))
    versions = {"bronze/fact_listening_events": 0, "bronze/dim_songs": 0, "bronze/listening_events_stream": None}
    assert few_rows.are_few(versions, lake)


def _sorted(lake: str, path: str) -> list[str]:
    return sorted(map(repr, table(lake, path).to_pylist()))


def _engine(lake: str, path: str) -> str:
    return "delta-rs" if "delta-rs" in DeltaTable(f"{lake}/{path}").history(1)[0]["engineInfo"] else "Spark"


def _limits(lake: str, path: str) -> dict:
    """By partition: rows, the least and the greatest value of the first column that the log tells limits of."""
    of = contract(*path.split("/"))
    found: dict = {}
    for file in row_files(of, lake, version(lake, path), of.stats_columns[0] if of.stats_columns else None):
        at = tuple(file.partition.values())
        rows, least, most = found.get(at, (0, *(file.limits or (None, None))))
        if file.limits:
            least, most = min(least, file.limits[0]), max(most, file.limits[1])
        found[at] = (rows + file.rows, least, most)
    return found
