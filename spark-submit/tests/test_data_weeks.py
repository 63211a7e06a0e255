"""The data's last week: one user's listens move neither it nor anything that goes by it."""

import shutil
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from bronze_rows import put_in_files, put_in_stream
from build_features import build_features
from build_gold import build_gold
from build_silver import build_silver
from evaluate_model import evaluate_model
from export_snapshot import export_snapshot
from load_bronze import load_bronze
from worlds import INGESTED_AT, bronze_params, events_file, rows, run, silver_params, songs_file, table, users_file

from lakehouse.data_weeks import data_weeks, first_that_counts, last_that_counts, weeks_of_days
from lakehouse.training_data import sources_of

LAST = date(2024, 12, 31)
A_WEEK = timedelta(days=7)
WEEKS = [LAST - A_WEEK * back for back in (3, 2, 1, 0)]
FAR, PAST = date(2025, 1, 28), date(2009, 7, 7)
TRACKS = 48


def lines_of(week: date, users: range = range(12)) -> list[str]:
    """Twelve listens of each user, on seven days, of tracks of their own half for the most part."""
    return [
        f"{week}-u{user}-{n},u{user},t{(user % 2) * 24 + (user * 5 + n * 7 + week.toordinal()) % 24:02},complete_listen,"
        f"{week - timedelta(days=n % 7)}T{8 + user % 12:02}:00:00Z"
        for user in users
        for n in range(12)
    ]


class World:
    def __init__(self, spark, lake: str, landing: Path):
        self.spark, self.lake, self.landing = spark, lake, landing

    def load(self, lines: list[str], **more) -> None:
        files = [events_file(self.landing, lines, **more)]
        run(load_bronze, self.spark, bronze_params(self.lake, files))

    def refresh_tables(self, run_key: str, **more) -> dict:
        """The jobs of a refresh up to the features."""
        params = silver_params(self.lake, run_key, **more)
        silver = run(build_silver, self.spark, params)
        return {**silver, "features": run(build_features, self.spark, params)}

    def refresh(self, run_key: str, **more) -> dict:
        """All jobs of a refresh; gold's lists by what was judged."""
        tables = self.refresh_tables(run_key, **more)
        model = {"runKey": run_key, "lakeUri": self.lake, "modelVersion": f"m-{run_key}", "build": "b1", "seed": 42}
        judged = run(evaluate_model, self.spark, {**model, "evaluatedAt": INGESTED_AT, "force": False, "k": 10})
        run(build_gold, self.spark, {**model, "recommendationsPerUser": 20})
        return {**tables, "judged": judged}

    def lists(self) -> dict[str, list[str]]:
        lists = table(self.lake, "gold/user_recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")])
        found = defaultdict(list)
        for row in lists.select(["user_id", "track_id"]).to_pylist():
            found[row["user_id"]].append(row["track_id"])
        return found

    def snapshot(self, folder: Path, model: str) -> dict[str, list[dict]]:
        params = {"runKey": "s", "lakeUri": self.lake, "modelVersion": model, "generatedAt": INGESTED_AT, "shards": 1}
        uri = f"file://{folder}/serving/snapshots/{model}"
        run(export_snapshot, self.spark, {**params, "snapshotUri": uri})
        files = (folder / "serving" / "snapshots" / model).glob("*.arrow")
        return {file.stem: pa.ipc.open_file(file.read_bytes()).read_all().to_pylist() for file in files}

    def weekly(self) -> dict[str, list[str]]:
        """What depends on weeks, row by row."""
        return {
            path: sorted(map(repr, table(self.lake, path).to_pylist()))
            for path in (
                "silver/weekly_trending_tracks",
                "silver/song_similarity",
                "silver/listener_tracks",
                "gold/daily_activity",
                "gold/artist_weekly_stats",
                "gold/genre_weekly_stats",
            )
        }


