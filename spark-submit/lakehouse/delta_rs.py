"""Delta tables through delta-rs, in the job's own process: opening, creating and writing small tables.

A write by Spark runs four Spark jobs even for two rows (findings/delta-idempotent-append-state.sh). A write by
delta-rs takes some hundredths of a second. Both make the same promises: a write is a single commit, the store
creates the commit only if its version does not exist yet, and the log keeps a transaction id, so that a second write
with the same id changes nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake

from lakehouse.contracts import Table
from lakehouse.files import storage_options

_ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
}
# The maintenance job cleans up the log, within the promised retention.
_AFTER_COMMIT = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


@dataclass(frozen=True)
class Commit:
    """A unit of work: its transaction id, a note for the log, and a SQL condition on partition columns. The write
    replaces the rows that match the condition, or all rows if there is no condition."""

    key: str
    note: dict | None = None
    condition: str | None = None
    version: int = 1


def open_delta(table: Table, lake_uri: str, version: int | None = None) -> DeltaTable:
    """A version (default: the newest) of a table that exists."""
    return DeltaTable(_uri(table, lake_uri), version=version, storage_options=storage_options())


def arrow_schema(table: Table) -> pa.Schema:
    """The columns of the contract as an Arrow schema."""
    return pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.type], not column.required) for column in table.columns]
    )


def make_table(table: Table, lake_uri: str, properties: dict[str, str]) -> None:
    """Creates an empty table. Raises CommitFailedError if another writer creates the table at the same moment."""
    DeltaTable.create(
        _uri(table, lake_uri),
        arrow_schema(table),
        partition_by=list(table.partition_by),
        configuration=properties,
        storage_options=storage_options(),
        # The contract has properties that only Spark knows.
        raise_if_key_not_exists=False,
    )


def replace_rows(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, check: Callable[[], None]) -> None:
    """Replaces the rows that match the commit's condition by `rows`. Raises DeltaError if a row does not match the condition.

    `check` raises if another job has taken over this job's work. The call comes after the job has opened the table and before the job
    commits: a later commit of the other job takes the version that this commit needs, and this commit fails.
    """
    _write(rows, table, lake_uri, commit, "overwrite", check)


def add_rows(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, check: Callable[[], None]) -> None:
    """Appends `rows`, with the same check."""
    _write(rows, table, lake_uri, commit, "append", check)


def _write(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, mode: str, check: Callable[[], None]) -> None:
    """Raises CommitFailedError if another commit came first. Nothing was written then, and the caller has to look up the id again."""
    found = open_delta(table, lake_uri)
    if (found.transaction_version(commit.key) or 0) >= commit.version:
        return
    check()
    write_deltalake(
        found,
        rows.select(table.column_names).cast(arrow_schema(table)),
        mode=mode,
        predicate=commit.condition,
        commit_properties=CommitProperties(
            custom_metadata=None if commit.note is None else {"userMetadata": json.dumps(commit.note)},
            # The caller's next attempt looks up the transaction id first.
            max_commit_retries=0,
            app_transactions=[Transaction(commit.key, commit.version)],
        ),
        post_commithook_properties=_AFTER_COMMIT,
    )


def _uri(table: Table, lake_uri: str) -> str:
    return table.uri(lake_uri).replace("s3a://", "s3://", 1)
