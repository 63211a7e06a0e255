"""What a refresh did to a table: rows written, and how many weeks they are of."""

from lakehouse.delta_log import changes_between, newest_commit
from lakehouse.table_state import rows_in
from lakehouse.weeks_refresh import Written


def report(lake_uri: str, written: Written) -> dict:
    """`{table, version, rows, rowsWritten, weeksWritten}` of a table; weeksWritten is null where it was made whole."""
    table, weeks = written.table, written.weeks
    version = newest_commit(table, lake_uri)
    changes = None if weeks == set() else changes_between(table, lake_uri, version - 1, version)
    return {
        "table": table.path,
        "version": version,
        "rows": rows_in(table, lake_uri, version),
        "rowsWritten": changes.rows_added if changes else 0,
        "weeksWritten": None if weeks is None else sorted(map(str, weeks)),
    }
