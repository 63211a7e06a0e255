"""Rows that are few: the job reads and commits them itself, where Spark would look through a table's log, open a file for each of its
weeks and look through the log again, all of which costs more than the rows.

Few are the rows of a small lake, whatever table they are of, and the rows of some tables in any lake: results of checks, records of
models, users by day. All else Spark reads and writes. What is made of the rows, Spark makes in any case.
"""

from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lakehouse.contracts import Table
from lakehouse.contracts import table as contract
from lakehouse.delta_rs import Commit, add_rows, arrow_schema, replace_rows
from lakehouse.session import require_session
from lakehouse.table_state import read_rows, row_files, rows_in
from lakehouse.tables import (
    append_rows,
    conform_table,
    create_table,
    may_commit,
    read_table,
    replace_by_spark,
    retry_conflicts,
    typed,
)

# What is derived of so many rows fits the job's memory several times; and Spark takes them from the job within a second.
MOST_ROWS = 100_000


def are_few(versions: dict[str, int | None], lake_uri: str) -> bool:
    """Whether the rows of these versions of tables are few together; None: there is no such table."""
    return (
        sum(rows_in(contract(*path.split("/")), lake_uri, at) for path, at in versions.items() if at is not None)
        <= MOST_ROWS
    )


def rows_of(spark: SparkSession, table: Table, lake_uri: str, version: int | None = None) -> DataFrame:
    """The rows of a version of a table, the newest unless told; BrokenContract where there is no table."""
    files = row_files(table, lake_uri, version)
    if sum(file.rows for file in files) > MOST_ROWS:
        return read_table(spark, table, lake_uri, version)
    # Spark Connect takes no Arrow table of no row.
    return spark.createDataFrame(read_rows(table, files) if files else [], table.schema)


def rows_if_there(spark: SparkSession, table: Table, lake_uri: str, version: int | None) -> DataFrame:
    """The same of a version as `newest_commit` named it; no rows where it named none: a lake need not have every table."""
    if version is None:
        return spark.createDataFrame([], table.schema)
    return rows_of(spark, table, lake_uri, version)


def overwrite_table(rows: DataFrame, table: Table, lake_uri: str, commit: Commit, is_small: bool) -> None:
    """Replaces the rows of the commit's condition by `rows`, all of them without one, in one commit. For tables that are derived.

    Safe to run twice and at once: the commit's id says whether it was made. `is_small`: the rows fit the job's memory.
    """
    spark = rows.sparkSession
    if commit.condition is None:
        conform_table(spark, table, lake_uri)
    if is_small and may_commit(spark):
        collected = typed(rows, table).toArrow()
        retry_conflicts(lambda: replace_rows(collected, table, lake_uri, commit, partial(require_session, spark)))
    else:
        replace_by_spark(rows, table, lake_uri, commit)


def overwrite_few(spark: SparkSession, rows: list[dict], table: Table, lake_uri: str, commit: Commit) -> None:
    """The same of rows that the job has made itself."""
    made = pa.Table.from_pylist(rows, schema=arrow_schema(table))
    conform_table(spark, table, lake_uri)
    if may_commit(spark):
        retry_conflicts(lambda: replace_rows(made, table, lake_uri, commit, partial(require_session, spark)))
    else:
        replace_by_spark(spark.createDataFrame(made), table, lake_uri, commit)


def append_few(spark: SparkSession, rows: list[dict], table: Table, lake_uri: str, commit: Commit) -> None:
    """Appends rows that the job has made itself, in one commit; once, as the commit's id says."""
    made = pa.Table.from_pylist(rows, schema=arrow_schema(table))
    create_table(spark, table, lake_uri)
    if may_commit(spark):
        retry_conflicts(lambda: add_rows(made, table, lake_uri, commit, partial(require_session, spark)))
    else:
        append_rows(spark.createDataFrame(made), table, lake_uri, commit.key, commit.version)
