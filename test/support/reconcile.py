"""Compares landing CSVs with bronze and quarantine, row by row, with readers that are not Spark (csv, deltalake).

Usage: reconcile.py DIR with AWS_* in the environment. Prints one line per difference and exits 1 if there is any; prints
the number of rows compared and exits 0 otherwise. Values are compared as the file's text after the typing both agree on:
ids and words as they are, everything else by presence.
"""

import collections
import csv
import os
import pathlib
import sys

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

STORAGE = {"AWS_ALLOW_HTTP": "true"}
IDS = {
    "fact_listening_events": ["event_id", "user_id", "track_id", "event_type"],
    "dim_songs": ["track_id", "title", "artist_id", "artist_name"],
    "dim_users": ["user_id", "user_name"],
    "dim_playlists": ["playlist_id", "playlist_name", "owner_user_id"],
    "bridge_playlist_tracks": ["playlist_id", "track_id"],
    "graph_user_follows": ["user_id_a", "user_id_b"],
}


def table_of(path: pathlib.Path) -> str:
    return "fact_listening_events" if path.stem.startswith(("fact_listening_events", "trends_")) else path.stem


def rows_of(location: str, columns: list[str]):
    try:
        return DeltaTable(f"s3://data/{location}", storage_options=STORAGE).to_pyarrow_table(columns=columns)
    except TableNotFoundError:
        return None


def in_bronze(table: str, file: str) -> collections.Counter:
    columns = IDS[table]
    rows = rows_of(f"bronze/{table}", [*columns, "_source_file"])
    if rows is None:
        return collections.Counter()
    values = zip(rows["_source_file"].to_pylist(), *(rows[column].to_pylist() for column in columns))
    return collections.Counter(row for source, *row in values if source == file for row in [tuple(row)])


def refused(table: str, file: str) -> int:
    rows = rows_of(f"quarantine/{table}", ["source_file"])
    return 0 if rows is None else rows["source_file"].to_pylist().count(file)


def compare(path: pathlib.Path) -> tuple[int, list[str]]:
    table = table_of(path)
    with open(path, newline="", encoding="utf-8-sig") as handle:
        in_file = collections.Counter(
            tuple(row.get(column) or None for column in IDS[table]) for row in csv.DictReader(handle)
        )
    bronze = in_bronze(table, path.name)
    extra, missing = bronze - in_file, in_file - bronze
    problems = []
    if extra:
        problems.append(f"{path.name}: {extra.total()} row(s) in bronze that the file does not have")
    if missing.total() != refused(table, path.name):
        problems.append(f"{path.name}: {missing.total()} row(s) not in bronze, {refused(table, path.name)} in quarantine")
    return in_file.total(), problems


if __name__ == "__main__":
    results = [compare(path) for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.csv")) if table_of(path) in IDS]
    differences = [problem for _, problems in results for problem in problems]
    print("\n".join(differences) or f"{sum(rows for rows, _ in results)} rows agree", flush=True)
    # The reader's threads abort an interpreter that ends in the ordinary way, now and then.
    os._exit(1 if differences else 0)
