"""Tables through delta-rs, in the job's own process: opened, made, and written where the rows are few.

A write by Spark costs four Spark jobs, however few its rows are (findings/delta-idempotent-append-state.sh); one by delta-rs costs
some hundredths of a second. Both keep the same promises: one commit, created only if no other writer has made that version, with a
transaction id, so that a second write of the same id changes nothing.
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
# Maintenance cleans the log, by what it promises.
_AFTER_COMMIT = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


@dataclass(frozen=True)
class Commit:
    """One unit of work: its transaction id, a note for the log, and a SQL condition on partitions. Rows of which the condition is true
    are replaced; without one, all of them."""

    key: str
    note: dict | None = None
    condition: str | None = None
    version: int = 1


def open_delta(table: Table, lake_uri: str, version: int | None = None) -> DeltaTable:
    """A version of a table that is there, the newest unless told."""
    return DeltaTable(_uri(table, lake_uri), version=version, storage_options=storage_options())


def arrow_schema(table: Table) -> pa.Schema:
    """The columns of the contract, as Arrow has them."""
    return pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.type], not column.required) for column in table.columns]
    )


def make_table(table: Table, lake_uri: str, properties: dict[str, str]) -> None:
    """Makes an empty table; raises CommitFailedError where another writer makes it at the same moment."""
    DeltaTable.create(
        _uri(table, lake_uri),
        arrow_schema(table),
        partition_by=list(table.partition_by),
        configuration=properties,
        storage_options=storage_options(),
        # Properties that only Spark knows are kept for it.
        raise_if_key_not_exists=False,
    )


def replace_rows(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, check: Callable[[], None]) -> None:
    """Replaces the rows of the commit's condition by `rows`; refuses a row of which the condition is not true.

    `check` raises where the job may write no longer, since another one took over. It is asked between the look at the table and the
    commit: what the other one commits after it was asked takes the version that this commit wants.
    """
    _write(rows, table, lake_uri, commit, "overwrite", check)


def add_rows(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, check: Callable[[], None]) -> None:
    """Appends `rows`, the same way."""
    _write(rows, table, lake_uri, commit, "append", check)


def _write(rows: pa.Table, table: Table, lake_uri: str, commit: Commit, mode: str, check: Callable[[], None]) -> None:
    """Raises CommitFailedError where another commit came in between: then nothing was written, and the id is to be looked up anew."""
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
            # The next try looks first whether another process has written the same.
            max_commit_retries=0,
            app_transactions=[Transaction(commit.key, commit.version)],
        ),
        post_commithook_properties=_AFTER_COMMIT,
    )


def _uri(table: Table, lake_uri: str) -> str:
    return table.uri(lake_uri).replace("s3a://", "s3://", 1)
