"""The Spark session of a job: a client of a warm Spark Connect server (SPARK_REMOTE), or one of spark-submit's."""

import os

from pyspark.sql import SparkSession


def open_session(name: str) -> SparkSession:
    """A session for one job; times are UTC, whatever the server was told."""
    remote = os.environ.get("SPARK_REMOTE")
    builder = SparkSession.builder.remote(remote) if remote else SparkSession.builder.appName(name)
    spark = builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def is_connect(spark: SparkSession) -> bool:
    """Whether the session is a client of a Spark Connect server."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def interrupt(spark: SparkSession) -> None:
    """Stops what the session runs in Spark, in every thread, and ends the session. Safe to call from any thread."""
    if is_connect(spark):
        spark.interruptAll()
        # A session that is released takes no more work: nothing started in between lives on.
        spark.client.release_session()
    else:
        for query in spark.streams.active:
            query.stop()
        spark.sparkContext.cancelAllJobs()
        spark.stop()
