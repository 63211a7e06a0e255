"""A lake brought up to date piece by piece is, row for row, the lake that is built of everything at once."""

import json
import shutil
from datetime import date

import pytest
from build_features import build_features
from build_silver import build_silver
from deltalake import DeltaTable
from load_bronze import load_bronze
from pyspark.sql import functions as F
from worlds import INGESTED_AT, bronze_params, events_file, rows, run, silver_params, songs_file, table, users_file

import lakehouse.events_refresh as events_refresh
from lakehouse.contracts import table as contract
from lakehouse.tables import append_rows, create_table

DERIVED = [
    "silver/listening_events",
    "silver/duplicate_events",
    "silver/refused_events",
    "silver/active_users",
    "silver/weekly_trending_tracks",
    "silver/song_similarity",
    "silver/listener_tracks",
    "gold/artist_weekly_stats",
    "gold/genre_weekly_stats",
    "gold/daily_activity",
    "gold/user_features",
    "gold/track_features",
]
SONGS = [f"t{n},Song {n},a{n % 3},Artist {n % 3},{'pop' if n % 2 else 'rock'},1,," for n in range(6)]
USERS = ["u1,Una,pop,2024-01-01", "u2,Ugo,,2024-01-01", "u9,Quiet,rock,"]
RENAMED = "t0,Renamed,a0,Artist 0,rock,1,,"
NEW = date(2024, 12, 31)
# Tuesdays; twenty weeks, so that a few of them are few.
WEEKS = [date.fromordinal(date(2024, 8, 13).toordinal() + 7 * week) for week in range(20)]


def week_lines(week: date, tag: str = "") -> list[str]:
    """Ten events of one week: five days, two users."""
    return [
        f"{week}-{day}-{user}{tag},{user},t{(day + len(user) + int(user[1])) % 6},"
        f"{'like' if day == 2 else 'complete_listen'},{date.fromordinal(week.toordinal() - day)}T10:00:00Z"
        for day in range(5)
        for user in ("u1", "u2")
    ]


