"""Silver listener_tracks: what each listener did with each track, up to a day that is some weeks past.

What is made of all listening at once (training data, gold's features) adds the events since to these rows, so that a refresh
reads some weeks of events and not all of them. Cost: one shuffle of all events by user, every fourth week. A file is of one shard
(lakehouse/shards.py): the recommender's process reads it without Spark.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.affinity import contribution, heard_on
from lakehouse.contracts import table
from lakehouse.few_rows import rows_of
from lakehouse.listening_events import counts
from lakehouse.shards import by_shard, shard_of
from lakehouse.table_state import range_of
from lakehouse.tables import has_table

LISTENER_TRACKS = table("silver", "listener_tracks")


@dataclass(frozen=True)
class Past:
    """The rows of listener_tracks, and the last day that is in them: the last of a week. Without a week they are none."""

    rows: DataFrame
    through: date

    @property
    def until(self) -> date:
        """The day at whose start their affinities are."""
        return self.through + timedelta(days=1)

    def since(self, events: DataFrame) -> DataFrame:
        """Of events of silver listening_events, those that came after."""
        return events.where(F.col("week_end") > F.lit(self.through))


def past_of(spark: SparkSession, lake_uri: str, version: int | None = None) -> Past | None:
    """The past as the table has it, of its newest version unless told; None where there is no row of it."""
    if not has_table(LISTENER_TRACKS, lake_uri):
        return None
    days = range_of(spark, LISTENER_TRACKS, lake_uri, "through", version)
    return None if days is None else Past(rows_of(spark, LISTENER_TRACKS, lake_uri, version), days[1])


def listener_tracks(events: DataFrame, through: date) -> DataFrame:
    """One row per (user_id, track_id) of events of silver listening_events, all up to `through`."""
    return (
        by_shard(events.select("user_id", "track_id", "event_type", "timestamp", "event_date"))
        .groupBy("user_id", "track_id")
        .agg(
            *counts(),
            F.min("timestamp").alias("first_event_at"),
            F.max("timestamp").alias("last_event_at"),
            F.min("event_date").alias("first_met_on"),
            F.min(heard_on()).alias("first_heard_on"),
            # Rounded, so that the order of summing cannot change a row.
            F.round(F.sum(contribution(F.lit(through + timedelta(days=1)))), 9).alias("affinity"),
        )
        .withColumn("shard", shard_of())
        .withColumn("through", F.lit(through))
    )
