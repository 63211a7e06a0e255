"""Baseline: one process that reads one weekly CSV and appends it to a Delta table, and does nothing else.

Usage: append_week.py FILE_URI TABLE_URI. As a client of a warm Spark (SPARK_REMOTE set), or by a cold `spark-submit`, as the
original did it for every file. No check, no quarantine, no transaction id, no read back. Prints nothing: the caller times the
whole process, its start included.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SCHEMA = "event_id string, user_id string, track_id string, event_type string, timestamp timestamp"

if __name__ == "__main__":
    file, table = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    day = F.to_date("timestamp")
    rows = (
        spark.read.schema(SCHEMA)
        .options(header=True, enforceSchema=False, escape='"')
        .csv(file)
        .withColumns({"event_date": day, "year": F.year(day), "month": F.month(day)})
        .withColumn("_source_file", F.lit(file.rsplit("/", 1)[-1]))
    )
    rows.write.format("delta").mode("append").partitionBy("year", "month").save(table)
