"""Describes Delta tables with a reader that is not Spark (deltalake, pyarrow), as one JSON document on stdout.

Usage: lake_digest.py TABLE... with AWS_* in the environment. Per table: rows, version, rows by source file, and a digest of
all rows in sorted order without the columns that say when they were written. null for a table that is not there.
"""

import collections
import hashlib
import json
import os
import sys

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

WHEN_COLUMNS = {"_ingested_at", "detected_at", "model_version"}


def describe(name: str) -> dict | None:
    try:
        table = DeltaTable(f"s3://data/{name}", storage_options={"AWS_ALLOW_HTTP": "true"})
    except TableNotFoundError:
        return None
    rows = table.to_pyarrow_table()
    source = next((column for column in ("_source_file", "source_file") if column in rows.column_names), None)
    return {
        "rows": rows.num_rows,
        "version": table.version(),
        "bySource": dict(collections.Counter(rows[source].to_pylist())) if source else {},
        "digest": digest(rows),
    }


def digest(rows) -> str:
    columns = sorted(set(rows.column_names) - WHEN_COLUMNS)
    lines = sorted(map(repr, zip(*(rows[column].to_pylist() for column in columns))))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    print(json.dumps({name: describe(name) for name in sys.argv[1:]}), flush=True)
    # The reader's threads abort an interpreter that ends in the ordinary way, now and then.
    os._exit(0)
