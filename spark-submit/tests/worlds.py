"""Small worlds for the tests: landing files, parameters, rows of a table read by a reader that is not Spark."""

import hashlib
import io
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from lakehouse.interactions import encounters
from lakehouse.listeners import View
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.rated_pairs import PastParts, track_ids, write_pairs

EVENTS_HEADER = "event_id,user_id,track_id,event_type,timestamp"
SONGS_HEADER = "track_id,title,artist_id,artist_name,genre,duration_ms,release_date,base_popularity"
USERS_HEADER = "user_id,user_name,preferred_genres,join_date"
INGESTED_AT = "2025-02-01T00:00:00.000Z"


def landing_file(folder: Path, file: str, table: str, content: str | bytes, rows: int) -> dict:
    """Writes a landing file and gives its entry of load_bronze's parameters; `rows` as a careful reader counts them."""
    body = content.encode() if isinstance(content, str) else content
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_bytes(body)
    key = f"{file}/{hashlib.sha256(body).hexdigest()}"
    return {"file": file, "table": table, "uri": str(path), "key": key, "rows": rows}


def events_file(
    folder: Path, lines: list[str], file: str = "fact_listening_events_2024.csv", newline: str = "\n"
) -> dict:
    content = newline.join([EVENTS_HEADER, *lines]) + newline
    rows = sum(1 for line in lines if line.strip())
    return landing_file(folder, file, "fact_listening_events", content, rows)


def songs_file(folder: Path, lines: list[str], rows: int | None = None) -> dict:
    content = "\n".join([SONGS_HEADER, *lines]) + "\n"
    return landing_file(folder, "dim_songs.csv", "dim_songs", content, len(lines) if rows is None else rows)


def users_file(folder: Path, lines: list[str]) -> dict:
    content = "\n".join([USERS_HEADER, *lines]) + "\n"
    return landing_file(folder, "dim_users.csv", "dim_users", content, len(lines))


def bronze_params(lake: str, files: list[dict], run_key: str = "test") -> dict:
    return {"runKey": run_key, "lakeUri": lake, "ingestedAt": INGESTED_AT, "files": files}


def silver_params(lake: str, run_key: str = "r1", **more) -> dict:
    """Parameters of build_silver; those of build_features are among them."""
    return {
        "runKey": run_key,
        "lakeUri": lake,
        "weekEndsOn": "tuesday",
        "build": "b1",
        "checkedAt": INGESTED_AT,
        "force": False,
        **more,
    }


def run(job, spark, values: dict) -> dict:
    """Calls a job's function as run_job does, with progress to nowhere."""
    return job(spark, Params(values), Progress(job.__name__, out=io.StringIO()))


def table(lake: str, path: str) -> pa.Table:
    """All rows of a table, by delta-rs."""
    return DeltaTable(f"{lake}/{path}").to_pyarrow_table()


def rows(lake: str, path: str, *columns: str) -> list[tuple]:
    """Rows of a table as sorted tuples of `columns`."""
    found = table(lake, path).select(list(columns)).to_pylist()
    return sorted((tuple(row.values()) for row in found), key=repr)


def version(lake: str, path: str) -> int:
    return DeltaTable(f"{lake}/{path}").version()


def met_at(
    events: DataFrame, days: list[date], folder: Path, past: PastParts | None = None
) -> tuple[DataFrame, list[str]]:
    """The pairs of these events (and of a past) at some days, and the ids of their tracks."""
    encounters(events, days).write.parquet(f"{folder}/met")
    ids = track_ids(f"{folder}/met", past).sort()
    views = [View.at(day) for day in days]
    write_pairs(f"{folder}/met", past, ids, views, str(folder))
    return events.sparkSession.read.parquet(f"{folder}/pairs"), ids.to_pylist()
