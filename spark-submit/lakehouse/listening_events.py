"""Silver listening_events: every event once, with the data week it falls in."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def listening_events(events: DataFrame, week_ends_on: str) -> DataFrame:
    """One row per event_id of bronze fact_listening_events; of several deliveries the earliest file name wins."""
    return unique_events(events).select(
        "event_id",
        "user_id",
        "track_id",
        "event_type",
        "timestamp",
        "event_date",
        week_end(F.col("event_date"), week_ends_on).alias("week_end"),
        F.lit("file").alias("source"),
        "_source_file",
    )


def unique_events(events: DataFrame) -> DataFrame:
    """One row per event_id.

    Duplicates are rare and a shuffle of every event is dear. So the ids alone are counted, by a 64-bit hash, and only rows
    whose hash occurs twice are compared. Ids that merely share a hash are compared, too, and both kept.
    """
    hashed = events.withColumn("_hash", F.xxhash64("event_id"))
    repeated = hashed.groupBy("_hash").count().where(F.col("count") > 1).select("_hash")
    single = hashed.join(repeated, on="_hash", how="left_anti")
    several = hashed.join(repeated, on="_hash", how="left_semi")
    content = ["_source_file", "timestamp", "user_id", "track_id", "event_type"]
    earliest_file = Window.partitionBy("event_id").orderBy(*content)
    first = several.withColumn("_order", F.row_number().over(earliest_file)).where(F.col("_order") == 1)
    return single.unionByName(first.drop("_order")).drop("_hash")


def week_end(date: Column, week_ends_on: str) -> Column:
    """The last day of the seven-day week a date falls in."""
    return F.next_day(F.date_sub(date, 1), week_ends_on[:3])
