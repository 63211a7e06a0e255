"""A user's rows out of every table. Parameters and result: contracts/schemas/jobs.ts."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table, dataset, lake_tables, landing_tables, table
from lakehouse.files import read_bytes, write_bytes
from lakehouse.forgetting import FORGOTTEN, raw_condition, user_condition
from lakehouse.job import run_job
from lakehouse.kept_fit import forget_fit
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.tables import append_rows, create_table, delete_rows, has_table, read_table, sql_text
from lakehouse.training_data import work_uri


def forget_user(spark: SparkSession, params: Params, progress: Progress) -> dict:
    """Safe to run twice: deleted rows are not found again, and a run writes its rows to quarantine once.

    The job counts the rows before it deletes any, and stores the counts, so that an attempt after a crash reports
    the same counts.
    """
    lake_uri, run_key, user_id = params.text("lakeUri"), params.text("runKey"), params.text("userId")
    at = params.time("forgottenAt")
    targets = [
        (target, condition)
        for target, condition in _rows_of_user(spark, lake_uri, user_id)
        if condition is not None and has_table(target, lake_uri)
    ]
    # It was fitted to the user's listens, too.
    forget_fit(lake_uri)
    with progress.step("counting rows"):
        counts = _counts(spark, lake_uri, run_key, targets)
    for target, condition in targets:
        if not counts.get(target.path):
            continue
        with progress.step(target.path):
            if target.layer == "bronze" and "_source_file" in target.column_names:
                _note_refusal(spark, target, lake_uri, condition, f"{run_key}/{target.path}", at)
            delete_rows(spark, target, lake_uri, condition)
    return {"tables": [{"table": path, "rows": rows} for path, rows in counts.items()]}


def _rows_of_user(spark: SparkSession, lake_uri: str, user_id: str) -> list[tuple[Table, str | None]]:
    """Every table with the condition of the user's rows in it, in the order in which they are to go."""
    return [
        (table("bronze", "bridge_playlist_tracks"), _playlists_condition(spark, lake_uri, user_id)),
        *((target, user_condition(target, user_id)) for target in lake_tables()),
        *((table("quarantine", name), raw_condition(dataset(name), user_id)) for name in landing_tables()),
    ]


def _counts(spark: SparkSession, lake_uri: str, run_key: str, targets: list[tuple[Table, str]]) -> dict[str, int]:
    """The user's rows by table, as they were before the first attempt of this run."""
    kept_at = f"{work_uri(lake_uri, run_key)}/rows-of-user.json"
    kept = read_bytes(kept_at)
    if kept is not None:
        return json.loads(kept)
    counts = {
        target.path: read_table(spark, target, lake_uri).where(condition).count() for target, condition in targets
    }
    write_bytes(kept_at, json.dumps(counts).encode())
    return counts


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
    """Deletes the tracks of the user's playlists before the playlists: without the playlists, their owner is
    unknown."""
    playlists = table("bronze", "dim_playlists")
    if not has_table(playlists, lake_uri):
        return None
    owned = read_table(spark, playlists, lake_uri).where(F.col("owner_user_id") == user_id)
    ids = [row[0] for row in owned.select("playlist_id").distinct().collect()]
    return f"playlist_id IN ({', '.join(map(sql_text, ids))})" if ids else None


if __name__ == "__main__":
    run_job("forget_user", forget_user)
