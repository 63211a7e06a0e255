"""Rows of one user in the lake, by table, without Spark: user_rows.py USER, with AWS_* in the environment. JSON; no empty ones."""

import json
import os
import pathlib
import sys

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

LAKE = json.loads((pathlib.Path(__file__).parents[2] / "contracts" / "lake.json").read_text())
USER_COLUMNS = ("user_id", "owner_user_id", "user_id_a", "user_id_b")


def rows_of(path: str, user: str) -> int:
    try:
        rows = DeltaTable(f"s3://data/{path}", storage_options={"AWS_ALLOW_HTTP": "true"}).to_pyarrow_table()
    except TableNotFoundError:
        return 0
    if path.startswith("quarantine/"):
        return sum(1 for raw in rows["raw"].to_pylist() if raw is not None and user in raw.split(","))
    found = [rows[column].to_pylist() for column in USER_COLUMNS if column in rows.column_names]
    return sum(1 for values in zip(*found) if user in values)


if __name__ == "__main__":
    paths = [f"{table['layer']}/{table['name']}" for table in LAKE["tables"]]
    paths += [f"quarantine/{dataset['table']}" for dataset in LAKE["datasets"]]
    counted = {path: rows_of(path, sys.argv[1]) for path in paths}
    print(json.dumps({path: count for path, count in counted.items() if count}), flush=True)
    # The reader's threads abort an interpreter that ends in the ordinary way, now and then.
    os._exit(0)
