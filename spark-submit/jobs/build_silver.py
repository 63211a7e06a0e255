"""Bronze → silver: every event once, the weekly charts, similar tracks. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.job import run_job
from lakehouse.listening_events import listening_events
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.similarity import song_similarity
from lakehouse.songs import catalogue
from lakehouse.tables import describe_table, overwrite_table, read_table
from lakehouse.trending import weekly_trending_tracks

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def build_silver(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    week_ends_on = params.one_of("weekEndsOn", WEEKDAYS)
    events_table = table("silver", "listening_events")
    trending_table = table("silver", "weekly_trending_tracks")
    similarity_table = table("silver", "song_similarity")

    received = read_table(spark, table("bronze", "fact_listening_events"), lake_uri)
    songs = catalogue(read_table(spark, table("bronze", "dim_songs"), lake_uri))
    with progress.step("listening_events"):
        overwrite_table(listening_events(received, week_ends_on), events_table, lake_uri, run_key)
    events = read_table(spark, events_table, lake_uri)
    with progress.step("weekly_trending_tracks"):
        overwrite_table(weekly_trending_tracks(events, songs), trending_table, lake_uri, run_key)
    with progress.step("song_similarity"):
        overwrite_table(song_similarity(events), similarity_table, lake_uri, run_key)

    with progress.step("read back"):
        made = [describe_table(spark, t, lake_uri) for t in (events_table, trending_table, similarity_table)]
        last_week_end = events.agg(F.max("week_end").cast("string")).collect()[0][0]
        duplicates = received.count() - made[0]["rows"]
    return {"tables": made, "duplicatesDropped": duplicates, "lastWeekEnd": last_week_end}


if __name__ == "__main__":
    run_job("build_silver", build_silver)
