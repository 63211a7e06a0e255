"""What a refresh did to a table: rows written, and how many weeks they are of."""

from pyspark.sql import SparkSession

from lakehouse.delta_log import changes_between, newest_commit
from lakehouse.session import SHORT_QUERIES_AT_ONCE, side_by_side
from lakehouse.tables import read_table
from lakehouse.weeks_refresh import Written


def report_all(spark: SparkSession, lake_uri: str, run_key: str, written: list[Written]) -> list[dict]:
    """For each table `{table, version, rows, rowsWritten, weeksWritten}`; weeksWritten is null where it was made whole."""
    return side_by_side(spark, run_key, SHORT_QUERIES_AT_ONCE, lambda each: _report(spark, lake_uri, each), written)


def _report(spark: SparkSession, lake_uri: str, written: Written) -> dict:
    table, weeks = written.table, written.weeks
    version = newest_commit(table, lake_uri)
    changes = None if weeks == set() else changes_between(table, lake_uri, version - 1, version)
    return {
        "table": table.path,
        "version": version,
        "rows": read_table(spark, table, lake_uri, version).count(),
        "rowsWritten": sum(file.rows for file in changes.added) if changes else 0,
        "weeksWritten": None if weeks is None else sorted(map(str, weeks)),
    }
