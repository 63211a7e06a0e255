"""A serving snapshot: Arrow IPC files and their manifest, as described in contracts/schemas/snapshot.ts.

The column types are utf8, dictionaries of utf8, int32 and float64: apache-arrow for JavaScript reads them without
BigInt.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.files import open_uri, write_bytes

FORMAT_VERSION = 1
# A user with fewer complete listens and likes gets the tier cold_start.
COLD_START_LISTENS = 10
CHART_WEEKS = 8
HISTORY_WEEKS = 4
HISTORY_PLAYS = 50
# Lists of so many rows pass through this process together.
ROWS_AT_ONCE = 500_000
_SNAPSHOTS = "snapshots/"

_text = pa.string()
# Ids repeat in the rows of lists. With dictionaries, JavaScript keeps a single string for each id.
_repeated = pa.dictionary(pa.int32(), pa.string())

SCHEMAS = {
    "recommendations": pa.schema(
        [
            ("user_id", _repeated),
            ("rank", pa.int32()),
            ("track_id", _repeated),
            ("score", pa.float64()),
            ("reason_type", _repeated),
            ("reason_track_id", _repeated),
        ]
    ),
    "tracks": pa.schema([(name, _text) for name in ("track_id", "title", "artist_id", "artist_name", "genre")]),
    "users": pa.schema([("user_id", _text), ("tier", _repeated), ("genres", _repeated)]),
    "similar": pa.schema(
        [("track_id", _repeated), ("similar_track_id", _repeated), ("score", pa.float64()), ("rank", pa.int32())]
    ),
    "trending": pa.schema(
        [
            ("week_end", _text),
            ("rank", pa.int32()),
            ("track_id", _text),
            ("listen_count", pa.int32()),
            ("unique_listeners", pa.int32()),
            ("trend_score", pa.float64()),
            ("previous_rank", pa.int32()),
        ]
    ),
}


SCHEMAS["history"] = pa.schema(
    [
        ("user_id", _repeated),
        ("rank", pa.int32()),
        ("event_id", _text),
        ("track_id", _repeated),
        ("event_type", _repeated),
        ("timestamp", _text),
    ]
)

# The sort key of each kind of rows. This process holds the rows anyway, and Spark would read them twice to sort them.
SORTED_BY = {
    "recommendations": ("user_id", "rank"),
    "tracks": ("track_id",),
    "users": ("user_id",),
    "similar": ("track_id", "rank"),
    "trending": ("week_end", "rank"),
    "history": ("user_id", "rank"),
}


@dataclass(frozen=True)
class SnapshotFile:
    """A file of the manifest. The field names are the names in the document."""

    key: str
    kind: str
    rows: int
    sizeBytes: int  # noqa: N815
    sha256: str


def shards_of(recommendations: DataFrame, chosen: list[int], shards: int) -> dict[int, pa.Table]:
    """The lists of the users in the `chosen` shards, by the hash of the user id: a user is in a single shard. A
    single query reads all of them, and this process holds their rows."""
    shard = F.pmod(F.xxhash64("user_id"), F.lit(shards)).alias("_shard")
    names = SCHEMAS["recommendations"].names
    in_shards = recommendations.select(*names, shard).where(F.col("_shard").isin(*chosen))
    rows = in_shards.toArrow()
    return {number: rows.filter(pc.equal(rows["_shard"], number)).select(names) for number in chosen}


def batches(rows: int, shards: int) -> list[list[int]]:
    """Groups of shards that are made together. A group has about ROWS_AT_ONCE rows, and at least a shard."""
    together = max(1, shards * ROWS_AT_ONCE // max(rows, 1))
    return [list(range(first, min(first + together, shards))) for first in range(0, shards, together)]


def listeners(features: DataFrame, users: DataFrame) -> DataFrame:
    """The tier of the list and the preferred genres from dim_users. Grain: a user of gold/user_features."""
    preferred = users.groupBy("user_id").agg(
        F.max_by("preferred_genres", F.struct("_source_file", "preferred_genres")).alias("genres")
    )
    is_cold = F.col("listens") + F.col("likes") < COLD_START_LISTENS
    tier = F.when(is_cold, "cold_start").otherwise("personal").alias("tier")
    return features.join(preferred, on="user_id", how="left").select("user_id", tier, "genres")


def last_weeks(trending: DataFrame, last: date | None) -> DataFrame:
    """The charts of the weeks up to the data's `last` week, with week_end as text YYYY-MM-DD."""
    return _since(trending, last, CHART_WEEKS).withColumn("week_end", F.col("week_end").cast("string"))


def last_plays(events: DataFrame, last: date | None) -> DataFrame:
    """The last plays of each user in the weeks up to the data's `last` week and after it. Grain: (user_id, rank);
    rank 1 is the newest play."""
    newest_first = Window.partitionBy("user_id").orderBy(F.col("timestamp").desc(), "event_id")
    return (
        _since(events, last, HISTORY_WEEKS)
        .withColumn("rank", F.row_number().over(newest_first))
        .where(F.col("rank") <= HISTORY_PLAYS)
        .withColumn("timestamp", F.date_format("timestamp", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
    )


def _since(rows: DataFrame, last: date | None, weeks: int) -> DataFrame:
    """The rows of the last `weeks` weeks up to `last`, and of later weeks. Spark reads only their partitions. Empty
    if the data has no week."""
    return rows.limit(0) if last is None else rows.where(F.col("week_end") > F.lit(last - timedelta(weeks=weeks)))


def write_file(rows: pa.Table, kind: str, snapshot_uri: str, name: str) -> SnapshotFile:
    """Writes an Arrow file, sorted. The same rows give the same bytes, in any input order."""
    schema = SCHEMAS[kind]
    in_order = rows.select(schema.names).sort_by([(name, "ascending") for name in SORTED_BY[kind]])
    table = in_order.cast(_plain(schema)).combine_chunks().cast(schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)
    body = sink.getvalue().to_pybytes()
    write_bytes(f"{snapshot_uri}/{name}", body)
    digest = hashlib.sha256(body).hexdigest()
    return SnapshotFile(f"{key_of(snapshot_uri)}/{name}", kind, table.num_rows, len(body), digest)


def write_manifest(snapshot_uri: str, manifest: dict, files: list[SnapshotFile]) -> tuple[str, str]:
    """Writes manifest.json, last of all; returns its key and SHA-256."""
    document = {"formatVersion": FORMAT_VERSION, **manifest, "files": [asdict(file) for file in files]}
    body = json.dumps(document, indent=2).encode("utf-8")
    write_bytes(f"{snapshot_uri}/manifest.json", body)
    return f"{key_of(snapshot_uri)}/manifest.json", hashlib.sha256(body).hexdigest()


def key_of(snapshot_uri: str) -> str:
    """The folder's key in the serving bucket: the part after the bucket, or after a local folder that replaces the
    bucket."""
    path = open_uri(snapshot_uri)[1]
    return path[path.rindex(_SNAPSHOTS) :]


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(field.name, _text if pa.types.is_dictionary(field.type) else field.type) for field in schema])
