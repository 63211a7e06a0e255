"""Bronze → silver: every event once, those refused, the weekly charts, similar tracks, the past of listeners. Parameters and
result: contracts/schemas/jobs.ts."""

import sys
from contextlib import closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.acceptance.rules import rules
from lakehouse.checks import Checks
from lakehouse.contracts import Table
from lakehouse.data_weeks import ACTIVE_USERS
from lakehouse.events_refresh import DUPLICATES, EVENTS, EventsRefresh, Refreshed, duplicate_counts
from lakehouse.incremental import Build
from lakehouse.job import run_job
from lakehouse.listener_tracks import LISTENER_TRACKS
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.refresh_report import report
from lakehouse.refused_events import REFUSED
from lakehouse.refused_refresh import refused_counts
from lakehouse.session import SHORT_QUERIES_AT_ONCE, side_by_side
from lakehouse.weeks_refresh import (
    CHARTS,
    SIMILARITY,
    Lake,
    Written,
    refresh_active_users,
    refresh_charts,
    refresh_listener_tracks,
    refresh_similarity,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# The tables that are made of the events, side by side.
REFRESHES = {
    CHARTS: refresh_charts,
    SIMILARITY: refresh_similarity,
    LISTENER_TRACKS: refresh_listener_tracks,
}


def build_silver(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key, build = params.text("lakeUri"), params.text("runKey"), Build.of(params)
    with progress.step("listening_events"):
        week_ends_on = params.one_of("weekEndsOn", WEEKDAYS)
        earliest = params.optional_time("earliest") or rules().earliest
        events = EventsRefresh(spark, lake_uri, run_key, week_ends_on, earliest, build).run()
    checks = Checks(spark, lake_uri, run_key, params.time("checkedAt"), earliest)

    def refresh(target: Table, lake: Lake) -> Written:
        if target in REFRESHES:
            with progress.step(target.name):
                written = REFRESHES[target](lake)
        elif target == REFUSED:
            written = Written(target, None if events.wrote_refused else set())
        elif target == ACTIVE_USERS:
            written = active_users
        else:
            written = Written(target, events.weeks)
        with progress.step(f"check {target.name}"):
            checks.check(target)
        return written

    with closing(Lake(spark, lake_uri, run_key, build)) as lake:
        with progress.step("active_users"):
            active_users = refresh_active_users(lake)
        targets = (EVENTS, DUPLICATES, REFUSED, ACTIVE_USERS, *REFRESHES)
        works = [partial(refresh, target, lake) for target in targets]
        works += [partial(counts, spark, lake_uri) for counts in (duplicate_counts, refused_counts)]
        done = side_by_side(spark, run_key, SHORT_QUERIES_AT_ONCE, lambda work: work(), works)
        *written, duplicates, refused = done
        data = lake.data
    with progress.step("record checks"):
        concluded = checks.conclude()
    with progress.step("read back"):
        tables = [report(lake_uri, each) for each in written]
    return {
        "tables": tables,
        **_described(events),
        "duplicatesDropped": sum(duplicates.values()),
        "duplicates": duplicates,
        "refused": refused,
        "checks": concluded,
        "lastWeekEnd": str(data.last_week) if data else None,
        "pendingWeeks": data.pending_weeks if data else 0,
        "pendingEvents": data.pending_events if data else 0,
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