@pytest.fixture(scope="module")
def refreshed_once(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twenty-weeks")
    w = World(spark, f"{folder}/lake", folder / "landing")
    year = [line for week in WEEKS for line in week_lines(week)]
    w.load(events_file(w.landing, year), songs_file(w.landing, SONGS), users_file(w.landing, USERS))
    w.refresh("first")
    return w


@pytest.fixture
def world(refreshed_once, lake, tmp_path):
    """Twenty weeks in one file, loaded and refreshed; what a test changes is then loaded and refreshed by weeks."""
    shutil.copytree(refreshed_once.lake, lake)
    return World(refreshed_once.spark, lake, tmp_path / "landing")


class World:
    def __init__(self, spark, lake, landing):
        self.spark, self.lake, self.landing = spark, lake, landing

    def load(self, *files: dict) -> None:
        run(load_bronze, self.spark, bronze_params(self.lake, list(files)))

    def weekly(self, week: date, lines: list[str]) -> dict:
        return events_file(self.landing, lines, file=f"fact_listening_events_{week}.csv")

    def stream(self, *events: tuple[str, str, str, str, str]) -> None:
        """Appends records to bronze listening_events_stream: (event_id, user, track, type, timestamp)."""
        target = contract("bronze", "listening_events_stream")
        create_table(self.spark, target, self.lake)
        found = self.spark.createDataFrame(
            [(*event, offset) for offset, event in enumerate(events)],
            "event_id string, user_id string, track_id string, event_type string, at string, _offset long",
        )
        filled = found.select(
            "*",
            F.col("at").cast("timestamp").alias("timestamp"),
            F.col("at").cast("timestamp").alias("received_at"),
            F.to_date("at").alias("event_date"),
            F.lit("user_listening_history").alias("_topic"),
            F.lit(0).alias("_partition"),
            F.lit(INGESTED_AT).cast("timestamp").alias("_ingested_at"),
        )
        others = [F.lit(None).alias(c.name) for c in target.columns if c.name not in filled.columns]
        append_rows(filled.select("*", *others), target, self.lake, f"stream/{events}", 1)

    def refresh(self, run_key: str, **more) -> dict:
        params = silver_params(self.lake, run_key, **more)
        result = run(build_silver, self.spark, params)
        return {**result, "features": run(build_features, self.spark, params)}

    def contents(self) -> dict[str, list]:
        """Every derived table, its rows in order."""
        return {path: sorted(map(repr, table(self.lake, path).to_pylist())) for path in DERIVED}

    def assert_is_as_if_built_at_once(self) -> None:
        by_weeks = self.contents()
        forced = self.refresh("whole", force=True)
        assert forced["mode"] == "whole"
        at_once = self.contents()
        for path in DERIVED:
            assert by_weeks[path] == at_once[path], path


def written(result: dict) -> dict[str, list[str] | None]:
    reports = [*result["tables"], *result["features"]["tables"]]
    return {report["table"]: report["weeksWritten"] for report in reports}


def test_one_new_week_rewrites_that_week_alone_and_nothing_new_writes_nothing(world):
    world.load(world.weekly(NEW, week_lines(NEW)))
    result = world.refresh("second")
    assert (result["mode"], result["weeks"], result["rowsRead"]) == ("weeks", [str(NEW)], 10)
    by_table = written(result)
    for path in ("silver/listening_events", "silver/weekly_trending_tracks", "gold/daily_activity"):
        assert by_table[path] == [str(NEW)], path
    # It is the first week of a block of four: what is heard together is looked at when the block is whole.
    assert by_table["silver/song_similarity"] == by_table["silver/listener_tracks"] == []

    before = {path: DeltaTable(f"{world.lake}/{path}").version() for path in DERIVED}
    again = world.refresh("third")
    assert (again["mode"], again["weeks"], again["why"]) == ("weeks", [], "nothing new in bronze")
    assert before == {path: DeltaTable(f"{world.lake}/{path}").version() for path in DERIVED}
    note = json.loads(DeltaTable(f"{world.lake}/gold/daily_activity").history(1)[0]["userMetadata"])
    assert (note["build"], set(note["inputs"])) == ("b1", {"silver/listening_events", "bronze/dim_songs"})


def test_duplicates_late_weeks_corrections_and_late_songs_end_as_if_all_had_come_at_once(world):
    a_week, later, late = WEEKS[2], WEEKS[7], WEEKS[4]
    first, second = (line.split(",")[0] for line in week_lines(a_week)[:2])
    shared = week_lines(WEEKS[1])[0].split(",")[0]
    weekly = [
        *week_lines(NEW),
        # Twice in this file; events of the year's file, of other weeks; one that the stream has, too; an unknown track.
        week_lines(NEW)[0],
        f"{first},u2,t5,like,{later}T12:00:00Z",
        f"live,u1,t1,like,{later}T12:00:00Z",
        f"x,u1,unknown,like,{NEW}T12:00:00Z",
    ]
    world.load(
        world.weekly(NEW, [*weekly, f"{shared},u2,t4,like,{later}T13:00:00Z"]),
        world.weekly(late, week_lines(late, "-late")),
    )
    world.stream(
        ("live", "u1", "t1", "like", "2024-11-19T12:00:00Z"),
        (second, "u1", "t2", "like", "2024-11-20T12:00:00Z"),
        ("twice", "u1", "t2", "like", "2024-11-20T12:00:00Z"),
        ("twice", "u1", "t2", "like", "2024-11-20T12:00:00Z"),
    )
    result = world.refresh("second")
    assert result["mode"] == "weeks", result["why"]
    assert result["duplicates"] == {"within_file": 1, "across_files": 2, "within_stream": 1, "against_stream": 2}
    kept = {row[0]: row[1:] for row in rows(world.lake, "silver/listening_events", "event_id", "source", "week_end")}
    # '-' sorts before '.': fact_listening_events_2024-….csv is the first name, so its copies are the ones kept.
    assert (kept[first], kept[shared], kept["live"]) == (("file", later), ("file", later), ("file", later))
    assert (kept[second], kept["twice"]) == (("file", a_week), ("stream", date(2024, 11, 26)))
    assert chart_titles(world)["unknown"] is None

    # The weekly file is corrected: the year's row of a shared event counts again. The unknown track gets its song row.
    world.load(
        world.weekly(NEW, weekly), songs_file(world.landing, [*SONGS[1:], "unknown,Found,a9,Ann,folk,1,,", RENAMED])
    )
    result = world.refresh("third")
    assert set(result["weeks"]) == {str(WEEKS[1]), str(later), str(NEW)}
    assert dict(rows(world.lake, "silver/listening_events", "event_id", "week_end"))[shared] == WEEKS[1]
    assert (chart_titles(world)["unknown"], chart_titles(world)["t0"]) == ("Found", "Renamed")
    world.assert_is_as_if_built_at_once()


def test_a_run_that_died_between_two_tables_is_taken_up_and_compaction_is_no_news(world, monkeypatch):
    world.load(world.weekly(NEW, week_lines(NEW)))
    world.spark.sql(f"OPTIMIZE delta.`{world.lake}/bronze/fact_listening_events`").collect()
    write_weeks = events_refresh.write_weeks

    def dies(rows_, target, *rest):
        if target.name == "duplicate_events":
            raise RuntimeError("killed")
        write_weeks(rows_, target, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(events_refresh, "write_weeks", dies)
        with pytest.raises(RuntimeError, match="killed"):
            run(build_silver, world.spark, silver_params(world.lake, "second"))
    world.refresh("second")
    world.spark.sql(f"OPTIMIZE delta.`{world.lake}/silver/listening_events`").collect()
    # The week is taken back: it is gone from every table. A track that nobody heard gives an artist whom all did another name.
    world.load(world.weekly(NEW, []), songs_file(world.landing, [*SONGS, "unheard,Unheard,a1,Zoe,pop,1,,"]))
    assert world.refresh("third")["weeks"] == [str(NEW)]
    assert max(week for (week,) in rows(world.lake, "gold/daily_activity", "week_end")) == WEEKS[-1]
    # Another setting makes everything anew, so there is nothing that is not as if built at once.
    by_weeks = world.contents()
    assert world.refresh("fourth", build="b2")["mode"] == "whole"
    assert world.contents() == by_weeks


def chart_titles(world) -> dict[str, str | None]:
    return dict(rows(world.lake, "silver/weekly_trending_tracks", "track_id", "title"))
