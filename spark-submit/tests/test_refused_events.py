"""Rows that are in bronze and break the definition of a listen: set aside, and nothing else is any different for them."""

import hashlib
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from bronze_rows import put_in_files, put_in_stream
from build_features import build_features
from build_silver import build_silver
from deltalake import DeltaTable
from forget_user import forget_user
from load_bronze import load_bronze
from pyspark.sql import functions as F
from worlds import INGESTED_AT, bronze_params, events_file, rows, run, silver_params, songs_file, table, users_file

from lakehouse.acceptance.rules import rules
from lakehouse.contracts import lake_tables
from lakehouse.refused_events import refusal

GOOD = "2025-01-07T05:00:00Z"
DERIVED = [
    each.path
    for each in lake_tables()
    if each.layer == "silver"
    or each.name in ("daily_activity", "artist_weekly_stats", "user_features", "track_features")
]
# Both of the case sentinel-time-stops-every-refresh, the file of listen-in-the-future, and times that Python has no date for.
SENTINELS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2099-01-06T10:00:00Z", "+10000-01-01T05:00:00Z"]
WEEKS = [date(2024, 12, 17), date(2024, 12, 24), date(2024, 12, 31), date(2025, 1, 7)]


def bad(name: str, at: str) -> tuple:
    return (name, "ada", "t1", "complete_listen", at)


def lines_of(week: date) -> list[str]:
    return [
        f"{week}-{user}-{day},u{user},t{(user + day) % 4},complete_listen,"
        f"{date.fromordinal(week.toordinal() - day)}T10:00:00Z"
        for user in range(3)
        for day in range(3)
    ]


@pytest.fixture(scope="module")
def refreshed_once(spark, tmp_path_factory):
    """Four weeks of three users, refreshed once."""
    folder = tmp_path_factory.mktemp("four-weeks")
    lake, landing = f"{folder}/lake", folder / "landing"
    events = events_file(landing, [line for week in WEEKS for line in lines_of(week)])
    songs = songs_file(landing, [f"t{n},Song {n},a{n},Artist {n},pop,1,," for n in range(4)])
    users = users_file(landing, [f"u{n},User {n},pop," for n in range(3)])
    run(load_bronze, spark, bronze_params(lake, [events, songs, users]))
    World(spark, lake, landing).refresh("first")
    return lake


@pytest.fixture
def world(refreshed_once, spark, lake, tmp_path):
    shutil.copytree(refreshed_once, lake)
    return World(spark, lake, tmp_path / "landing")


class World:
    def __init__(self, spark, lake: str, landing: Path):
        self.spark, self.lake, self.landing = spark, lake, landing

    def refresh(self, run_key: str, **more) -> dict:
        params = silver_params(self.lake, run_key, **more)
        result = run(build_silver, self.spark, params)
        return {**result, "features": run(build_features, self.spark, params)}

    def versions(self) -> dict[str, int]:
        return {path: DeltaTable(f"{self.lake}/{path}").version() for path in DERIVED}

    def contents(self) -> dict[str, list]:
        return {path: sorted(map(repr, as_text(table(self.lake, path)).to_pylist())) for path in DERIVED}


def as_text(found: pa.Table) -> pa.Table:
    """Times as numbers: Python has no year 10000."""
    names = [name for name in found.column_names if pa.types.is_timestamp(found.schema.field(name).type)]
    for name in names:
        found = found.set_column(found.column_names.index(name), name, found.column(name).cast(pa.int64()))
    return found


