"""Small tables: the job's own process reads and commits their rows, and Spark runs the transforms.

For a small table the overhead of Spark costs more than the rows do: each read opens a file per week, and each write adds up the
table's log. The job does so for every table of a small lake, and in any lake for results of checks, records of models and users by
day. Spark reads and writes all larger tables. The transforms are the same code in both cases (docs/adr/0022).
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

# Tables derived from this many rows fit into the job's memory several times, and Spark receives the rows within a second.
MOST_ROWS = 100_000


def are_few(versions: dict[str, int | None], lake_uri: str) -> bool:
    """True if these table versions hold at most MOST_ROWS rows together. Keys are paths such as silver/listening_events; a version of
    None stands for a table that does not exist."""
    return (
        sum(rows_in(contract(*path.split("/")), lake_uri, at) for path, at in versions.items() if at is not None)
        <= MOST_ROWS
    )


def rows_of(spark: SparkSession, table: Table, lake_uri: str, version: int | None = None) -> DataFrame:
    """A version of a table (default: the newest) as a DataFrame. Raises BrokenContract if the table does not exist."""
    files = row_files(table, lake_uri, version)
    if sum(file.rows for file in files) > MOST_ROWS:
        return read_table(spark, table, lake_uri, version)
    # Spark Connect refuses an empty Arrow table.
    return spark.createDataFrame(read_rows(table, files) if files else [], table.schema)


def rows_if_there(spark: SparkSession, table: Table, lake_uri: str, version: int | None) -> DataFrame:
    """Like `rows_of`, for a version from `newest_commit`. An empty DataFrame if the version is None, because a lake need not have every
    table."""
    if version is None:
        return spark.createDataFrame([], table.schema)
    return rows_of(spark, table, lake_uri, version)


def overwrite_table(rows: DataFrame, table: Table, lake_uri: str, commit: Commit, is_small: bool) -> None:
    """Replaces the rows that match the commit's condition, or the whole derived table, by `rows` in a single commit.

    A second run is safe: the table's log keeps the commit's transaction id, and a repeated id changes nothing.
    `is_small` says that the rows fit into the job's memory. Raises BrokenContract if the table differs from the
    contract and cannot be altered.
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
    """Like `overwrite_table`, for rows that the job has made in memory."""
    made = pa.Table.from_pylist(rows, schema=arrow_schema(table))
    conform_table(spark, table, lake_uri)
    if may_commit(spark):
        retry_conflicts(lambda: replace_rows(made, table, lake_uri, commit, partial(require_session, spark)))
    else:
        replace_by_spark(spark.createDataFrame(made), table, lake_uri, commit)


def append_few(spark: SparkSession, rows: list[dict], table: Table, lake_uri: str, commit: Commit) -> None:
    """Appends rows that the job has made in memory, in a single commit. A repeated transaction id appends nothing."""
    made = pa.Table.from_pylist(rows, schema=arrow_schema(table))
    create_table(spark, table, lake_uri)
    if may_commit(spark):
        retry_conflicts(lambda: add_rows(made, table, lake_uri, commit, partial(require_session, spark)))
    else:
        append_rows(spark.createDataFrame(made), table, lake_uri, commit.key, commit.version)
