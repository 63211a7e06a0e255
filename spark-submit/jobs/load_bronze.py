"""Landing CSVs → bronze tables, refused rows → quarantine. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.bronze import LandingFile, LoadedFile, load_file
from lakehouse.job import run_job
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.tables import describe_table

# The fixed costs of small files (log reads, commits) pass while a large one keeps the cores busy.
FILES_AT_ONCE = 2


def load_bronze(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, ingested_at = params.text("lakeUri"), params.time("ingestedAt")
    files = [LandingFile.of(entry) for entry in params.items("files")]

    def load(file: LandingFile) -> LoadedFile:
        with progress.step(f"load {file.file}"):
            return load_file(spark, file, lake_uri, ingested_at)

    largest_first = sorted(files, key=lambda file: -file.rows)
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        loaded = dict(zip(largest_first, pool.map(load, largest_first), strict=True))
    with progress.step("read back"):
        described = {name: describe_table(spark, t, lake_uri) for name, t in _tables_of(files).items()}
    return {
        "files": [_file_result(file, loaded[file], described[file.dataset.table.name]) for file in files],
        "tables": list(described.values()),
    }


def _tables_of(files: list[LandingFile]) -> dict:
    return {file.dataset.table.name: file.dataset.table for file in files}


def _file_result(file: LandingFile, counts: LoadedFile, described: dict) -> dict:
    return {
        "file": file.file,
        "table": file.dataset.table.name,
        "bronze": counts.bronze,
        "quarantined": counts.quarantined,
        "reasons": counts.reasons,
        "tableVersion": described["version"],
    }


if __name__ == "__main__":
    run_job("load_bronze", load_bronze)