def refused(lake: str) -> list[tuple]:
    found = as_text(table(lake, "silver/refused_events")).select(["event_id", "source", "reason"]).to_pylist()
    return sorted(tuple(row.values()) for row in found)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (("e", "u", "t", "like", GOOD), None),
        (("e", "u", "t", "like", "2002-10-01T00:00:00Z"), None),
        (("e", "u", "t", "like", "2002-09-30T23:59:59.999999Z"), "too_early_timestamp"),
        # INGESTED_AT is 2025-02-01T00:00Z: one hour after it is the last moment.
        (("e", "u", "t", "like", "2025-02-01T01:00:00Z"), None),
        (("e", "u", "t", "like", "2025-02-01T01:00:00.000001Z"), "too_late_timestamp"),
        (("e", "u", "t", "danced", GOOD), "unknown_event_type"),
        (("e", "u", "t\u0085", "like", GOOD), "control_character_track_id"),
        (("e", "u\u2028", "t", "like", GOOD), "control_character_user_id"),
        (("e\u0000", "u", "t", "like", GOOD), "control_character_event_id"),
        (("e\u007f", "u", "t", "like", GOOD), "control_character_event_id"),
        (("e\n", "", "t", "like", GOOD), "control_character_event_id"),
        (("e", "\ufeff\u00a0 \u3000", "t", "like", GOOD), "missing_user_id"),
        (("", "u", "t", "like", GOOD), "missing_event_id"),
        (("e", " u ", "t", "like", GOOD), None),
        (("e", "u", "\U0001f3b5" * 200, "like", GOOD), None),
        (("e", "u", "\U0001f3b5" * 201, "like", GOOD), "too_long_track_id"),
        ((None, "u", "t", "like", GOOD), "missing_event_id"),
        (("e", "u", "t", None, GOOD), "missing_event_type"),
        (("e", "u", "t", "like", None), "missing_timestamp"),
    ],
)
def test_the_first_rule_a_row_breaks_is_its_reason(spark, event, reason):
    found = spark.createDataFrame(
        [event], "event_id string, user_id string, track_id string, event_type string, timestamp string"
    ).withColumns(
        {"timestamp": F.col("timestamp").cast("timestamp"), "_ingested_at": F.lit(INGESTED_AT).cast("timestamp")}
    )
    assert found.select(refusal(rules().earliest)).collect()[0][0] == reason


@pytest.mark.parametrize("put", [put_in_files, put_in_stream])
def test_rows_that_python_has_no_date_for_are_set_aside_and_nothing_else_changes(world, put):
    before, versions = world.contents(), world.versions()
    put(world.spark, world.lake, [bad(f"bad{n}", at) for n, at in enumerate(SENTINELS)])
    result = world.refresh("second")
    assert result["refused"] == {"too_early_timestamp": 1, "too_late_timestamp": 3}
    assert (result["mode"], result["weeks"], result["lastWeekEnd"]) == ("weeks", [], "2025-01-07")
    assert [event for event, _, _ in refused(world.lake)] == ["bad0", "bad1", "bad2", "bad3"]
    changed = {path for path, version in world.versions().items() if version != versions[path]}
    assert changed == {"silver/refused_events"}
    after = world.contents()
    assert {path for path in DERIVED if after[path] != before[path]} == {"silver/refused_events"}
    # A second refresh writes nothing, a whole one comes to the same.
    again = world.versions()
    assert world.refresh("third")["refused"] == result["refused"]
    assert world.versions() == again
    whole = world.refresh("fourth", force=True)
    assert (whole["mode"], whole["refused"], whole["checks"]["warnings"]) == ("whole", result["refused"], [])
    assert world.contents() == after


def test_good_rows_beside_refused_ones_are_refreshed_by_weeks_as_if_built_at_once(world):
    week = WEEKS[-1]
    events = [bad("x1", SENTINELS[0]), bad("x2", GOOD), ("x3", "", "t1", "like", GOOD), bad("x4", SENTINELS[1])]
    put_in_files(world.spark, world.lake, events)
    # Delivered again by the stream, once wrongly: the good delivery counts.
    put_in_stream(world.spark, world.lake, [bad("x1", GOOD), bad("x2", SENTINELS[1]), bad("x5", SENTINELS[2])])
    result = world.refresh("second")
    assert (result["mode"], result["weeks"]) == ("weeks", [str(week)])
    assert result["refused"] == {"missing_user_id": 1, "too_early_timestamp": 1, "too_late_timestamp": 3}
    kept = dict(rows(world.lake, "silver/listening_events", "event_id", "source"))
    assert {name: kept.get(name) for name in ("x1", "x2", "x3", "x4", "x5")} == {
        "x1": "stream",
        "x2": "file",
        "x3": None,
        "x4": None,
        "x5": None,
    }
    by_weeks = world.contents()
    assert world.refresh("whole", force=True)["mode"] == "whole"
    assert world.contents() == by_weeks


def test_a_row_that_leaves_bronze_leaves_the_refused_ones(world):
    put_in_files(world.spark, world.lake, [bad("x1", SENTINELS[0]), bad("x2", SENTINELS[1])])
    put_in_stream(world.spark, world.lake, [bad("x3", SENTINELS[1]), bad("x3", SENTINELS[1])])
    assert len(world.refresh("second") and refused(world.lake)) == 4
    put_in_files(world.spark, world.lake, [bad("x2", SENTINELS[1])])
    result = world.refresh("third")
    assert result["refused"] == {"too_late_timestamp": 3}
    assert refused(world.lake) == [
        ("x2", "file", "too_late_timestamp"),
        ("x3", "stream", "too_late_timestamp"),
        ("x3", "stream", "too_late_timestamp"),
    ]
    # As docs/runbooks/refused-events.md has it.
    DeltaTable(f"{world.lake}/bronze/listening_events_stream").delete("_partition = 0 AND _offset IN (0, 1)")
    put_in_files(world.spark, world.lake, [])
    assert world.refresh("fourth")["refused"] == {}
    assert refused(world.lake) == []


