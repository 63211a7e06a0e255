"""Looks after tables: compaction, vacuum, checkpoints. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.contracts import table
from lakehouse.job import run_job
from lakehouse.maintenance import look_after, require_retention
from lakehouse.params import Params
from lakehouse.progress import Progress


def maintain_lakehouse(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, retention_hours = params.text("lakeUri"), params.whole("retentionHours", at_least=1)
    require_retention(retention_hours)
    results = []
    for entry in params.items("tables"):
        layer, _, name = entry.text("table").partition("/")
        with progress.step(f"{layer}/{name}"):
            results.append(look_after(spark, table(layer, name), lake_uri, retention_hours))
    return {"tables": results}


if __name__ == "__main__":
    run_job("maintain_lakehouse", maintain_lakehouse)
