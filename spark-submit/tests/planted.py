"""A lake of planted listening, from which a model has something to learn: silver's events, their users by week, the catalogue."""

from contextlib import closing
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.delta_rs import Commit
from lakehouse.events_refresh import EVENTS, SONGS
from lakehouse.few_rows import overwrite_table
from lakehouse.incremental import Build
from lakehouse.weeks_refresh import Lake, refresh_active_users

USERS = 150
FIRST_DAY = date(2024, 1, 1)


def planted_events(days: int = 40) -> list[tuple]:
    """A listener of one of three groups plays a track of the group's 20 a day, in an order of their own."""
    events = []
    for user in range(USERS):
        group = user % 3
        for day in range(days):
            track = group * 20 + (user // 3 + day // 2) % 20
            events.append((f"u{user}", f"t{track}", "complete_listen", FIRST_DAY + timedelta(days=day)))
    return events


def planted_rows(spark, events: list[tuple], first_id: int = 0) -> DataFrame:
    """Rows of silver listening_events; weeks end on Tuesdays."""
    numbered = [(str(n), *event) for n, event in enumerate(events, first_id)]
    columns = {
        "timestamp": F.col("event_date").cast("timestamp"),
        "week_end": F.next_day(F.date_sub("event_date", 1), "Tue"),
        "source": F.lit("file"),
        "_source_file": F.lit("planted"),
        "is_known_track": F.lit(True),
        "is_known_user": F.lit(True),
    }
    return spark.createDataFrame(
        numbered, "event_id string, user_id string, track_id string, event_type string, event_date date"
    ).withColumns(columns)


def planted_lake(spark, lake: str, events: list[tuple]) -> str:
    overwrite_table(planted_rows(spark, events), EVENTS, lake, Commit("planted"), is_small=True)
    ids = sorted({event[1] for event in events})
    songs = spark.createDataFrame(
        [(track, track, track, track) for track in ids],
        "track_id string, title string, artist_id string, artist_name string",
    )
    rest = {
        "genre": F.lit(None).cast("string"),
        "duration_ms": F.lit(1).cast("long"),
        "release_date": F.lit(None).cast("date"),
        "base_popularity": F.lit(1.0),
        "_source_file": F.lit("planted"),
        "_ingested_at": F.lit("2024-01-01").cast("timestamp"),
    }
    overwrite_table(songs.withColumns(rest), SONGS, lake, Commit("planted"), is_small=True)
    _count_users(spark, lake)
    return lake


def add_days(spark, lake: str, start: int, end: int) -> None:
    """More days of the planted listening, in a commit of their own."""
    events = [event for event in planted_events(end) if start <= (event[3] - FIRST_DAY).days < end]
    rows = planted_rows(spark, events, first_id=start * 1000)
    rows.write.format("delta").mode("append").save(EVENTS.uri(lake))
    _count_users(spark, lake)


def _count_users(spark, lake: str) -> None:
    """Brings silver active_users up to date, which says what the data's last week is."""
    with closing(Lake(spark, lake, "planted", Build("b1"))) as silver:
        refresh_active_users(silver)


def evaluation_params(lake: str, model_version: str, **more) -> dict:
    return {
        "runKey": f"run/{model_version}",
        "lakeUri": lake,
        "modelVersion": model_version,
        "evaluatedAt": "2024-03-01T00:00:00.000Z",
        "build": "b1",
        "force": False,
        "k": 5,
        "seed": 42,
        **more,
    }
