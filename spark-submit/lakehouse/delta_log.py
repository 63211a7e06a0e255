"""A Delta table's own log, read as files: what changed between two versions, and what a commit says of itself.

The log names the files each commit added and removed, with their rows and partition values: what is new is known without
reading a row. Commits that only move rows into other files (compaction) say so (`dataChange` false) and count for nothing.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow.parquet as pq

from lakehouse.contracts import Table
from lakehouse.files import list_names, open_uri

_DIGITS = 20
# A footer is a few kilobytes: to wait for the store one after another is what costs.
_FOOTERS_AT_ONCE = 8


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: its path below the table's folder, its rows and the values it is partitioned by."""

    path: str
    rows: int
    partition: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Changes:
    """Data files that came and went between two versions; one that did both is in neither."""

    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in (*self.added, *self.removed))

    def partitions(self, column: str) -> set[str]:
        """The values of a partition column in which anything changed."""
        return {value for file in (*self.added, *self.removed) for name, value in file.partition if name == column}


def newest_commit(table: Table, lake_uri: str) -> int | None:
    """The number of the table's newest version, from one listing; None where there is no table."""
    return max(_versions(table, lake_uri), default=None)


def is_new(table: Table, lake_uri: str) -> bool:
    """Whether the table was just made and holds no row yet."""
    return newest_commit(table, lake_uri) == 0 and not any("add" in action for action in _commit(table, lake_uri, 0))


def rows_committed(table: Table, lake_uri: str, key: str, column: str, value: str) -> int | None:
    """Rows that the table's newest commit wrote, when that commit is the transaction `key` and all its rows hold `value` in
    `column`; counted in the Parquet files themselves. None where that cannot be told without reading rows.
    """
    newest = newest_commit(table, lake_uri)
    actions = [] if newest is None else _commit(table, lake_uri, newest)
    if not any(action.get("txn", {}).get("appId") == key for action in actions):
        return None
    added = [action["add"] for action in actions if "add" in action]
    if not all(_holds_only(entry, column, value) for entry in added):
        return None
    return sum(rows_in_files(table, lake_uri, [entry["path"] for entry in added]))


def changes_between(table: Table, lake_uri: str, after: int, upto: int) -> Changes | None:
    """What changed after version `after` up to `upto`; None where the log no longer tells (it was cleaned up)."""
    if not set(range(after + 1, upto + 1)) <= _versions(table, lake_uri):
        return None
    added: dict[str, DataFile] = {}
    removed: dict[str, DataFile] = {}
    for version in range(after + 1, upto + 1):
        for action in _commit(table, lake_uri, version):
            _apply(action, added, removed)
    return Changes(tuple(added.values()), tuple(removed.values()))


def commit_note(table: Table, lake_uri: str) -> dict | None:
    """The note (`userMetadata`, a JSON object) of the newest commit that changed rows; None where it has none.

    A commit that only moved rows (compaction) is passed over: it changes nothing of what the table was made of.
    """
    for version in sorted(_versions(table, lake_uri), reverse=True):
        actions = _commit(table, lake_uri, version)
        for action in actions:
            note = action.get("commitInfo", {}).get("userMetadata")
            if note:
                return json.loads(note)
        if any(action[kind].get("dataChange") for action in actions for kind in ("add", "remove") if kind in action):
            return None
    return None


def _versions(table: Table, lake_uri: str) -> set[int]:
    names = list_names(f"{table.uri(lake_uri)}/_delta_log")
    return {int(name[:_DIGITS]) for name in names if name.endswith(".json") and name[:-5].isdigit()}


def _commit(table: Table, lake_uri: str, version: int) -> list[dict]:
    filesystem, path = open_uri(f"{table.uri(lake_uri)}/_delta_log/{version:0{_DIGITS}}.json")
    with filesystem.open_input_stream(path) as stream:
        return [json.loads(line) for line in stream.read().decode("utf-8").splitlines() if line]


def _holds_only(entry: dict, column: str, value: str) -> bool:
    stats = json.loads(entry.get("stats") or "{}")
    limits = [stats.get(limit, {}).get(column) for limit in ("minValues", "maxValues")]
    return limits == [value, value]


def rows_in_files(table: Table, lake_uri: str, paths: list[str]) -> list[int]:
    """The rows of files of a table, as they say themselves; `paths` as the log has them."""
    filesystem, folder = open_uri(table.uri(lake_uri))

    def rows(path: str) -> int:
        return pq.read_metadata(f"{folder}/{unquote(path)}", filesystem=filesystem).num_rows

    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        return list(pool.map(rows, paths))


def _apply(action: dict, added: dict[str, DataFile], removed: dict[str, DataFile]) -> None:
    if action.get("add", {}).get("dataChange"):
        file = _data_file(action["add"])
        added[file.path] = file
    if action.get("remove", {}).get("dataChange"):
        file = _data_file(action["remove"])
        if added.pop(file.path, None) is None:
            removed[file.path] = file


def _data_file(entry: dict) -> DataFile:
    stats = json.loads(entry.get("stats") or "{}")
    partition = tuple((entry.get("partitionValues") or {}).items())
    return DataFile(unquote(entry["path"]), stats.get("numRecords", 0), partition)
