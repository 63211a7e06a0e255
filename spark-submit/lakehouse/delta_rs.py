"""Tables through delta-rs: what their logs say, without Spark."""

from deltalake import DeltaTable

from lakehouse.contracts import Table
from lakehouse.files import storage_options


def open_delta(table: Table, lake_uri: str, version: int | None = None) -> DeltaTable:
    """A version of a table that is there, the newest unless told."""
    uri = table.uri(lake_uri).replace("s3a://", "s3://", 1)
    return DeltaTable(uri, version=version, storage_options=storage_options())
