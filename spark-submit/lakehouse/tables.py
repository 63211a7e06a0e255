"""Delta tables: created by the contract, written with a commit per unit of work, described by their newest version.

Every write carries a Delta transaction id (`txnAppId`): a second write with the same id is a no-op in Delta itself,
so a retried job changes nothing. The id names the unit of work (a file's content, a run's table), and the version is
always 1.
"""

import json
import random
import time
from collections.abc import Callable
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table
from lakehouse.delta_log import has_commits, is_new, newest_commit
from lakehouse.delta_rs import Commit, make_table
from lakehouse.errors import BrokenContract
from lakehouse.layout import Difference, Layout, difference

Answer = TypeVar("Answer")

_ATTEMPTS = 6
# The setting for a store without conditional writes (java/).
_SINGLE_DRIVER = "spark.hadoop.segue.logstore.single.driver"
# Delta's messages to a writer that lost a race: names in its messages and error classes.
_CONFLICTS = (
    "ConcurrentTransactionException",
    "ConcurrentAppendException",
    "ConcurrentDeleteReadException",
    "ConcurrentDeleteDeleteException",
    "ConcurrentWriteException",
    "MetadataChangedException",
    "ProtocolChangedException",
    "DELTA_CONCURRENT_",
    "DELTA_METADATA_CHANGED",
    "DELTA_PROTOCOL_CHANGED",
    "DELTA_TABLE_ALREADY_EXISTS",
    # another writer is just making the table
    "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION",
    "FileAlreadyExistsException",
    # the same, as delta-rs says it
    "Failed to commit transaction",
    "A Delta Lake table already exists",
    # another writer has just added the column
    "FIELD_ALREADY_EXISTS",
)


def create_table(spark: SparkSession, table: Table, lake_uri: str) -> None:
    """Creates the table as its contract says where it is missing; NOT NULL where a column is required.

    A table that is there gets the columns and properties that are new in the contract, by ALTER. BrokenContract, before
    anything is written, where it differs in anything else.
    """
    if not has_table(table, lake_uri):
        statement = _create_statement(table, table.uri(lake_uri))
        retry_conflicts(lambda: spark.sql(statement).collect())
    else:
        retry_conflicts(lambda: _alter_to_contract(spark, table, lake_uri))


def has_table(table: Table, lake_uri: str) -> bool:
    """Whether the table is there, which it is from its first commit on."""
    return has_commits(table, lake_uri)


def read_table(spark: SparkSession, table: Table, lake_uri: str, version: int | None = None) -> DataFrame:
    """A version of a table (default: the newest). Raises BrokenContract if the table does not exist.

    A version is readable while its files exist. Maintenance keeps them for `timeTravelHours` after a newer version
    has replaced it (docs/adr/0018).
    """
    if not has_table(table, lake_uri):
        raise missing_table(table, lake_uri)
    reader = spark.read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).load(table.uri(lake_uri))


def replace_file(rows: DataFrame, table: Table, lake_uri: str, file_column: str, file: str, key: str) -> None:
    """Replaces the rows of `table` that came from `file` by `rows`, in a single commit. Rows of other files stay.

    Safe to run twice and at the same time: `key` (the file's content) is the transaction id. A new table has nothing
    to replace, and the search would cost more than the write of a small file.
    """
    writer = _with_transaction(rows, key)
    if is_new(table, lake_uri):
        writer = writer.mode("append")
    else:
        writer = writer.mode("overwrite").option("replaceWhere", f"{file_column} = {sql_text(file)}")
    retry_conflicts(lambda: writer.save(table.uri(lake_uri)))


def replace_by_spark(rows: DataFrame, table: Table, lake_uri: str, commit: Commit) -> None:
    """Replaces the rows that match the commit's condition, or all rows, by `rows` in a single commit by Spark."""
    writer = _with_transaction(typed(rows, table), commit.key).mode("overwrite")
    if commit.note is not None:
        writer = writer.option("userMetadata", json.dumps(commit.note))
    if commit.condition is not None:
        writer = writer.option("replaceWhere", commit.condition)
    retry_conflicts(lambda: writer.save(table.uri(lake_uri)))


def append_rows(rows: DataFrame, table: Table, lake_uri: str, key: str, version: int) -> None:
    """Appends `rows` in a single commit, once for every (key, version). The versions of a key may only grow."""
    writer = _with_transaction(typed(rows, table), key, version).mode("append")
    retry_conflicts(lambda: writer.save(table.uri(lake_uri)))


def delete_rows(spark: SparkSession, table: Table, lake_uri: str, condition: str) -> None:
    """Deletes the rows that match a SQL condition, in a single commit."""
    statement = f"DELETE FROM delta.`{table.uri(lake_uri)}` WHERE {condition}"
    retry_conflicts(lambda: spark.sql(statement).collect())


