"""Shards: the users of a table in SHARDS parts by a hash of their id, so that whoever reads one part has everything of its users.

Spark writes the rows of a user into the file of their shard, and the recommender's process reads file by file: it holds one of
them at a time.
"""

import re

from pyarrow import fs
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.files import open_uri

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
