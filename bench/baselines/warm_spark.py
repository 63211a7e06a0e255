"""Baseline: one warm Spark session that reads the same CSVs and writes the same Delta tables, and does nothing else.

Usage: warm_spark.py LANDING_URI LAKE_URI, with SPARK_REMOTE set. No checks, no quarantine, no transaction ids, no read back:
the same typed columns, the same partitions and the same statistics as bronze. Prints {"seconds": …} without Python's start.
"""

import json
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

CONTRACT = json.loads((pathlib.Path(__file__).parents[2] / "contracts" / "lake.json").read_text())
TYPES = {"string": "string", "int": "int", "long": "bigint", "double": "double", "date": "date", "timestamp": "timestamp"}


def load(spark: SparkSession, landing: str, lake: str, dataset: dict, file: str) -> None:
    table = next(t for t in CONTRACT["tables"] if t["layer"] == "bronze" and t["name"] == dataset["table"])
    types = {column["name"]: TYPES[column["type"]] for column in table["columns"]}
    schema = ", ".join(f"`{name}` {types[name]}" for name in dataset["columns"])
    rows = (
        spark.read.schema(schema)
        .options(header=True, enforceSchema=False, multiLine=dataset["multiLine"], escape='"')
        .csv(f"{landing}/{file}")
        .withColumn("_source_file", F.lit(file))
        .withColumn("_ingested_at", F.lit("2025-01-01T00:00:00Z").cast("timestamp"))
    )
    if "timestamp" in types:
        day = F.to_date("timestamp")
        rows = rows.withColumns({"event_date": day, "year": F.year(day), "month": F.month(day)})
    path = f"{lake}/{dataset['table']}"
    columns = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    partitions = f"PARTITIONED BY ({', '.join(table['partitionBy'])})" if table["partitionBy"] else ""
    spark.sql(
        f"CREATE TABLE delta.`{path}` ({columns}) USING delta {partitions} TBLPROPERTIES ("
        f"'delta.enableDeletionVectors'='false', 'delta.dataSkippingStatsColumns'='{','.join(table['statsColumns'])}')"
    )
    rows.select(*types).write.format("delta").mode("append").save(path)


if __name__ == "__main__":
    landing, lake, *files = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    spark.range(1).count()
    started = time.perf_counter()
    datasets = [(d, f) for f in files for d in CONTRACT["datasets"] if f.startswith(d["table"])]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: load(spark, landing, lake, *item), datasets))
    print(json.dumps({"seconds": time.perf_counter() - started}))
