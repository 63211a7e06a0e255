"""Silver listening_events: every event once, with the data week it falls in; what was dropped, and why.

An event may be delivered several times: twice in a file, in two files, in a file and from the stream. Which delivery is kept
does not depend on the order they came in: a file before the stream; of files the first name; then the earliest time, then
the other columns in order. So a lake built week by week is the same as one built at once.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.contracts import table

FILES = table("bronze", "fact_listening_events")
STREAM = table("bronze", "listening_events_stream")
DELIVERY_COLUMNS = (
    "event_id",
    "user_id",
    "track_id",
    "event_type",
    "timestamp",
    "event_date",
    "source",
    "_source_file",
)
# The kinds of events that are counted, by what their counts are called.
COUNTED = {"listens": "complete_listen", "likes": "like", "skips": "skip"}
_CONTENT = ("timestamp", "user_id", "track_id", "event_type")


def deliveries(file_events: DataFrame, stream_events: DataFrame | None, week_ends_on: str) -> DataFrame:
    """One row per delivery of an event: a row of a file, or a record of the stream where there is one.

    `file_events` are rows of bronze fact_listening_events, `stream_events` of bronze listening_events_stream; neither may hold a
    row that is to be refused (lakehouse/refused_events.py): its week may lie outside the years that Python knows.
    """
    from_files = file_events.withColumn("source", F.lit("file"))
    parts = [from_files.select(*DELIVERY_COLUMNS)]
    if stream_events is not None:
        from_stream = stream_events.withColumn("source", F.lit("stream")).withColumn(
            "_source_file", F.lit(None).cast("string")
        )
        parts.append(from_stream.select(*DELIVERY_COLUMNS))
    together = reduce(DataFrame.unionByName, parts)
    return together.withColumn("week_end", week_end(F.col("event_date"), week_ends_on))


def kept_and_dropped(delivered: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The delivery kept of each event_id, and the others with `kept_source`, `kept_source_file`, `kept_week_end`.

    Duplicates are rare and a shuffle of every event is dear. So the ids alone are counted, by a 64-bit hash, and only rows
    whose hash occurs twice are compared. Ids that merely share a hash are compared, too, and both kept.
    """
    hashed = delivered.withColumn("_hash", F.xxhash64("event_id"))
    repeated = hashed.groupBy("_hash").count().where(F.col("count") > 1).select("_hash")
    single = hashed.join(repeated, on="_hash", how="left_anti").drop("_hash")
    several = _in_order(hashed.join(repeated, on="_hash", how="left_semi").drop("_hash"))
    kept = several.where(F.col("_place") == 1).select(*single.columns)
    dropped = several.where(F.col("_place") > 1).drop("_place")
    return single.unionByName(kept), dropped


def reason_dropped() -> Column:
    """Why a delivery was dropped, by where it and the kept one came from."""
    is_stream, kept_is_stream = F.col("source") == "stream", F.col("kept_source") == "stream"
    return (
        F.when(is_stream & kept_is_stream, "within_stream")
        .when(is_stream, "against_stream")
        .when(F.col("_source_file") == F.col("kept_source_file"), "within_file")
        .otherwise("across_files")
    )


def with_known(events: DataFrame, songs: DataFrame, users: DataFrame) -> DataFrame:
    """Adds is_known_track and is_known_user: whether dim_songs and dim_users have a row for the ids."""
    known_tracks = songs.select("track_id").distinct().withColumn("_known_track", F.lit(True))
    known_users = users.select("user_id").distinct().withColumn("_known_user", F.lit(True))
    return (
        events.join(known_tracks, on="track_id", how="left")
        .join(known_users, on="user_id", how="left")
        .withColumn("is_known_track", F.coalesce("_known_track", F.lit(False)))
        .withColumn("is_known_user", F.coalesce("_known_user", F.lit(False)))
        .drop("_known_track", "_known_user")
    )


def counts() -> list[Column]:
    """How many of some events are listens, likes and skips."""
    return [F.count_if(F.col("event_type") == kind).alias(name) for name, kind in COUNTED.items()]


def week_end(date: Column, week_ends_on: str) -> Column:
    """The last day of the seven-day week a date falls in."""
    return F.next_day(F.date_sub(date, 1), week_ends_on[:3])


def _in_order(several: DataFrame) -> DataFrame:
    best_first = Window.partitionBy("event_id").orderBy("source", "_source_file", *_CONTENT)
    whole = best_first.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return (
        several.withColumn("_place", F.row_number().over(best_first))
        .withColumn("kept_source", F.first("source").over(whole))
        .withColumn("kept_source_file", F.first("_source_file").over(whole))
        .withColumn("kept_week_end", F.first("week_end").over(whole))
    )