def conform_table(spark: SparkSession, table: Table, lake_uri: str) -> None:
    """Creates an empty table by the contract if it is missing or has a different layout. For derived tables only,
    because their rows are made again."""
    if has_table(table, lake_uri):
        lacking = _difference(table, lake_uri)
        if lacking.is_nothing:
            return
        if lacking.needs_replacing:
            # CREATE OR REPLACE would refuse a table at a path that is not as it says.
            statement = _create_statement(table, table.uri(lake_uri), "REPLACE TABLE")
            retry_conflicts(lambda: spark.sql(statement).collect())
    elif may_commit(spark):
        retry_conflicts(lambda: _make_once(table, lake_uri))
        return
    create_table(spark, table, lake_uri)


def may_commit(spark: SparkSession) -> bool:
    """True if a job may commit beside Spark. False with `segue.logstore.single.driver`: such a store does not support conditional
    writes, so a single driver has to write every commit."""
    return spark.conf.get(_SINGLE_DRIVER, "false") != "true"


def typed(rows: DataFrame, table: Table) -> DataFrame:
    """The table's columns, in its types."""
    return rows.select(*(F.col(column.name).cast(column.spark_type).alias(column.name) for column in table.columns))


def count_by(spark: SparkSession, table: Table, lake_uri: str, file_column: str, file: str, by: str) -> dict[str, int]:
    """Rows of `table` that came from `file`, counted by the column `by`; empty where there is no table."""
    if not has_table(table, lake_uri):
        return {}
    rows = read_table(spark, table, lake_uri).where(F.col(file_column) == file)
    return {row[0]: row[1] for row in rows.groupBy(by).count().collect()}


def newest_version(table: Table, lake_uri: str) -> int:
    """The number of the table's newest version; BrokenContract where there is no table."""
    version = newest_commit(table, lake_uri)
    if version is None:
        raise missing_table(table, lake_uri)
    return version


def missing_table(table: Table, lake_uri: str) -> BrokenContract:
    return BrokenContract(f"{table.path}: there is no such table under {lake_uri}; run the step that makes it first")


def retry_conflicts(action: Callable[[], Answer]) -> Answer:
    """Runs `action` again, a bounded number of times, when another writer's commit came in between."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return action()
        except Exception as error:  # Spark Connect, Py4J and PySpark each raise a class of their own
            if attempt == _ATTEMPTS or not any(name in str(error) for name in _CONFLICTS):
                raise
            # Random waits separate the writers. They do not influence the written rows.
            time.sleep(random.uniform(0.2, 0.6) * attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def sql_text(value: str) -> str:
    """A SQL string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _with_transaction(rows: DataFrame, key: str, version: int = 1):
    return rows.write.format("delta").option("txnAppId", key).option("txnVersion", str(version))


def _make_once(table: Table, lake_uri: str) -> None:
    if not has_table(table, lake_uri):
        make_table(table, lake_uri, Layout.of_contract(table).properties)


def _difference(table: Table, lake_uri: str) -> Difference:
    return difference(Layout.of_lake(table, lake_uri), Layout.of_contract(table))


def _alter_to_contract(spark: SparkSession, table: Table, lake_uri: str) -> None:
    """Gives the table the missing columns and properties. Reads the layout again at every attempt, because another
    writer may have altered it."""
    lacking = _difference(table, lake_uri)
    if lacking.obstacles:
        raise BrokenContract(
            f"{table.path} under {lake_uri} is not made as contracts/lake.json says: {'; '.join(lacking.obstacles)}; "
            "nothing was written. Only columns that may be empty can be added to a table that has rows: take the change "
            "back, or write the table anew under the new contract"
        )
    altered = f"ALTER TABLE delta.`{table.uri(lake_uri)}`"
    if lacking.new_columns:
        columns = ", ".join(f"`{name}` {column_type}" for name, column_type in lacking.new_columns.items())
        spark.sql(f"{altered} ADD COLUMNS ({columns})").collect()
    if lacking.properties:
        spark.sql(f"{altered} SET TBLPROPERTIES ({_properties_sql(lacking.properties)})").collect()


def _properties_sql(properties: dict[str, str]) -> str:
    return ", ".join(f"{sql_text(name)} = {sql_text(value)}" for name, value in properties.items())


def _create_statement(table: Table, uri: str, verb: str = "CREATE TABLE IF NOT EXISTS") -> str:
    columns = ", ".join(
        f"`{column.name}` {column.spark_type}{' NOT NULL' if column.required else ''}" for column in table.columns
    )
    partitions = ", ".join(f"`{name}`" for name in table.partition_by)
    properties = _properties_sql(Layout.of_contract(table).properties)
    return (
        f"{verb} delta.`{uri}` ({columns}) USING delta "
        + (f"PARTITIONED BY ({partitions}) " if partitions else "")
        + f"TBLPROPERTIES ({properties})"
    )
