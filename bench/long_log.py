"""What an append and a read cost on a table of 100 commits and on one of many; prints one JSON document.

Both tables hold the same rows in the same files and have a checkpoint ten commits back; commits before it were copied. Needs
AWS_ENDPOINT_URL and credentials of a store with a bucket `data`, SEGUE_SPARK_JARS, and the number of commits as argument.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "spark-submit"), str(ROOT / "test" / "support")]

from delta_driver import session  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from lakehouse.contracts import table  # noqa: E402
from lakehouse.delta_log import changes_between, commit_note, newest_commit  # noqa: E402
from lakehouse.files import list_names, read_bytes, write_bytes  # noqa: E402
from lakehouse.layout import Layout  # noqa: E402
from lakehouse.table_state import open_table  # noqa: E402
from lakehouse.tables import append_rows, create_table, read_table  # noqa: E402

LISTENS = table("bronze", "listening_events_stream")
FEW = 100
SINCE_CHECKPOINT = 10
REPEATS = 9
ROW = (
    "'{id}' AS event_id, 'u' AS user_id, 't' AS track_id, 'like' AS event_type, TIMESTAMP'2025-01-07 10:00:00' AS timestamp, "
    "TIMESTAMP'2025-01-07 10:00:00' AS received_at, CAST(NULL AS STRING) AS title, CAST(NULL AS STRING) AS artist_name, "
    "DATE'2025-01-07' AS event_date, 'listens' AS _topic, 0 AS _partition, {id}L AS _offset, "
    "TIMESTAMP'2025-01-07 10:00:00' AS _ingested_at"
)


def main(many: int) -> None:
    spark = session("long-log", cores=2)
    lakes = {FEW: "s3a://data/few", many: "s3a://data/many"}
    for commits, lake in lakes.items():
        make_table(spark, lake, commits)
    appended = {commits: iter(range(10**6)) for commits in lakes}

    def measured(action: Callable[[str, int], object]) -> dict[int, float]:
        """The median of some seconds for each table, in turns; the first time is a warm-up."""
        seconds: dict[int, list[float]] = {commits: [] for commits in lakes}
        for _ in range(REPEATS + 1):
            for commits, lake in lakes.items():
                started = time.monotonic()
                action(lake, commits)
                seconds[commits].append(time.monotonic() - started)
        return {commits: round(statistics.median(values[1:]), 4) for commits, values in seconds.items()}

    def append(lake: str, commits: int) -> None:
        number = next(appended[commits])
        append_rows(one_row(spark, number), LISTENS, lake, "bench", number)

    report = {
        "append": measured(append),
        "read": measured(lambda lake, _: read_table(spark, LISTENS, lake).count()),
        "readByNumber": measured(lambda lake, commits: read_table(spark, LISTENS, lake, commits).count()),
        "newestVersion": measured(lambda lake, _: newest_commit(LISTENS, lake)),
        "lastFiveChanges": measured(lambda lake, commits: changes_between(LISTENS, lake, commits - 5, commits)),
        "note": measured(lambda lake, _: commit_note(LISTENS, lake)),
        "layout": measured(lambda lake, _: Layout.of_lake(LISTENS, lake)),
    }
    objects = {commits: len(list_names(f"{LISTENS.uri(lake)}/_delta_log")) for commits, lake in lakes.items()}
    print(json.dumps({"commits": list(lakes), "objectsInLog": objects, "seconds": report}))
    spark.stop()


def make_table(spark: SparkSession, lake: str, commits: int) -> None:
    """A table of one row and so many commits: all but the first two, the checkpoint and what comes after it are copies."""
    create_table(spark, LISTENS, lake)
    append_rows(one_row(spark, 0), LISTENS, lake, "first", 1)
    checkpointed = commits - SINCE_CHECKPOINT
    open_table(LISTENS, lake).create_checkpoint()
    log = f"{LISTENS.uri(lake)}/_delta_log"
    body = read_bytes(f"{log}/{1:020}.checkpoint.parquet")
    pointer = json.loads(read_bytes(f"{log}/_last_checkpoint"))
    copies = range(2, commits + 1)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda version: write_bytes(f"{log}/{version:020}.json", copied(version)), copies))
    write_bytes(f"{log}/{checkpointed:020}.checkpoint.parquet", body)
    write_bytes(f"{log}/_last_checkpoint", json.dumps({"version": checkpointed, "size": pointer["size"]}).encode())
    spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def copied(version: int) -> bytes:
    """A commit that a batch of a stream made of which nothing is left: its file was joined with others and removed."""
    at = int(time.time() * 1000)
    info = {"timestamp": at, "operation": "OPTIMIZE", "operationParameters": {}, "txnId": str(version)}
    actions = [{"commitInfo": info}, {"txn": {"appId": "stream", "version": version, "lastUpdated": at}}]
    return "".join(f"{json.dumps(action)}\n" for action in actions).encode()


def one_row(spark: SparkSession, number: int):
    return spark.sql(f"SELECT {ROW.replace('{id}', str(number))}").coalesce(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
