"""What a Delta table needs: files joined, files that no version in use needs removed, a checkpoint of a long log, its start removed.

Decisions are pure functions of a listing; `look_after` acts on them. Repeating it finds nothing left to do.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote, urlparse

from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from lakehouse.contracts import Table, maintenance
from lakehouse.errors import RetentionTooShort
from lakehouse.files import StoredFile, list_files, list_names, remove_file, remove_files
from lakehouse.table_state import open_table
from lakehouse.tables import read_table, retry_conflicts

_LOG = "_delta_log"
# A file of the log that belongs to a version, and a checkpoint of one: those in one file, as Spark and delta-rs write them here.
_OF_VERSION = re.compile(r"([0-9]{20})\..*")
_CHECKPOINT = re.compile(r"([0-9]{20})\.checkpoint\.parquet")


@dataclass(frozen=True)
class Measure:
    """What one table consists of; the meaning of each figure is in contracts/maintenance.ts."""

    files: int
    size_bytes: int
    small_files: int
    log_entries: int
    unused_files: int

    def document(self) -> dict[str, int]:
        """The figures as the result document names them."""
        return {
            "files": self.files,
            "sizeBytes": self.size_bytes,
            "smallFiles": self.small_files,
            "logEntries": self.log_entries,
            "unusedFiles": self.unused_files,
        }


def require_retention(hours: int) -> None:
    """RetentionTooShort where files would go that contracts/lake.json promises to keep."""
    promised = maintenance()
    least = max(promised["timeTravelHours"], promised["longestReaderHours"])
    if hours < least:
        raise RetentionTooShort(
            f"a retention of {hours} h is shorter than the {least} h that contracts/lake.json promises "
            f"(time travel {promised['timeTravelHours']} h, longest reader {promised['longestReaderHours']} h)"
        )


def look_after(spark: SparkSession, table: Table, lake_uri: str, retention_hours: int) -> dict:
    """Does for one table what it needs; answers `{table, outcome, actions, before, after}`."""
    actions = []
    before = measured = _measure(spark, table, lake_uri)
    if needs_compaction(measured):
        _compact(spark, table, lake_uri)
        actions.append("compacted")
    if vacuum(table, lake_uri, retention_hours):
        actions.append("vacuumed")
    if actions:
        measured = _measure(spark, table, lake_uri)
    if needs_checkpoint(measured):
        open_table(table, lake_uri).create_checkpoint()
        actions.append("checkpointed")
        measured = _measure(spark, table, lake_uri)
    if clean_log(table, lake_uri, datetime.now(timezone.utc)):
        actions.append("log cleaned")
    return {
        "table": table.path,
        "outcome": "maintained" if actions else "unchanged",
        "actions": actions,
        "before": before.document(),
        "after": measured.document(),
    }


def vacuum(table: Table, lake_uri: str, retention_hours: int) -> list[str]:
    """Removes files that no version of the last `retention_hours` uses; answers their paths.

    Makes no commit, which every reader would take for news. A file that a version used counts from when the next one took
    its place; one that no version ever used (of a driver that died before its commit) from when it was written.
    """
    try:
        unneeded = set(open_table(table, lake_uri).vacuum(retention_hours, dry_run=True, full=True))
    except DeltaError as error:
        if "Invalid retention period" not in str(error):
            raise
        raise RetentionTooShort(
            f"{table.path}: its delta.deletedFileRetentionDuration promises more than {retention_hours} h"
        ) from error
    # The log remembers for a while what was removed already.
    removed = [file.path for file in list_files(table.uri(lake_uri)) if file.path in unneeded]
    for path in removed:
        remove_file(f"{table.uri(lake_uri)}/{path}")
    return removed


def clean_log(table: Table, lake_uri: str, now: datetime) -> list[str]:
    """Removes what the log needs no longer; answers the names. Safe to repeat, and to be ended half way: oldest first.

    Delta would go by each commit's age, at every checkpoint, and list the whole log for it; the contract switches that off.
    """
    log = f"{table.uri(lake_uri)}/{_LOG}"
    removed = outdated(list_files(log), now - timedelta(hours=maintenance()["logRetentionHours"]))
    remove_files([f"{log}/{name}" for name in removed])
    return removed


def outdated(log: list[StoredFile], cutoff: datetime) -> list[str]:
    """The files of a log that are older than its newest checkpoint from before `cutoff`, oldest first.

    Every version from that checkpoint on can still be read and compared with: whatever was the newest version at `cutoff` or
    later, however long nobody wrote.
    """
    checkpoints = [file.path for file in log if _CHECKPOINT.fullmatch(file.path) and file.modified_at < cutoff]
    kept_from = max((int(path[:20]) for path in checkpoints), default=0)
    return sorted(file.path for file in log if _OF_VERSION.fullmatch(file.path) and int(file.path[:20]) < kept_from)


def measure(files: list[StoredFile], used: set[str], log_names: list[str]) -> Measure:
    """The figures of a table.

    Args:
        files: every file under the table's folder but its log; paths relative to it.
        used: paths of the newest version's files.
        log_names: names of the files in its log.
    """
    current = [file for file in files if file.path in used]
    return Measure(
        files=len(current),
        size_bytes=sum(file.size for file in current),
        small_files=_joinable(current),
        log_entries=_entries_since_checkpoint(log_names),
        unused_files=len(files) - len(current),
    )


def needs_compaction(measured: Measure) -> bool:
    return measured.small_files >= maintenance()["smallFilesAtLeast"]


def needs_checkpoint(measured: Measure) -> bool:
    return measured.log_entries >= maintenance()["logEntriesAtLeast"]


def _joinable(files: list[StoredFile]) -> int:
    """Small files that have another one beside them in their partition."""
    small = Counter(file.path.rpartition("/")[0] for file in files if file.size < maintenance()["smallFileBytes"])
    return sum(count for count in small.values() if count > 1)


def _entries_since_checkpoint(names: list[str]) -> int:
    versions = [name for name in names if _OF_VERSION.fullmatch(name)]
    newest = max((int(name[:20]) for name in versions if ".checkpoint." in name), default=-1)
    commits = [int(name[:20]) for name in versions if name.endswith(".json") and ".checkpoint." not in name]
    return sum(1 for commit in commits if commit > newest)


def _measure(spark: SparkSession, table: Table, lake_uri: str) -> Measure:
    uri = table.uri(lake_uri)
    # Listed before the version is read: a file of a commit in between is then unknown, never taken for unused.
    files = [file for file in list_files(uri) if not _is_hidden(file.path)]
    used = {_relative(name, uri) for name in read_table(spark, table, lake_uri).inputFiles()}
    return measure(files, used, list_names(f"{uri}/{_LOG}"))


def _is_hidden(path: str) -> bool:
    """Whether a path is none of the table's data: Delta leaves what begins with _ or . alone."""
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _relative(uri: str, folder: str) -> str:
    path, base = (unquote(urlparse(text).path).rstrip("/") for text in (uri, folder))
    return path.removeprefix(base).lstrip("/")


def _compact(spark: SparkSession, table: Table, lake_uri: str) -> None:
    spark.conf.set("spark.databricks.delta.optimize.minFileSize", str(maintenance()["smallFileBytes"]))
    spark.conf.set("spark.databricks.delta.optimize.maxFileSize", str(maintenance()["targetFileBytes"]))
    retry_conflicts(lambda: spark.sql(f"OPTIMIZE delta.`{table.uri(lake_uri)}`").collect())
