"""What a refresh did to a table: rows written, and how many weeks they are of."""

from datetime import date

from pyspark.sql import SparkSession

from lakehouse.contracts import Table
from lakehouse.delta_log import changes_between, newest_commit
from lakehouse.tables import read_table


def report(spark: SparkSession, lake_uri: str, table: Table, weeks: set[date] | None) -> dict:
    """`{table, version, rows, rowsWritten, weeksWritten}`; weeksWritten is null for a table that was made whole."""
    version = newest_commit(table, lake_uri)
    changes = None if weeks == set() else changes_between(table, lake_uri, version - 1, version)
    return {
        "table": table.path,
        "version": version,
        "rows": read_table(spark, table, lake_uri, version).count(),
        "rowsWritten": sum(file.rows for file in changes.added) if changes else 0,
        "weeksWritten": None if weeks is None else sorted(map(str, weeks)),
    }
