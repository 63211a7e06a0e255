"""Runs what the first jobs run, on a handful of rows, so that Spark has loaded and compiled it before it counts.

    SPARK_REMOTE=sc://… python spark_warm_up.py FOLDER

Reads CSV, parses times, writes and reads a Delta table in FOLDER (on this machine, never in the lake), and looks into the
object store once. Removes FOLDER.
"""

import shutil
import sys
import time
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SCHEMA = "event_id string, user_id string, track_id string, event_type string, timestamp string"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "events.csv"
    lines = (f"{n},{n % 50},{n % 300},like,2024-12-{1 + n % 28:02d}T10:00:00Z" for n in range(2_000))
    source.write_text(SCHEMA.replace(" string", "").replace(" ", "") + "\n" + "\n".join(lines) + "\n")
    spark = SparkSession.builder.getOrCreate()
    try:
        timed("object store", lambda: look_into_store(spark))
        timed("csv to delta", lambda: csv_to_delta(spark, source, folder / "table"))
        timed("aggregates", lambda: aggregates(spark, folder / "table"))
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)


def timed(what: str, work) -> None:
    started = time.monotonic()
    work()
    print(f"{what}: {time.monotonic() - started:.1f} s", flush=True)


def look_into_store(spark: SparkSession) -> None:
    """Loads the S3 client's classes; that nothing lies there is as good an answer as any."""
    try:
        spark.read.text("s3a://landing/_nothing_lies_here").count()
    except PySparkException as error:
        print(str(error).splitlines()[0])


def csv_to_delta(spark: SparkSession, source: Path, table: Path) -> None:
    events = spark.read.csv(str(source), schema=SCHEMA, header=True, enforceSchema=False)
    typed = events.withColumn("timestamp", F.to_timestamp("timestamp")).withColumn(
        "month", F.month("timestamp")
    )
    typed.write.format("delta").mode("append").partitionBy("month").save(str(table))


def aggregates(spark: SparkSession, table: Path) -> None:
    events = spark.read.format("delta").load(str(table))
    by_track = events.groupBy("track_id").agg(F.count("*").alias("listens"), F.countDistinct("user_id").alias("users"))
    events.join(by_track, on="track_id", how="inner").orderBy(F.desc("listens")).limit(10).toPandas()


main(Path(sys.argv[1]))
