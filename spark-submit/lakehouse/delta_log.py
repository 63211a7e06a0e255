"""A Delta table's own log, read as files: the changes between two versions, and the note of a commit.

The log names the files that each commit added and removed, with their rows and partition values. So the changes are
known without reading a row. Commits that only move rows into other files (compaction) are marked with `dataChange`
false and do not count.

No cost here grows with the number of commits: the code does not list the log, but enters it at its last checkpoint.
"""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow.parquet as pq

from lakehouse.contracts import Table
from lakehouse.files import is_file, list_names, open_uri, read_bytes

_COMMIT = re.compile(r"([0-9]{20})\.json")
# A footer or a commit is a few kilobytes: waiting for the store dominates, so the reads run at the same time.
_FILES_AT_ONCE = 8


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table: its path below the table's folder, its rows (0 if the commit does not say, as for
    most removed files) and its partition values."""

    path: str
    rows: int
    partition: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Changes:
    """The data files that were added and removed between two versions. A file that was added and removed is in
    neither list."""

    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]

    @property
    def rows_added(self) -> int:
        return sum(file.rows for file in self.added)

    def partitions(self, column: str) -> set[str]:
        """The values of a partition column in which anything changed."""
        return {value for file in (*self.added, *self.removed) for name, value in file.partition if name == column}


def has_commits(table: Table, lake_uri: str) -> bool:
    """True if the table has a commit. The folder of the log may exist earlier, while a writer creates the table."""
    return _known_version(table, lake_uri) is not None


def newest_commit(table: Table, lake_uri: str) -> int | None:
    """The number of the table's newest version; None where there is no table.

    From a version that is known to be there on, versions have no gap: asking for some, in growing steps, finds the last.
    """
    known = _known_version(table, lake_uri)
    return None if known is None else _last_from(known, lambda version: is_file(_commit_uri(table, lake_uri, version)))


def is_new(table: Table, lake_uri: str) -> bool:
    """Whether the table was just made and holds no row yet."""
    if newest_commit(table, lake_uri) != 0:
        return False
    return not any("add" in action for action in _commit(table, lake_uri, 0) or ())


def rows_committed(table: Table, lake_uri: str, key: str, column: str, value: str) -> int | None:
    """Rows that the table's newest commit wrote, when that commit is the transaction `key` and all its rows hold `value` in
    `column`; counted in the Parquet files themselves. None where that cannot be told without reading rows.
    """
    newest = newest_commit(table, lake_uri)
    actions = (None if newest is None else _commit(table, lake_uri, newest)) or []
    if not any(action.get("txn", {}).get("appId") == key for action in actions):
        return None
    added = [action["add"] for action in actions if "add" in action]
    if not all(_holds_only(entry, column, value) for entry in added):
        return None
    return sum(rows_in_files(table, lake_uri, [entry["path"] for entry in added]))


def changes_between(table: Table, lake_uri: str, after: int, upto: int) -> Changes | None:
    """The changes after version `after` up to `upto`. None if the log no longer has them, because it was cleaned up."""
    added: dict[str, DataFile] = {}
    removed: dict[str, DataFile] = {}
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        for actions in pool.map(lambda version: _commit(table, lake_uri, version), range(after + 1, upto + 1)):
            if actions is None:
                pool.shutdown(cancel_futures=True)
                return None
            for action in actions:
                _apply(action, added, removed)
    return Changes(tuple(added.values()), tuple(removed.values()))


def commit_note(table: Table, lake_uri: str) -> dict | None:
    """The note (`userMetadata`, a JSON object) of the newest commit that changed rows. None if that commit has no
    note.

    Commits that only moved rows (compaction) or changed properties are skipped, because the inputs of the table stay
    the same.
    """
    version = newest_commit(table, lake_uri)
    actions = None if version is None else _commit(table, lake_uri, version)
    while actions is not None:
        for action in actions:
            note = action.get("commitInfo", {}).get("userMetadata")
            if note:
                return json.loads(note)
        if any(action[kind].get("dataChange") for action in actions for kind in ("add", "remove") if kind in action):
            return None
        version -= 1
        actions = _commit(table, lake_uri, version) if version >= 0 else None
    return None


def rows_in_files(table: Table, lake_uri: str, paths: list[str]) -> list[int]:
    """The rows of files of a table, as they say themselves; `paths` as the log has them."""
    filesystem, folder = open_uri(table.uri(lake_uri))

    def rows(path: str) -> int:
        return pq.read_metadata(f"{folder}/{unquote(path)}", filesystem=filesystem).num_rows

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return list(pool.map(rows, paths))


def actions_in(commit: bytes) -> list[dict]:
    """The actions of a commit, a JSON object a line. Lines end at \\n alone: the texts in a commit (names of files, least and
    greatest values of columns) may hold U+0085, U+2028 and other characters that Python's `splitlines` takes for an end."""
    return [json.loads(line) for line in commit.decode("utf-8").split("\n") if line]


def _known_version(table: Table, lake_uri: str) -> int | None:
    """A version of the table that is there, as new as can be told at once; None where there is no table."""
    checkpointed = _last_checkpoint(table, lake_uri)
    if checkpointed is not None:
        return checkpointed
    if is_file(_commit_uri(table, lake_uri, 0)):
        return 0
    # The pointer to the checkpoint is missing, and the first commits of the log are gone.
    names = map(_COMMIT.fullmatch, list_names(_log_uri(table, lake_uri)))
    return max((int(name[1]) for name in names if name), default=None)


def _last_checkpoint(table: Table, lake_uri: str) -> int | None:
    """The version in the log's pointer to its last checkpoint. None if the pointer is missing or unreadable: Delta
    ignores such a pointer, too."""
    pointer = read_bytes(f"{_log_uri(table, lake_uri)}/_last_checkpoint")
    try:
        return None if pointer is None else int(json.loads(pointer)["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _last_from(start: int, is_there: Callable[[int], bool]) -> int:
    """The last number of those from `start` on without a gap, which is there."""
    step = 1
    while is_there(start + step):
        start += step
        step *= 2
    while step > 1:
        step //= 2
        if is_there(start + step):
            start += step
    return start


def _log_uri(table: Table, lake_uri: str) -> str:
    return f"{table.uri(lake_uri)}/_delta_log"


def _commit_uri(table: Table, lake_uri: str, version: int) -> str:
    return f"{_log_uri(table, lake_uri)}/{version:020}.json"


def _commit(table: Table, lake_uri: str, version: int) -> list[dict] | None:
    """The actions of a commit; None where the log has no such commit (any more)."""
    filesystem, path = open_uri(_commit_uri(table, lake_uri, version))
    try:
        with filesystem.open_input_stream(path) as stream:
            return actions_in(stream.read())
    except FileNotFoundError:
        return None


def _holds_only(entry: dict, column: str, value: str) -> bool:
    stats = json.loads(entry.get("stats") or "{}")
    limits = [stats.get(limit, {}).get(column) for limit in ("minValues", "maxValues")]
    return limits == [value, value]


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
