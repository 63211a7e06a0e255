"""Bronze → silver: every event once, the weekly charts, similar tracks, the past of listeners. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from contextlib import closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.checks import Checks
from lakehouse.contracts import Table
from lakehouse.events_refresh import DUPLICATES, EVENTS, EventsRefresh, Refreshed, duplicate_counts
from lakehouse.incremental import Build
from lakehouse.job import run_job
from lakehouse.listener_tracks import LISTENER_TRACKS
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.refresh_report import report
from lakehouse.session import SHORT_QUERIES_AT_ONCE, side_by_side
from lakehouse.table_state import weeks_of
from lakehouse.weeks_refresh import (
    CHARTS,
    SIMILARITY,
    Lake,
    Written,
    refresh_charts,
    refresh_listener_tracks,
    refresh_similarity,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# What is made of the events, side by side.
REFRESHES = {
    CHARTS: refresh_charts,
    SIMILARITY: refresh_similarity,
    LISTENER_TRACKS: refresh_listener_tracks,
}


def build_silver(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key, build = params.text("lakeUri"), params.text("runKey"), Build.of(params)
    with progress.step("listening_events"):
        events = EventsRefresh(spark, lake_uri, run_key, params.one_of("weekEndsOn", WEEKDAYS), build).run()
    checks = Checks(spark, lake_uri, run_key, params.time("checkedAt"))

    def refresh(target: Table, lake: Lake) -> Written:
        if target in REFRESHES:
            with progress.step(target.name):
                written = REFRESHES[target](lake)
        else:
            written = Written(target, events.weeks)
        with progress.step(f"check {target.name}"):
            checks.check(target)
        return written

    with closing(Lake(spark, lake_uri, run_key, build)) as lake:
        works = [partial(refresh, target, lake) for target in (EVENTS, DUPLICATES, *REFRESHES)]
        works.append(partial(duplicate_counts, spark, lake_uri))
        *written, duplicates = side_by_side(spark, run_key, SHORT_QUERIES_AT_ONCE, lambda work: work(), works)
    with progress.step("record checks"):
        concluded = checks.conclude()
    with progress.step("read back"):
        tables = [report(lake_uri, each) for each in written]
        last_week_end = max(map(str, weeks_of(EVENTS, lake_uri)), default=None)
    return {
        "tables": tables,
        **_described(events),
        "duplicatesDropped": sum(duplicates.values()),
        "duplicates": duplicates,
        "checks": concluded,
        "lastWeekEnd": last_week_end,
    }


def _described(events: Refreshed) -> dict:
    weeks = None if events.weeks is None else sorted(map(str, events.weeks))
    return {
        "mode": "whole" if weeks is None else "weeks",
        "why": events.why,
        "weeks": weeks,
        "rowsRead": events.rows_read,
    }


if __name__ == "__main__":
    run_job("build_silver", build_silver)
