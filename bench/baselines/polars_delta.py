"""Baseline: Polars reads the CSVs from the local folder and delta-rs writes the Delta tables to the same store.

Usage: polars_delta.py DATA_DIR LAKE_URI FILE… with AWS_* in the environment. Prints {"seconds": …} without Python's start.
"""

import json
import pathlib
import sys
import time

import polars as pl

if __name__ == "__main__":
    folder, lake, *files = sys.argv[1:]
    started = time.perf_counter()
    for file in files:
        rows = pl.read_csv(pathlib.Path(folder) / file, infer_schema=False).with_columns(pl.lit(file).alias("_source_file"))
        options: dict = {"mode": "overwrite", "storage_options": {"AWS_ALLOW_HTTP": "true"}}
        if file.startswith("fact_"):
            time_column = pl.col("timestamp").str.to_datetime(time_zone="UTC")
            rows = rows.with_columns(time_column).with_columns(
                pl.col("timestamp").dt.year().alias("year"), pl.col("timestamp").dt.month().alias("month")
            )
            options["delta_write_options"] = {"partition_by": ["year", "month"]}
        rows.write_delta(f"{lake}/{file.removesuffix('.csv')}", **options)
    print(json.dumps({"seconds": time.perf_counter() - started}))
