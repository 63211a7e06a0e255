"""Landing CSVs → bronze tables, refused rows → quarantine. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.bronze import LandingFile, LoadedFile, load_file
from lakehouse.job import run_job
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.session import side_by_side
from lakehouse.tables import newest_version

# The fixed costs of small tables (log reads, commits) pass while a large table keeps the cores busy.
TABLES_AT_ONCE = 6


def load_bronze(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, ingested_at = params.text("lakeUri"), params.time("ingestedAt")
    earliest = params.optional_time("earliest")
    files = [LandingFile.of(entry) for entry in params.items("files")]

    def load_one(file: LandingFile) -> LoadedFile:
        with progress.step(f"load {file.file}"):
            return load_file(spark, file, lake_uri, ingested_at, earliest)

    def load(files_of_table: list[LandingFile]) -> list[tuple[LandingFile, LoadedFile]]:
        return [(file, load_one(file)) for file in files_of_table]

    groups = side_by_side(spark, params.text("runKey"), TABLES_AT_ONCE, load, _by_table(files))
    loaded = dict(chain.from_iterable(groups))
    return {"files": [_file_result(file, loaded[file], lake_uri) for file in files]}


def _by_table(files: list[LandingFile]) -> list[list[LandingFile]]:
    """Loads the files of a table in order: concurrent commits on the same table would only wait for each other."""
    groups: dict[str, list[LandingFile]] = {}
    for file in files:
        groups.setdefault(file.dataset.table.name, []).append(file)
    return sorted(groups.values(), key=lambda group: -sum(file.rows for file in group))


def _file_result(file: LandingFile, counts: LoadedFile, lake_uri: str) -> dict:
    return {
        "file": file.file,
        "table": file.dataset.table.name,
        "bronze": counts.bronze,
        "quarantined": counts.quarantined,
        "reasons": counts.reasons,
        "tableVersion": newest_version(file.dataset.table, lake_uri),
    }


if __name__ == "__main__":
    run_job("load_bronze", load_bronze)
