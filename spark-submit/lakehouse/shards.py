"""Shards: the users of a table in SHARDS parts by a hash of their id, so that whoever reads one part has everything of its users.

Spark writes the rows of a user into the file of their shard, and the recommender's process reads file by file: it holds one of
them at a time.
"""

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.files import open_uri, write_bytes

# Part of the layout of silver/listener_tracks, which is partitioned by them.
SHARDS = 16
_PART = re.compile(r"part-(\d+)-")


def shard_of() -> Column:
    """The shard of a row's `user_id`: the number of the partition in which `by_shard` puts it."""
    return F.pmod(F.hash("user_id"), F.lit(SHARDS))


def by_shard(rows: DataFrame) -> DataFrame:
    """The rows in a partition for each shard; Spark writes each partition as the part of its number."""
    return rows.repartition(SHARDS, "user_id")


def parts_in(uri: str) -> dict[int, list[str]]:
    """The Parquet files right in a folder, by their shard; none where there is no folder."""
    filesystem, folder = open_uri(uri)
    parts: dict[int, list[str]] = {}
    for entry in filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True)):
        if entry.path.endswith(".parquet"):
            parts.setdefault(int(_PART.match(entry.base_name)[1]), []).append(f"{uri}/{entry.base_name}")
    return parts


def read_part(uris: Iterable[str], columns: list[str] | None, repeated: list[str] | None = None) -> pa.Table:
    """Columns of some files (None: all), in the order of their names; those of `repeated` as dictionaries."""
    tables = []
    for uri in sorted(uris):
        filesystem, path = open_uri(uri)
        # A folder named `shard=3` is no column of the file.
        of_file = {"filesystem": filesystem, "partitioning": None, "read_dictionary": repeated}
        tables.append(pq.read_table(path, columns=columns, **of_file))
    # Files of one table may differ in what Spark knew to be there.
    return pa.concat_tables(tables, promote_options="default")


def write_rows(uri: str, rows: pa.Table) -> None:
    """Writes one Parquet file, in place of what was there."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    write_bytes(uri, sink.getvalue())
