"""The rows of a table that break its contract. The job's own process finds them in the Parquet files, in some
hundredths of a second for a table of a small lake. Spark would plan several queries.

Memory holds a file, and 8 bytes for each key. Keys are compared by a 64-bit hash, and by their values if two hashes
are equal.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.contracts import Check, Table
from lakehouse.delta_log import newest_commit
from lakehouse.few_rows import MOST_ROWS
from lakehouse.files import read_parquet
from lakehouse.incremental import WEEK
from lakehouse.table_state import RowFile, read_rows, row_files

# The name of a check, its hardness, its success, the observed value, and the description of a pass.
Found = tuple[str, bool, bool, float, str]


@dataclass(frozen=True)
class Rows:
    """The rows of some weeks of a table version (or of all weeks), and the files of the remaining weeks. `held` has the rows of a small
    table in memory. The checks read a larger table file by file, for each check."""

    table: Table
    files: list[RowFile]
    others: list[RowFile]
    held: pa.Table | None

    @classmethod
    def of(cls, table: Table, lake_uri: str, version: int, weeks: set[date] | None) -> "Rows":
        files = row_files(table, lake_uri, version, table.key[0] if table.key else None)
        mine = [file for file in files if weeks is None or file.partition[WEEK] in weeks]
        others = [file for file in files if weeks is not None and file.partition[WEEK] not in weeks]
        are_few = sum(file.rows for file in mine) <= MOST_ROWS
        return cls(table, mine, others, read_rows(table, mine) if are_few else None)

    def read(self, columns: Iterable[str]) -> Iterator[pa.Table]:
        if self.held is not None:
            return iter([self.held.select(list(columns))])
        return (_read(self.table, file, list(columns)) for file in self.files)


def check_rows(rows: Rows) -> list[Found]:
    """The checks of the contract's columns, ranges and shares, and of its key."""
    checked = rows.table
    ranges = [check for check in checked.checks if check.kind == "range"]
    shares = [check for check in checked.checks if check.kind == "share"]
    broken = dict.fromkeys([*_names(checked), *(f"{check.column} is out of range" for check in ranges)], 0)
    true, given = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0)
    for part in rows.read(checked.column_names):
        for name, count in _broken(checked, ranges, part):
            broken[name] += count
        for check in shares:
            true[check] += pc.sum(part[check.column]).as_py() or 0
            given[check] += len(part) - part[check.column].null_count
    return [
        *((name, True, count == 0, float(count), "0 rows") for name, count in broken.items()),
        *(_share(check, true[check], given[check]) for check in shares),
        *_unique(rows),
    ]


def check_reference(rows: Rows, check: Check, lake_uri: str) -> Found:
    """The share of distinct values that the other table has. A missing table has none."""
    other = check.other_table
    version = newest_commit(other, lake_uri)
    known = [] if version is None else Rows.of(other, lake_uri, version, None).read([check.other_column])
    values = _distinct(rows.read([check.column]), check.column)
    found = pc.sum(pc.is_in(values, _distinct(known, check.other_column))).as_py() or 0
    share = found / len(values) if len(values) else 1.0
    name = f"{check.column} in {other.path}"
    return name, check.is_hard, share >= check.least, share, f"a share of at least {check.least:g}"


def _read(table: Table, file: RowFile, columns: list[str]) -> pa.Table:
    """Columns of a file, those it is partitioned by and those that came after it (null) among them."""
    found = read_parquet([file.uri], [name for name in columns if name not in table.partition_by])
    of = {name: found[name] for name in found.column_names}
    missing = {name: pa.repeat(pa.scalar(file.partition.get(name)), file.rows) for name in columns if name not in of}
    return pa.table({**of, **missing}).select(columns)


def _names(checked: Table) -> Iterator[str]:
    for column in checked.columns:
        if column.required:
            yield f"{column.name} is null"
        if column.allowed:
            yield f"{column.name} is not allowed"


def _broken(checked: Table, ranges: list[Check], rows: pa.Table) -> Iterator[tuple[str, int]]:
    """How many rows break each rule; a null breaks no rule but that of a required column."""
    for column in checked.columns:
        if column.required:
            yield f"{column.name} is null", rows[column.name].null_count
        if column.allowed:
            allowed = pa.array(column.allowed, pa.string())
            given = rows[column.name].cast(pa.string()).drop_null()
            yield f"{column.name} is not allowed", len(given) - (pc.sum(pc.is_in(given, allowed)).as_py() or 0)
    for check in ranges:
        values = rows[check.column]
        too_small = 0 if check.least is None else pc.sum(pc.less(values, check.least)).as_py() or 0
        too_large = 0 if check.most is None else pc.sum(pc.greater(values, check.most)).as_py() or 0
        yield f"{check.column} is out of range", too_small + too_large


def _share(check: Check, true: int, rows: int) -> Found:
    """The share of rows in which a boolean column is true; of no rows, all."""
    share = true / rows if rows else 1.0
    return f"{check.column} is true", check.is_hard, share >= check.least, share, f"a share of at least {check.least:g}"


def _unique(rows: Rows) -> list[Found]:
    """Keys that occur more than once among the rows; and those of rows of other weeks that these rows have, too, where the week is no
    part of the key."""
    key = list(rows.table.key)
    if not key:
        return []
    parts = [_hashes(part) for part in rows.read(key)]
    hashes = np.sort(np.concatenate([*parts, np.array([], dtype=np.uint64)]))
    doubled = len(_repeated(_with_hash(rows.read(key), hashes[1:][hashes[1:] == hashes[:-1]])))
    if rows.others and len(hashes) and WEEK not in key:
        doubled += _kept_elsewhere(rows, hashes)
    return [(f"{', '.join(key)} is not unique", True, doubled == 0, float(doubled), "0 keys")]


def _kept_elsewhere(rows: Rows, hashes: np.ndarray) -> int:
    """The number of rows of other weeks with a key of these rows. Reads only the files that may have such a key, by
    the limits of the first key column."""
    key = list(rows.table.key)
    limits = [pc.min_max(part[key[0]]).as_py() for part in rows.read(key[:1]) if len(part)]
    least, greatest = min(limit["min"] for limit in limits), max(limit["max"] for limit in limits)
    near = (_read(rows.table, file, key) for file in rows.others if file.may_hold(least, greatest))
    suspects = _with_hash(near, hashes)
    mine = {found for part in rows.read(key) for found in _tuples(part)} if suspects else set()
    return sum(found in mine for found in suspects)


def _with_hash(parts: Iterable[pa.Table], hashes: np.ndarray) -> list[tuple]:
    """The keys with these hashes. They are few."""
    if len(hashes) == 0:
        return []
    found = (part.filter(pa.array(np.isin(_hashes(part), hashes))) for part in parts)
    return [key for part in found for key in _tuples(part)]


def _tuples(rows: pa.Table) -> list[tuple]:
    return [tuple(row.values()) for row in rows.to_pylist()]


def _repeated(keys: list[tuple]) -> set[tuple]:
    return {key for key, count in Counter(keys).items() if count > 1}


def _hashes(keys: pa.Table) -> np.ndarray:
    """A hash of each row's values as text, independent of the types in the file."""
    texts = pa.table({name: keys[name].cast(pa.string()) for name in keys.column_names})
    return pd.util.hash_pandas_object(texts.to_pandas(), index=False, categorize=False).to_numpy()


def _distinct(parts: Iterable[pa.Table], column: str) -> pa.Array:
    """The different values of a column as text, without null."""
    found = [pc.unique(part[column]).cast(pa.string()) for part in parts]
    return pc.unique(pa.chunked_array(found, pa.string())).drop_null()
