"""A Spark driver of its own that does what it is told: one JSON command a line on stdin, one JSON answer a line on stdout.

Commands: {"append": {"table", "ids", "txn": [app, version] | null, "by": "spark" | "job"}}, {"sql": text}, {"times": n, "append": ...}.
An error is answered as {"error": text}; the driver goes on. "job": as a job commits few rows, without Spark. Tables under s3a:// are written with the log store of
spark-submit/conf/spark-defaults.conf, those under s3:// (the same store) with the one that Delta takes by itself.
"""

import json
import os
import sys
import time
from pathlib import Path

ROOM = Path(__file__).resolve().parents[2] / "spark-submit"
sys.path.insert(0, str(ROOM))

import pyarrow as pa
from pyspark.sql import SparkSession

from lakehouse.contracts import Column, Table
from lakehouse.delta_rs import Commit, add_rows
from lakehouse.tables import retry_conflicts

DEFAULTS = ROOM / "conf" / "spark-defaults.conf"


def main() -> None:
    spark = session()
    answer({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer(execute(spark, command))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
    spark.stop()


def session(name: str = "delta-driver", cores: int = 1) -> SparkSession:
    """A Spark of this process with the product's settings, on the store that the environment names."""
    lines = DEFAULTS.read_text(encoding="utf-8").split("\n")
    settings = dict(line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))
    settings |= {
        "spark.driver.extraClassPath": f"{os.environ['SEGUE_SPARK_JARS']}/*",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.hadoop.fs.s3a.endpoint": os.environ["AWS_ENDPOINT_URL"],
        "spark.hadoop.fs.s3a.endpoint.region": os.environ["AWS_REGION"],
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        **json.loads(os.environ.get("DRIVER_SETTINGS", "{}")),
    }
    builder = SparkSession.builder.master(f"local[{cores}]").appName(name)
    for setting, value in settings.items():
        builder = builder.config(setting, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def execute(spark: SparkSession, command: dict) -> dict:
    started = time.monotonic()
    if "sql" in command:
        rows = [row.asDict() for row in spark.sql(command["sql"]).collect()]
        return {"rows": json.loads(json.dumps(rows, default=str)), "seconds": time.monotonic() - started}
    return {"seconds": [append(spark, ids, **command["append"]) for ids in command["ids"]]}


def append(spark: SparkSession, ids: list[str], table: str, txn: list | None = None, by: str = "spark") -> float:
    """Appends one row for each id, in one commit; answers the seconds it took."""
    started = time.monotonic()
    if by == "job":
        append_by_job(ids, table, Commit(*txn) if txn else Commit(f"{table}/{ids}"))
        return time.monotonic() - started
    rows = spark.createDataFrame([(i,) for i in ids], "id string").coalesce(1)
    writer = rows.write.format("delta").mode("append")
    if txn:
        writer = writer.option("txnAppId", txn[0]).option("txnVersion", str(txn[1]))
    writer.save(table)
    return time.monotonic() - started


def append_by_job(ids: list[str], table: str, commit: Commit) -> None:
    lake_uri, layer, name = table.rsplit("/", 2)
    target = Table(layer, name, (Column("id", "string"),), (), ())
    retry_conflicts(lambda: add_rows(pa.table({"id": ids}), target, lake_uri, commit, lambda: None))


def answer(document: dict) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
