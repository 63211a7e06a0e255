"""Brings one landing file into its bronze table, and its refused rows into quarantine."""

from dataclasses import dataclass

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse import tables
from lakehouse.acceptance.times import ListenTimes
from lakehouse.contracts import Dataset, dataset, table
from lakehouse.delta_log import rows_committed
from lakehouse.errors import BadParameters
from lakehouse.files import base_name
from lakehouse.forgetting import forgotten_hashes
from lakehouse.landing.header import check_header
from lakehouse.landing.lines import LandingLines
from lakehouse.landing.rows import bronze_rows, good_rows, no_refused_rows, refused_rows
from lakehouse.params import Params


@dataclass(frozen=True)
class LandingFile:
    """One landing file. `key` stands for its content: the transaction id of what is written of it."""

    file: str
    uri: str
    key: str
    rows: int
    dataset: Dataset

    @classmethod
    def of(cls, params: Params) -> "LandingFile":
        found = cls(
            file=params.text("file"),
            uri=params.text("uri"),
            key=params.text("key"),
            rows=params.whole("rows"),
            dataset=dataset(params.text("table")),
        )
        if base_name(found.uri) != base_name(found.file):
            raise BadParameters(f"files: {found.file} and its uri {found.uri} name different files")
        return found

    @property
    def source_file(self) -> str:
        return base_name(self.uri)


@dataclass(frozen=True)
class LoadedFile:
    """What the tables hold of a file after its commits, read back from them."""

    bronze: int
    reasons: dict[str, int]

    @property
    def quarantined(self) -> int:
        return sum(self.reasons.values())


def load_file(
    spark: SparkSession, file: LandingFile, lake_uri: str, ingested_at: str, earliest: str | None = None
) -> LoadedFile:
    """Replaces the file's rows in bronze and in quarantine, one commit each.

    `ingested_at` and `earliest` (the contract's unless told) bound the times of its listens. Safe to run twice: the file's key
    is the transaction id of both commits. The good rows are parsed once. Refused rows are looked for only when bronze holds
    fewer rows than the file has (`file.rows`, counted when it was checked).
    """
    bronze, quarantine = file.dataset.table, table("quarantine", file.dataset.table.name)
    times = ListenTimes.until(ingested_at, earliest)
    lines = LandingLines.of(spark, file.dataset, file.uri, check_header(file.dataset, file.uri))
    forgotten = forgotten_hashes(lake_uri)
    tables.create_table(spark, bronze, lake_uri)
    rows = bronze_rows(good_rows(spark, lines, times, forgotten), file.dataset, file.source_file, ingested_at)
    tables.replace_file(rows, bronze, lake_uri, "_source_file", file.source_file, file.key)

    in_bronze = _rows_of(spark, file, lake_uri)
    reasons = _reasons_of(spark, file, lake_uri)
    if in_bronze != file.rows:
        refused = refused_rows(spark, lines, times, file.source_file, ingested_at, forgotten)
    elif reasons:
        refused = no_refused_rows(spark)
    else:
        return LoadedFile(in_bronze, {})
    tables.create_table(spark, quarantine, lake_uri)
    tables.replace_file(refused, quarantine, lake_uri, "source_file", file.source_file, f"{file.key}/quarantine")
    return LoadedFile(in_bronze, _reasons_of(spark, file, lake_uri))


def _rows_of(spark: SparkSession, file: LandingFile, lake_uri: str) -> int:
    """Rows of the file in bronze: from the Parquet files of its commit, or by a query where those hold other files' rows."""
    committed = rows_committed(file.dataset.table, lake_uri, file.key, "_source_file", file.source_file)
    if committed is not None:
        return committed
    rows = tables.read_table(spark, file.dataset.table, lake_uri)
    return rows.where(F.col("_source_file") == file.source_file).count()


def _reasons_of(spark: SparkSession, file: LandingFile, lake_uri: str) -> dict[str, int]:
    quarantine = table("quarantine", file.dataset.table.name)
    return tables.count_by(spark, quarantine, lake_uri, "source_file", file.source_file, by="reason")
