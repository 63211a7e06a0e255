"""A user's rows out of every table. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table, dataset, lake_tables, landing_tables, table
from lakehouse.forgetting import FORGOTTEN, raw_condition, user_condition
from lakehouse.job import run_job
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.tables import append_rows, create_table, has_table, read_table, retry_conflicts, sql_text


def forget_user(spark: SparkSession, params: Params, progress: Progress) -> dict:
    """Safe to run twice: what is gone is not found again, and what stands for it in quarantine is written once a run."""
    lake_uri, run_key, user_id = params.text("lakeUri"), params.text("runKey"), params.text("userId")
    at = params.time("forgottenAt")
    counts: dict[str, int] = {}

    def forget(target: Table, condition: str | None) -> None:
        if condition is None or not has_table(target, lake_uri):
            return
        with progress.step(target.path):
            rows = read_table(spark, target, lake_uri).where(condition).count()
            if rows and target.layer == "bronze" and "_source_file" in target.column_names:
                _note_refusal(spark, target, lake_uri, condition, f"{run_key}/{target.path}", at)
            if rows:
                retry_conflicts(
                    lambda: spark.sql(f"DELETE FROM delta.`{target.uri(lake_uri)}` WHERE {condition}").collect()
                )
            counts[target.path] = rows

    feedback_on = _feedback_tracks(spark, lake_uri, user_id)
    forget(table("bronze", "bridge_playlist_tracks"), _playlists_condition(spark, lake_uri, user_id))
    for target in lake_tables():
        forget(target, user_condition(target, user_id))
    for name in landing_tables():
        forget(table("quarantine", name), raw_condition(dataset(name), user_id))
    return {"tables": [{"table": path, "rows": rows} for path, rows in counts.items()], "feedbackOn": feedback_on}


def _note_refusal(spark: SparkSession, bronze: Table, lake_uri: str, condition: str, key: str, at: str) -> None:
    """A row in quarantine for each row of a file that goes, so that rows in a file stay bronze plus quarantine."""
    quarantine = table("quarantine", bronze.name)
    create_table(spark, quarantine, lake_uri)
    rows = read_table(spark, bronze, lake_uri).where(condition)
    noted = rows.select(
        F.lit(None).cast("string").alias("raw"),
        F.lit(FORGOTTEN).alias("reason"),
        F.col("_source_file").alias("source_file"),
        F.lit(0).cast("long").alias("line_number"),
        F.lit(at).cast("timestamp").alias("detected_at"),
    )
    append_rows(noted, quarantine, lake_uri, key, 1)


def _playlists_condition(spark: SparkSession, lake_uri: str, user_id: str) -> str | None:
    """The tracks of the user's playlists go before the playlists do: afterwards nobody knows whose they were."""
    playlists = table("bronze", "dim_playlists")
    if not has_table(playlists, lake_uri):
        return None
    owned = read_table(spark, playlists, lake_uri).where(F.col("owner_user_id") == user_id)
    ids = [row[0] for row in owned.select("playlist_id").distinct().collect()]
    return f"playlist_id IN ({', '.join(map(sql_text, ids))})" if ids else None


def _feedback_tracks(spark: SparkSession, lake_uri: str, user_id: str) -> list[str]:
    """The tracks whose newest feedback lies in Kafka for ever, unless its key is deleted there."""
    feedback = table("bronze", "feedback_events")
    if not has_table(feedback, lake_uri):
        return []
    rows = read_table(spark, feedback, lake_uri).where(F.col("user_id") == user_id)
    return [row[0] for row in rows.select("track_id").distinct().collect()]


if __name__ == "__main__":
    run_job("forget_user", forget_user)