def test_refused_rows_are_known_when_good_weeks_came_in_between(world):
    """The table's own note is then older than that of the events."""
    new = date(2025, 1, 14)
    run(load_bronze, world.spark, bronze_params(world.lake, [weekly(world, new)]))
    assert world.refresh("second")["weeks"] == [str(new)]
    put_in_files(world.spark, world.lake, [bad("x1", SENTINELS[0])])
    assert world.refresh("third")["refused"] == {"too_early_timestamp": 1}
    later = date(2025, 1, 21)
    run(load_bronze, world.spark, bronze_params(world.lake, [weekly(world, later)]))
    put_in_files(world.spark, world.lake, [bad("x1", SENTINELS[0]), bad("x2", SENTINELS[1])])
    result = world.refresh("fourth")
    assert (result["mode"], result["weeks"]) == ("weeks", [str(later)])
    assert refused(world.lake) == [("x1", "file", "too_early_timestamp"), ("x2", "file", "too_late_timestamp")]


def weekly(world, week: date) -> dict:
    return events_file(world.landing, lines_of(week), file=f"fact_listening_events_{week}.csv")


def test_a_verdict_goes_by_the_rows_own_time_of_arrival_and_another_earliest_makes_all_anew(world):
    listen = bad("early", "2025-02-01T12:00:00Z")
    put_in_files(world.spark, world.lake, [listen])
    assert world.refresh("second", checkedAt="2025-06-01T00:00:00Z")["refused"] == {"too_late_timestamp": 1}
    # The same row, taken half a day later, is good.
    put_in_files(world.spark, world.lake, [listen], ingested_at="2025-02-01T11:30:00Z")
    assert world.refresh("third")["refused"] == {}
    assert ("early",) in rows(world.lake, "silver/listening_events", "event_id")
    result = world.refresh("fourth", earliest="2025-01-01T00:00:00Z")
    assert (result["mode"], result["refused"]) == ("whole", {"too_early_timestamp": 27})
    assert min(rows(world.lake, "silver/listening_events", "event_date"))[0] >= date(2025, 1, 1)


def test_a_lake_of_refused_rows_alone_is_refreshed(spark, lake, tmp_path):
    songs, users = songs_file(tmp_path, ["t1,One,a1,Ann,pop,1,,"]), users_file(tmp_path, ["u1,Una,,"])
    run(load_bronze, spark, bronze_params(lake, [songs, users]))
    put_in_files(spark, lake, [bad(f"x{n}", at) for n, at in enumerate(SENTINELS)])
    put_in_stream(spark, lake, [bad("x9", SENTINELS[0])])
    for run_key in ("first", "second"):
        result = run(build_silver, spark, silver_params(lake, run_key))
        assert result["refused"] == {"too_early_timestamp": 2, "too_late_timestamp": 3}
        assert (result["lastWeekEnd"], result["pendingWeeks"], result["pendingEvents"]) == (None, 0, 0)
        run(build_features, spark, silver_params(lake, run_key))
    assert rows(lake, "gold/user_features", "user_id", "listens") == [("u1", 0)]


def test_a_forgotten_user_goes_out_of_the_refused_ones(world):
    put_in_files(world.spark, world.lake, [bad("x1", SENTINELS[0]), ("x2", "ben", "t1", "like", SENTINELS[1])])
    put_in_stream(world.spark, world.lake, [bad("x3", SENTINELS[1])])
    world.refresh("second")
    forgotten = Path(world.lake) / "_control" / "forgotten"
    forgotten.mkdir(parents=True)
    (forgotten / f"{hashlib.sha256(b'ada').hexdigest()}.json").write_text("{}")
    params = {"runKey": "forget", "userId": "ada", "forgottenAt": INGESTED_AT, "lakeUri": world.lake}
    counted = {each["table"]: each["rows"] for each in run(forget_user, world.spark, params)["tables"]}
    assert counted["silver/refused_events"] == 2
    assert refused(world.lake) == [("x2", "file", "too_late_timestamp")]
    assert world.refresh("third")["refused"] == {"too_late_timestamp": 1}
    assert refused(world.lake) == [("x2", "file", "too_late_timestamp")]
