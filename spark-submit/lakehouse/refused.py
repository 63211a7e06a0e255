"""Finds the refused rows of a landing file, with their text and line. Run only for files that have any: it is a second pass.

Spark's CSV reader gives no line numbers. Where a row is a line, the lines are counted by Spark itself. Where quotes may hold
line breaks (dim_* files, read in one piece anyway), this process reads the records one after the other.
"""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Dataset
from lakehouse.files import open_uri
from lakehouse.forgetting import FORGOTTEN, NOBODY
from lakehouse.landing import line_options, refusal, text_schema

# monotonically_increasing_id: the partition in the upper bits, the row's place in it in the lower 33.
_PLACE_BITS = 33
_NOT_BLANK = r"[^\x00-\x20]"
_RECORDS_AT_ONCE = 50_000

_FOUND = "raw STRING, line_number BIGINT"


def refused_rows(
    spark: SparkSession,
    dataset: Dataset,
    uri: str,
    source_file: str,
    detected_at: str,
    header_line: int,
    forgotten: list[str] = NOBODY,
) -> DataFrame:
    """The rows of quarantine/<table> for one file: one row per refused row, numbered by the line it starts on.

    Of the row of a forgotten user, only that it was there.
    """
    find = _of_records if dataset.is_multi_line else _of_lines
    return find(spark, dataset, uri, header_line, forgotten).select(
        F.when(F.col("reason") != FORGOTTEN, F.col("raw")).alias("raw"),
        "reason",
        F.lit(source_file).alias("source_file"),
        "line_number",
        F.lit(detected_at).cast("timestamp").alias("detected_at"),
    )


def no_refused_rows(spark: SparkSession, dataset: Dataset) -> DataFrame:
    """Quarantine's rows of a file without any: written over those of its earlier content."""
    schema = "raw STRING, reason STRING, source_file STRING, line_number BIGINT, detected_at TIMESTAMP"
    return spark.createDataFrame([], schema)


def _of_lines(spark: SparkSession, dataset: Dataset, uri: str, header_line: int, forgotten: list[str]) -> DataFrame:
    lines = spark.read.text(uri).select(
        F.col("value").alias("raw"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("id"),
    )
    lines = lines.select("raw", "block", F.shiftright("id", _PLACE_BITS).alias("part"), _place().alias("place"))
    numbered = (
        lines.join(F.broadcast(_lines_before(spark, lines)), on="part", how="inner")
        .where(F.col("raw").rlike(_NOT_BLANK))
        .select("raw", (F.col("before") + F.col("place") + 1).alias("line_number"))
        .where(F.col("line_number") > header_line)
    )
    return _with_reason(numbered, dataset, forgotten)


def _place():
    return F.col("id").bitwiseAND(F.lit((1 << _PLACE_BITS) - 1))


def _lines_before(spark: SparkSession, lines: DataFrame) -> DataFrame:
    """How many lines of the file come before each partition's first: one row per partition."""
    parts = lines.groupBy("part").agg(F.min("block").alias("start"), F.count("*").alias("lines")).collect()
    before, rows = 0, []
    for part in sorted(parts, key=lambda row: row["start"]):
        rows.append((part["part"], before))
        before += part["lines"]
    return spark.createDataFrame(rows, "part BIGINT, before BIGINT")


def _with_reason(found: DataFrame, dataset: Dataset, forgotten: list[str]) -> DataFrame:
    """Splits each row's text by the same parser as the quick pass, and keeps those that are refused."""
    return (
        found.select(
            "raw", "line_number", F.from_csv("raw", text_schema(dataset), line_options(dataset)).alias("fields")
        )
        .select("raw", "line_number", "fields.*")
        .select("raw", "line_number", refusal(dataset, forgotten).alias("reason"))
        .where(F.col("reason").isNotNull())
    )


def _of_records(spark: SparkSession, dataset: Dataset, uri: str, header_line: int, forgotten: list[str]) -> DataFrame:
    """Classifies a bounded number of records at once; what is kept are refused rows alone."""
    records = _records(uri)
    found: list[tuple[str, int]] = []
    while batch := list(islice(records, _RECORDS_AT_ONCE)):
        candidates = [record for record in batch if record[1] > header_line and record[0].strip()]
        if candidates:
            found += _with_reason(spark.createDataFrame(candidates, _FOUND), dataset, forgotten).collect()
    return spark.createDataFrame([tuple(row) for row in found], "raw STRING, line_number BIGINT, reason STRING")


def _records(uri: str) -> Iterator[tuple[str, int]]:
    """Text and first line of every record, the header's too, in constant memory."""
    csv.field_size_limit(1 << 30)
    filesystem, path = open_uri(uri)
    taken: list[str] = []
    with filesystem.open_input_stream(path) as stream:
        reader = csv.reader(_remember(_lines(stream), taken))
        first_line = 1
        for _ in reader:
            yield "".join(taken).rstrip("\r\n"), first_line
            first_line = reader.line_num + 1
            taken.clear()


def _remember(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _lines(stream) -> Iterator[str]:
    with io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="replace", newline="") as text:
        yield from text
