"""The good rows of a landing file, for bronze, and its refused ones, for quarantine: one set of rules for both passes."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.acceptance.times import ListenTimes
from lakehouse.contracts import Dataset
from lakehouse.forgetting import FORGOTTEN, NOBODY
from lakehouse.landing.lines import LandingLines
from lakehouse.landing.refusal import judged

_QUARANTINE = "raw STRING, reason STRING, source_file STRING, line_number BIGINT, detected_at TIMESTAMP"


def good_rows(spark: SparkSession, lines: LandingLines, times: ListenTimes, forgotten: list[str] = NOBODY) -> DataFrame:
    """The rows of a file that have no reason to be refused, in the types of their table."""
    rows = judged(lines.records(spark), lines.dataset, times, forgotten)
    marked = rows.withColumn("_place", F.monotonically_increasing_id())
    # Spark would move a filter on the reason alone below what splits a line, and split it anew for every rule. It moves none
    # past a column that is not deterministic.
    is_good = F.col("reason").isNull() & (F.col("_place") >= 0)
    return marked.where(is_good).select(*lines.dataset.column_names)


def bronze_rows(good: DataFrame, dataset: Dataset, source_file: str, ingested_at: str) -> DataFrame:
    """The rows of a bronze table, in its order of columns, of the good rows of a file."""
    derived = {
        "event_date": F.to_date("timestamp"),
        "year": F.year(F.to_date("timestamp")),
        "month": F.month(F.to_date("timestamp")),
        "_source_file": F.lit(source_file),
        "_ingested_at": F.lit(ingested_at).cast("timestamp"),
    }
    known = set(dataset.column_names)
    return good.select(
        *(
            F.col(column.name) if column.name in known else derived[column.name].alias(column.name)
            for column in dataset.table.columns
        )
    )


def refused_rows(
    spark: SparkSession,
    lines: LandingLines,
    times: ListenTimes,
    source_file: str,
    detected_at: str,
    forgotten: list[str] = NOBODY,
) -> DataFrame:
    """The rows of quarantine/<table> for one file: one row per refused row, numbered by the line it starts on.

    A second pass over the file, for files that have such rows. Of the row of a forgotten user, only that it was there; bytes
    that are no UTF-8 are there as U+FFFD.
    """
    rows = judged(lines.numbered_records(spark), lines.dataset, times, forgotten)
    return rows.where(F.col("reason").isNotNull()).select(
        F.when(F.col("reason") != FORGOTTEN, F.make_valid_utf8("raw")).alias("raw"),
        "reason",
        F.lit(source_file).alias("source_file"),
        "line_number",
        F.lit(detected_at).cast("timestamp").alias("detected_at"),
    )


def no_refused_rows(spark: SparkSession) -> DataFrame:
    """Quarantine's rows of a file without any: written over those of its earlier content."""
    return spark.createDataFrame([], _QUARANTINE)
