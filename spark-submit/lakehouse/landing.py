"""Landing CSVs: how they are read, which rows are refused and why, and the types of those that are not.

One set of rules serves both passes over a file: `refusal` is used on the rows of the quick pass, which keeps the good ones,
and on those of the pass that looks for the refused ones (lakehouse/refused.py).
"""

import csv
import io
from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Column, Dataset
from lakehouse.errors import BrokenContract
from lakehouse.files import open_uri
from lakehouse.forgetting import FORGOTTEN, NOBODY, USER_COLUMNS, is_forgotten

# Holds the text of a row that has not as many fields as the header.
UNSPLIT = "_unsplit"

_LONGEST_HEADER_BYTES = 64 * 1024
_EARLIEST = "1970-01-01"
_FIRST_YEAR_TOO_LATE = "2100"


def csv_options(dataset: Dataset) -> dict[str, str]:
    """Options of Spark's CSV parser: RFC 4180, nothing guessed."""
    return {
        "quote": '"',
        "escape": '"',
        "encoding": "UTF-8",
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": UNSPLIT,
        # The default would take the header for granted: swapped columns would load silently.
        "enforceSchema": "false",
        "multiLine": str(dataset.is_multi_line).lower(),
    }


def text_schema(dataset: Dataset) -> str:
    """Every field as text: types come after the rules, so that a refused row keeps what it said."""
    return ", ".join(f"`{name}` STRING" for name in [*dataset.column_names, UNSPLIT])


def good_rows(spark: SparkSession, dataset: Dataset, uri: str, forgotten: list[str] = NOBODY) -> DataFrame:
    """The rows of a file that have no reason to be refused (see `refusal`), every field as text."""
    read = split_lines if _refuses_header(dataset) else parsed_rows
    rows = read(spark, dataset, uri)
    judged = rows.select(
        "*", refusal(dataset, forgotten).alias("_refusal"), F.monotonically_increasing_id().alias("_place")
    )
    # Spark would move a filter on the reason alone below what splits a line, and split it anew for every rule. It moves none
    # past a column that is not deterministic.
    is_good = F.col("_refusal").isNull() & (F.col("_place") >= 0)
    return judged.where(is_good).select(*dataset.column_names)


def parsed_rows(spark: SparkSession, dataset: Dataset, uri: str) -> DataFrame:
    """One row per data row of the file by Spark's CSV reader: every field as text, `_unsplit` set where the number of fields is
    wrong."""
    rows = spark.read.options(**csv_options(dataset)).option("header", "true").schema(text_schema(dataset)).csv(uri)
    is_blank_record = F.col(UNSPLIT).isNotNull() & F.col(UNSPLIT).rlike(r"^\s*$")
    return rows.where(~is_blank_record) if dataset.is_multi_line else rows


def split_lines(spark: SparkSession, dataset: Dataset, uri: str) -> DataFrame:
    """The same of a file whose rows are lines, in half of the time, but every line is a row: the header and blank ones, too.

    A line without a quote is split at its commas; the parser sees those with one.
    """
    line, names = F.col("value"), dataset.column_names
    parsed = F.when(F.contains(line, F.lit('"')), F.from_csv(line, text_schema(dataset), line_options(dataset)))
    # A column of its own: it is asked for every field.
    rows = spark.read.text(uri).select(line, parsed.alias("parsed"))
    split = F.when(F.col("parsed").isNull(), F.split(line, ",", -1)).when(
        F.col("parsed")[UNSPLIT].isNull(), F.array(*(F.col("parsed")[name] for name in names))
    )
    rows = rows.select(line, split.alias("fields"))
    is_whole = F.coalesce(F.size("fields"), F.lit(0)) == len(names)
    return rows.select(
        *(F.get("fields", F.lit(place)).alias(name) for place, name in enumerate(names)),
        F.when(~is_whole, line).alias(UNSPLIT),
    )


def line_options(dataset: Dataset) -> dict[str, str]:
    """Options of Spark's CSV parser for one row's text."""
    options = {**csv_options(dataset), "multiLine": "false"}
    del options["enforceSchema"]
    return options


