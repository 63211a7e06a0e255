"""What a refresh did to a table, from the table's log: rows and files written, and how many weeks they are of."""

from datetime import date

from pyspark.sql import SparkSession

from lakehouse.contracts import Table
from lakehouse.delta_log import newest_commit
from lakehouse.tables import read_table


def report(spark: SparkSession, lake_uri: str, table: Table, weeks: set[date] | None) -> dict:
    """`{table, version, rows, rowsWritten, weeksWritten}`; weeksWritten is null for a table that was made whole."""
    version = newest_commit(table, lake_uri)
    current = read_table(spark, table, lake_uri, version)
    rows = current.count()
    if weeks is None:
        return {"table": table.path, "version": version, "rows": rows, "rowsWritten": rows, "weeksWritten": None}
    written = current.where(current["week_end"].isin(*weeks)).count() if weeks else 0
    return {
        "table": table.path,
        "version": version,
        "rows": rows,
        "rowsWritten": written,
        "weeksWritten": sorted(map(str, weeks)),
    }
