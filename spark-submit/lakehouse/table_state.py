"""The contents of a table version by its log: rows, weeks, the first and last value of a column.

The log names every file of a table with its rows, its partition values, and the limits of the columns in the
contract's `statsColumns`. Reading the log takes some hundredths of a second and opens no file, while Spark would
plan a query and open each file. Deletion vectors would make the log's numbers wrong, so they are off
(contracts/lake.json).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import WEEK, Table
from lakehouse.delta_log import rows_in_files
from lakehouse.delta_rs import arrow_schema, open_delta
from lakehouse.files import read_parquet
from lakehouse.tables import has_table, missing_table, newest_version, read_table

_FILES_AT_ONCE = 16
_EPOCH = date(1970, 1, 1).toordinal()


def open_table(table: Table, lake_uri: str, version: int | None = None) -> DeltaTable:
    """A version of a table, the newest unless told, as delta-rs has it; BrokenContract where there is no table."""
    if not has_table(table, lake_uri):
        raise missing_table(table, lake_uri)
    return open_delta(table, lake_uri, version)


def describe_table(table: Table, lake_uri: str) -> dict:
    """`{table, version, rows}` of the newest version."""
    version = newest_version(table, lake_uri)
    return {"table": table.path, "version": version, "rows": rows_in(table, lake_uri, version)}


def rows_in(table: Table, lake_uri: str, version: int | None = None) -> int:
    """The number of rows of a version. If a writer left the numbers out of the log, the files themselves give them."""
    files = _files(table, lake_uri, version)
    untold = files.filter(pc.is_null(files["num_records"]))["path"].to_pylist()
    told = pc.sum(files["num_records"]).as_py() or 0
    return told + sum(rows_in_files(table, lake_uri, untold)) if untold else told


def weeks_of(table: Table, lake_uri: str, version: int | None = None) -> set[date]:
    """The weeks of which a version has rows; the table is partitioned by week_end."""
    return set(_with_rows(_files(table, lake_uri, version))[f"partition.{WEEK}"].to_pylist())


def parts_by(table: Table, lake_uri: str, column: str, version: int | None = None) -> dict[int | date, list[str]]:
    """The files of a version by the value of a partition column, for reading without Spark."""
    files = _files(table, lake_uri, version)
    parts: dict[int | date, list[str]] = {}
    for value, uri in zip(files[f"partition.{column}"].to_pylist(), _uris(table, lake_uri, files), strict=True):
        parts.setdefault(value, []).append(uri)
    return parts


@dataclass(frozen=True)
class RowFile:
    """A file of a version: its URI, its rows, its partition values, and the least and greatest value of a column if
    the log has them."""

    uri: str
    rows: int
    partition: dict[str, object]
    limits: tuple[object, object] | None

    def may_hold(self, least: object, greatest: object) -> bool:
        """Whether a value between these may be in the file, in the column of the limits."""
        return self.limits is None or (self.limits[0] <= greatest and self.limits[1] >= least)


def row_files(table: Table, lake_uri: str, version: int | None, column: str | None = None) -> list[RowFile]:
    """The files of a version that have rows, with the limits of `column`."""
    files = _with_rows(_files(table, lake_uri, version))
    # The limits of the remaining columns may be dates outside Python's range.
    wanted = {
        "path",
        "num_records",
        f"min.{column}",
        f"max.{column}",
        *(f"partition.{name}" for name in table.partition_by),
    }
    found = files.select([name for name in files.column_names if name in wanted]).to_pylist()
    untold = [entry["path"] for entry in found if entry["num_records"] is None]
    told = dict(zip(untold, rows_in_files(table, lake_uri, untold), strict=True))
    return [
        RowFile(
            uri,
            told.get(entry["path"], entry["num_records"]),
            {name: entry[f"partition.{name}"] for name in table.partition_by},
            _both(entry.get(f"min.{column}"), entry.get(f"max.{column}")),
        )
        for uri, entry in zip(_uris(table, lake_uri, files), found, strict=True)
    ]


def range_of(
    spark: SparkSession, table: Table, lake_uri: str, column: str, version: int | None = None
) -> tuple[date, date] | None:
    """The first and last day in a column, within the years of Python's dates. None if the column is empty. If a file
    has no limits in the log, Spark reads the rows."""
    files = _with_rows(_files(table, lake_uri, version))
    if column in table.partition_by:
        return _limits(files[f"partition.{column}"], files[f"partition.{column}"])
    if {f"min.{column}", f"max.{column}"} <= set(files.column_names):
        first, last = files[f"min.{column}"], files[f"max.{column}"]
        if first.null_count == last.null_count == 0:
            return _limits(first, last)
    if files.num_rows == 0:
        return None
    rows = read_table(spark, table, lake_uri, version)
    first, last = rows.agg(F.unix_date(F.min(column)), F.unix_date(F.max(column))).collect()[0]
    return None if first is None else (_day(first), _day(last))


def read_small(table: Table, lake_uri: str, columns: list[str]) -> pa.Table:
    """The given columns of a small table, read without Spark."""
    return read_rows(table, row_files(table, lake_uri, None)).select(columns)


def read_rows(table: Table, files: list[RowFile]) -> pa.Table:
    """Every row of the given files of a table, in the columns and types of the contract.

    PyArrow reads the files: the reader of delta-rs leaves threads behind that sometimes abort the process at exit.
    """
    # All columns are nullable here: a file of a foreign writer may break the contract.
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        parts = list(pool.map(partial(_rows_of, schema), files))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _rows_of(schema: pa.Schema, file: RowFile) -> pa.Table:
    # All columns: an old file lacks the columns that the contract gained later.
    rows = read_parquet([file.uri], None)

    def column(field: pa.Field) -> pa.Array | pa.ChunkedArray:
        if field.name in file.partition:
            return pa.repeat(pa.scalar(file.partition[field.name], field.type), rows.num_rows)
        if field.name not in rows.column_names:
            return pa.nulls(rows.num_rows, field.type)
        return rows[field.name].cast(field.type)

    return pa.table([column(field) for field in schema], schema=schema)


def _files(table: Table, lake_uri: str, version: int | None) -> pa.Table:
    """The files with `num_records`, `partition.<column>`, `min.<column>`, `max.<column>`. Grain: a file."""
    return pa.table(open_table(table, lake_uri, version).get_add_actions(flatten=True))


def _uris(table: Table, lake_uri: str, files: pa.Table) -> list[str]:
    return [f"{table.uri(lake_uri)}/{unquote(path)}" for path in files["path"].to_pylist()]


def _with_rows(files: pa.Table) -> pa.Table:
    # A file that does not say how many it has may have some.
    return files.filter(pc.fill_null(pc.not_equal(files["num_records"], 0), True))


def _both(least: object, greatest: object) -> tuple[object, object] | None:
    return None if least is None or greatest is None else (least, greatest)


def _limits(first: pa.ChunkedArray, last: pa.ChunkedArray) -> tuple[date, date] | None:
    low, high = (limit.cast(pa.int32()).as_py() for limit in (pc.min(first), pc.max(last)))
    return None if low is None else (_day(low), _day(high))


def _day(since_1970: int) -> date:
    """The day of that number, or the nearest that Python knows: bronze may hold a day of another writer's beyond those."""
    return date.fromordinal(min(max(since_1970 + _EPOCH, 1), date.max.toordinal()))
