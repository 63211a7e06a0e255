"""Baseline: the original proof of concept's load job, run by a cold `spark-submit`: one table after the other, types
inferred from strings as it did, Delta's statistics on every column.

Usage: spark-submit … original_way.py LANDING_URI LAKE_URI FILE…  Prints nothing: the caller times the whole process.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

if __name__ == "__main__":
    landing, lake, *files = sys.argv[1:]
    spark = SparkSession.builder.appName("original-way").getOrCreate()
    for file in files:
        rows = spark.read.option("header", True).option("inferSchema", True).csv(f"{landing}/{file}")
        table = file.removesuffix(".csv")
        writer = rows.write.format("delta").mode("overwrite")
        if file.startswith("fact_"):
            rows = rows.withColumns({"year": F.year("timestamp"), "month": F.month("timestamp")})
            writer = rows.write.format("delta").mode("overwrite").partitionBy("year", "month")
        writer.save(f"{lake}/{table}")