@pytest.fixture(scope="module")
def refreshed_once(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("four-weeks")
    world = World(spark, f"{folder}/lake", folder / "landing")
    songs = [f"t{n:02},Song {n},a{n % 16},Artist {n % 16},{'pop' if n < 24 else 'rock'},1,," for n in range(TRACKS)]
    files = [songs_file(world.landing, songs), users_file(world.landing, ["u0,Una,pop,"])]
    run(load_bronze, spark, bronze_params(world.lake, files))
    world.load([line for week in WEEKS for line in lines_of(week)])
    return world, world.refresh("first")


@pytest.fixture
def world(refreshed_once, lake, tmp_path):
    shutil.copytree(refreshed_once[0].lake, lake)
    return World(refreshed_once[0].spark, lake, tmp_path / "landing")


def listens(user: str, week: date, tracks: range) -> list[tuple]:
    at = week - timedelta(days=1)
    return [(f"far-{user}-{week}-{n}", user, f"t{n:02}", "complete_listen", f"{at}T10:00:{n:02}Z") for n in tracks]


def test_a_week_counts_with_enough_users_beside_the_weeks_before_it():
    def last(*users: int) -> int:
        weeks = {LAST + A_WEEK * place: count for place, count in enumerate(users)}
        return (last_that_counts(weeks) - LAST) // A_WEEK

    # Of one or two users each week counts; beside three, one is not enough.
    assert [last(1), last(1, 1, 1), last(2, 1), last(3, 1), last(3, 2), last(1, 3, 1)] == [0, 2, 1, 0, 1, 1]
    # One percent of the most, rounded up: of 200 two, of 201 three, of 1,000 ten.
    assert [last(200, 2), last(201, 2), last(201, 3), last(1000, 9), last(1000, 50, 9), last(1000, 50, 10)] == [
        1,
        0,
        1,
        0,
        1,
        2,
    ]
    # A pending week counts with all that is before a later one that has enough.
    assert last(1000, 3, 20) == 2
    assert first_that_counts({LAST: 1, LAST + A_WEEK: 2, LAST + A_WEEK * 2: 12}) == LAST + A_WEEK


def test_of_the_last_week_a_day_counts_by_the_same_rule():
    def day(back: int, users: int, week: date = LAST, week_users: int = 12) -> dict:
        counts = {"users": users, "week_users": week_users, "week_events": 20}
        return {"event_date": week - timedelta(days=back), "week_end": week, **counts}

    before = [day(back, 9, LAST - A_WEEK) for back in range(7)]
    found = weeks_of_days([*before, day(3, 6), day(2, 2), day(1, 1), day(0, 1), day(3, 1, FAR, 1)])
    assert (found.first_day, found.last_day) == (LAST - A_WEEK - timedelta(days=6), LAST - timedelta(days=2))
    assert (found.last_week, found.newest_day, found.weeks) == (LAST, LAST, {LAST - A_WEEK, LAST})
    assert (found.pending_weeks, found.pending_events) == (1, 20)


def test_one_user_in_a_far_newer_week_and_one_in_the_far_past_move_nothing(world, refreshed_once, tmp_path):
    first = refreshed_once[1]
    before, lists, split = world.weekly(), world.lists(), sources_of(world.lake)
    new = {f"t{n:02}" for n in range(12)}
    assert (first["lastWeekEnd"], first["pendingWeeks"], first["pendingEvents"]) == (str(LAST), 0, 0)
    charts = world.snapshot(tmp_path, "m-first")["trending"]

    # Tracks of the other half, some of which u1 is recommended.
    assert set(lists["u1"]) & new
    put_in_stream(world.spark, world.lake, listens("u1", FAR, range(12)) + listens("late", FAR - A_WEEK, range(3)))
    result = world.refresh("second")
    assert (result["mode"], result["weeks"]) == ("weeks", [str(FAR - A_WEEK), str(FAR)])
    assert (result["lastWeekEnd"], result["pendingWeeks"], result["pendingEvents"]) == (str(LAST), 2, 15)
    assert world.weekly() == before
    after = sources_of(world.lake)
    assert (after.first, after.split, after.block) == (split.first, split.split, split.block)
    assert {name: result["judged"][name] for name in ("split", "candidate", "baselines", "promoted", "weights")} == {
        name: first["judged"][name] for name in ("split", "candidate", "baselines", "promoted", "weights")
    }
    assert_others_keep(lists, world.lists(), but="u1")
    warnings = [*result["checks"]["warnings"], *result["features"]["checks"]["warnings"]]
    assert not [warning for warning in warnings if "days behind" in warning]

    # They are in their users' history, and what u1 heard then is not recommended as new.
    served = world.snapshot(tmp_path, "m-second")
    assert served["trending"] == charts
    heard = defaultdict(set)
    for play in served["history"]:
        heard[play["user_id"]].add(play["track_id"])
    assert heard["late"] == {"t00", "t01", "t02"}
    assert new <= heard["u1"]
    assert not set(world.lists()["u1"]) & new
    assert next(row["tier"] for row in served["users"] if row["user_id"] == "late") == "cold_start"
    # Of late are the last four weeks that count.
    recent = dict(rows(world.lake, "gold/user_features", "user_id", "recent_listens"))
    assert (recent["u1"], recent["late"]) == (48, 0)

    put_in_files(world.spark, world.lake, listens("u2", PAST, range(0, 6)))
    third = world.refresh("third")
    assert (third["lastWeekEnd"], third["pendingWeeks"]) == (str(LAST), 2)
    after = sources_of(world.lake)
    assert (after.first, after.split, after.block) == (split.first, split.split, split.block)
    assert third["judged"]["split"] == first["judged"]["split"]
    assert_others_keep(lists, world.lists(), but=("u1", "u2"))
    # The past is data like any other: it has its chart, and the others are as they were.
    weeks = {week for (week,) in rows(world.lake, "silver/weekly_trending_tracks", "week_end")}
    assert weeks == {PAST, *WEEKS}
    assert set(before["silver/weekly_trending_tracks"]) < set(world.weekly()["silver/weekly_trending_tracks"])
    assert world.snapshot(tmp_path, "m-third")["trending"] == charts
    by_weeks = world.weekly()
    world.refresh_tables("whole", force=True)
    assert world.weekly() == by_weeks


def test_pending_weeks_count_as_soon_as_a_week_as_late_has_enough_users_and_may_be_pending_again(world):
    before = world.weekly()
    world.load(lines_of(FAR - A_WEEK, range(1)), file="fact_listening_events_one.csv")
    assert world.refresh_tables("second")["pendingWeeks"] == 1
    world.load(lines_of(FAR, range(3)), file="fact_listening_events_few.csv")
    result = world.refresh_tables("third")
    assert (result["lastWeekEnd"], result["pendingWeeks"], result["pendingEvents"]) == (str(FAR), 0, 0)
    # The week that was pending has its chart though nothing in it is new.
    weeks = {week for (week,) in rows(world.lake, "silver/weekly_trending_tracks", "week_end")}
    assert weeks == {*WEEKS, FAR - A_WEEK, FAR}
    assert {week for (week,) in rows(world.lake, "gold/daily_activity", "week_end")} == weeks
    assert sources_of(world.lake).split.until == FAR + timedelta(days=1)
    by_weeks = world.weekly()
    world.refresh_tables("whole", force=True)
    assert world.weekly() == by_weeks

    world.load([], file="fact_listening_events_few.csv")
    again = world.refresh_tables("fifth")
    assert (again["lastWeekEnd"], again["pendingWeeks"]) == (str(LAST), 1)
    assert world.weekly() == before


def test_a_refresh_with_nothing_new_writes_nothing_while_a_week_is_pending(world):
    put_in_stream(world.spark, world.lake, listens("u1", FAR, range(4)))
    world.refresh_tables("second")
    result = world.refresh_tables("third")
    written = {each["table"]: each["rowsWritten"] for each in [*result["tables"], *result["features"]["tables"]]}
    assert {path for path, count in written.items() if count} == set()


def test_the_weeks_of_one_user_all_count(spark, lake, tmp_path):
    world = World(spark, lake, tmp_path)
    songs = songs_file(tmp_path, [f"t{n:02},Song {n},a{n},Artist {n},pop,1,," for n in range(TRACKS)])
    run(load_bronze, spark, bronze_params(lake, [songs, users_file(tmp_path, ["u0,Una,pop,"])]))
    world.load([line for week in (*WEEKS, FAR) for line in lines_of(week, range(1))])
    result = run(build_silver, spark, silver_params(lake))
    assert (result["lastWeekEnd"], result["pendingWeeks"]) == (str(FAR), 0)
    assert {week for (week,) in rows(lake, "silver/weekly_trending_tracks", "week_end")} == {*WEEKS, FAR}
    found = data_weeks(lake)
    assert (found.first_week, found.last_day) == (WEEKS[0], FAR)


def assert_others_keep(before: dict[str, list[str]], after: dict[str, list[str]], but: str | tuple[str, ...]) -> None:
    """The others have at least nine in ten of their first twenty where they were, told together."""
    others = [user for user in before if user not in but]
    assert len(others) >= 10
    kept = sum(mine == theirs for user in others for mine, theirs in zip(before[user], after[user], strict=True))
    assert kept >= 0.9 * sum(len(before[user]) for user in others)
