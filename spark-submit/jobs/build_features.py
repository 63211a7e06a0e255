"""Silver → gold's weekly statistics and features. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.checks import Checks
from lakehouse.contracts import table
from lakehouse.events_refresh import EVENTS, SONGS, USERS
from lakehouse.features import pairs_of, track_features, user_features
from lakehouse.incremental import Build, Recipe
from lakehouse.job import run_job
from lakehouse.listener_tracks import past_of
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.refresh_report import report
from lakehouse.session import side_by_side
from lakehouse.weekly_stats import artist_weekly_stats, daily_activity, genre_weekly_stats
from lakehouse.weeks_refresh import Lake, Written, refresh_weekly, refresh_whole

WEEKLY = {
    "artist_weekly_stats": artist_weekly_stats,
    "genre_weekly_stats": genre_weekly_stats,
    "daily_activity": lambda events, _: daily_activity(events),
}


def build_features(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    parts = {name: partial(_weekly, name) for name in WEEKLY} | {"features": _features}
    checks = Checks(spark, lake_uri, run_key, params.time("checkedAt"))

    def write(name: str, lake: Lake) -> list[Written]:
        with progress.step(name):
            written = parts[name](lake)
        with progress.step(f"check {name}"):
            for each in written:
                checks.check(each.table)
        return written

    with closing(Lake(spark, lake_uri, run_key, Build.of(params))) as lake:
        # After a further week each part is short queries, each planned by a single thread.
        of_parts = side_by_side(spark, run_key, len(parts), partial(write, lake=lake), parts)
        written = list(chain.from_iterable(of_parts))
    with progress.step("record checks"):
        concluded = checks.conclude()
    with progress.step("read back"):
        reports = [report(lake_uri, each) for each in written]
    return {"tables": reports, "checks": concluded}


def _weekly(name: str, lake: Lake) -> list[Written]:
    return [refresh_weekly(lake, table("gold", name), WEEKLY[name])]


def _features(lake: Lake) -> list[Written]:
    """Both tables are made of the same pairs, which are made once."""
    events, past = lake.read(EVENTS, lake.recipe()), past_of(lake.spark, lake.lake_uri)
    last_week = None if lake.data is None else lake.data.last_week
    pairs = pairs_of(events if past is None else past.since(events), last_week, past).persist()
    users, tracks = table("gold", "user_features"), table("gold", "track_features")

    def of_users(recipe: Recipe):
        return user_features(pairs, lake.read(USERS, recipe), lake.songs(recipe))

    def of_tracks(recipe: Recipe):
        return track_features(pairs, lake.songs(recipe))

    try:
        return [
            refresh_whole(lake, users, [EVENTS, SONGS, USERS], of_users),
            refresh_whole(lake, tracks, [EVENTS, SONGS], of_tracks),
        ]
    finally:
        pairs.unpersist()


if __name__ == "__main__":
    run_job("build_features", build_features)