def refusal(dataset: Dataset, forgotten: list[str] = NOBODY) -> SparkColumn:
    """The first reason to refuse a row, null for a good one; `forgotten` are the hashes of users who do not come back."""
    users = [name for name in USER_COLUMNS if name in dataset.column_names] if forgotten else []
    is_gone = reduce(or_, (is_forgotten(F.col(name), forgotten) for name in users), F.lit(False))
    reason = F.when(is_gone, FORGOTTEN).when(F.col(UNSPLIT).isNotNull(), "wrong_column_count")
    for column in dataset.columns:
        if column.required:
            is_missing = F.col(column.name).isNull() | (F.trim(column.name) == "")
            reason = reason.when(is_missing, f"missing_{column.name}")
    for column in dataset.columns:
        if column.allowed:
            reason = reason.when(~F.col(column.name).isin(*column.allowed), f"unknown_{column.name}")
        elif column.type != "string":
            is_given = F.col(column.name).isNotNull() & (F.trim(column.name) != "")
            reason = reason.when(is_given & typed(column).isNull(), f"bad_{column.name}")
    return reason


def typed_rows(rows: DataFrame, dataset: Dataset, source_file: str, ingested_at: str) -> DataFrame:
    """The rows of a bronze table, in its order of columns, of rows that have no reason to be refused."""
    derived = {
        "event_date": F.to_date("timestamp"),
        "year": F.year(F.to_date("timestamp")),
        "month": F.month(F.to_date("timestamp")),
        "_source_file": F.lit(source_file),
        "_ingested_at": F.lit(ingested_at).cast("timestamp"),
    }
    converted = rows.select(*(_typed_good(column).alias(column.name) for column in dataset.columns))
    known = set(dataset.column_names)
    return converted.select(
        *(
            F.col(column.name) if column.name in known else derived[column.name].alias(column.name)
            for column in dataset.table.columns
        )
    )


def typed(column: Column) -> SparkColumn:
    """The value of a text column in its type; null where it is empty or cannot be read."""
    text = F.col(column.name)
    if column.type == "string":
        return text if column.required else F.nullif(text, F.lit(""))
    if column.type == "timestamp":
        return utc_timestamp(text)
    value = text.try_cast(column.spark_type)
    return F.when(~F.isnan(value), value) if column.type == "double" else value


def _typed_good(column: Column) -> SparkColumn:
    """The same for a row that was not refused: what a time has to look like was looked at."""
    return F.col(column.name).try_cast("timestamp") if column.type == "timestamp" else typed(column)


def utc_timestamp(text: SparkColumn) -> SparkColumn:
    """ISO 8601 date and time, `T` or a space between, with or without a fraction; UTC unless it names an offset.

    Null for anything else: Spark's cast alone would also take a year, or a time without a day (as today). Null, too, before
    1970 and from 2100 on: an export writes such times when it knows none.
    """
    has_date_and_time = (
        (F.length(text) >= len("2024-01-01T00:00"))
        & (F.substring(text, 5, 1) == "-")
        & (F.substring(text, 8, 1) == "-")
        & F.substring(text, 11, 1).isin("T", " ")
        & F.substring(text, 1, 4).between(_EARLIEST[:4], str(int(_FIRST_YEAR_TOO_LATE) - 1))
    )
    return F.when(has_date_and_time, text.try_cast("timestamp"))


def _refuses_header(dataset: Dataset) -> bool:
    """Whether a header among the rows is refused by itself, because the name of a column is no value of it."""
    return not dataset.is_multi_line and any(
        column.required and (column.allowed or column.type != "string") for column in dataset.columns
    )


def check_header(dataset: Dataset, uri: str) -> int:
    """The line the header stands on (from 1). BrokenContract when the file is missing or its header is another."""
    filesystem, path = open_uri(uri)
    try:
        with filesystem.open_input_stream(path) as stream:
            head = stream.read(_LONGEST_HEADER_BYTES)
    except FileNotFoundError as error:
        raise BrokenContract(f"{uri}: there is no such file; upload it again") from error
    lines = io.StringIO(head.decode("utf-8-sig", errors="replace"), newline=None).readlines()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _refuse_other_header(dataset, uri, next(csv.reader([line])))
            return number
    raise BrokenContract(f"{uri}: the file is empty; expected the header {','.join(dataset.column_names)}")


def _refuse_other_header(dataset: Dataset, uri: str, found: list[str]) -> None:
    if found != dataset.column_names:
        expected = ",".join(dataset.column_names)
        raise BrokenContract(f"{uri}: expected the header {expected}, found {','.join(found)}; mend the file")
