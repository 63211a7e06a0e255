"""What each listener did with each track, as Spark adds it up for the recommender; `rated_pairs` makes its shards of that.

Shuffles: the events since the past once by user; the dearest tracks of those one follows once by user.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.affinity import contribution, heard_on
from lakehouse.beside import beside
from lakehouse.listeners import View
from lakehouse.shards import by_shard


def encounters(events: DataFrame, cuts: list[date], later: DataFrame | None = None) -> DataFrame:
    """One row per (user_id, track_id) with any event: first_heard, last_met, and at each of the days `cuts` the affinity (null where
    the pair had not met). The rows lie by_shard.

    first_heard is the day number (since 1970) of the first event that is no skip or hate; null where there is none. last_met is that
    of the last event of any kind. An affinity sums
    the weights of the events before its day, halved for every 180 days; at or below 0 the pair only says that the track is known to
    the user, not that it is liked. All cuts cost one pass over `events`. `later` are pairs that met after the last of them: all that
    counts is that the user knows the track by now.
    """
    met = beside(events, {f"cut_{place}": cut for place, cut in enumerate(cuts)}).select(
        "user_id",
        "track_id",
        F.unix_date(heard_on()).alias("heard"),
        F.unix_date("event_date").alias("met"),
        *(contribution(F.col(f"cut_{place}")).alias(View.at(cut).affinity) for place, cut in enumerate(cuts)),
    )
    if later is not None:
        met = met.unionByName(_known_by(max(cuts), cuts, later))
    affinities = [View.at(cut).affinity for cut in cuts]
    sums = [F.sum(name).alias(name) for name in affinities]
    days = [F.min("heard").alias("first_heard"), F.max("met").alias("last_met")]
    return by_shard(met).groupBy("user_id", "track_id").agg(*days, *sums)


def _known_by(last: date, cuts: list[date], pairs: DataFrame) -> DataFrame:
    """Pairs as encounters with an affinity of 0 at the day `last`, and none before."""
    affinities = [F.lit(0.0 if cut == last else None).cast("double").alias(View.at(cut).affinity) for cut in cuts]
    met = F.unix_date(F.lit(last)).alias("met")
    return pairs.select("user_id", "track_id", F.lit(None).cast("int").alias("heard"), met, *affinities)


def with_feedback(events: DataFrame, feedback: DataFrame) -> DataFrame:
    """Events (user_id, track_id, event_type, event_date), and what users last said of tracks as if it were one: a love or a hate
    of bronze feedback_events. To hide a track for a while says nothing of liking it."""
    last = F.max_by(F.struct("feedback", "event_date"), F.struct("at", "_offset")).alias("last")
    said = (
        feedback.groupBy("user_id", "track_id")
        .agg(last)
        .where(F.col("last.feedback").isin("love", "hate"))
        .select("user_id", "track_id", F.col("last.feedback").alias("event_type"), F.col("last.event_date"))
    )
    return events.select("user_id", "track_id", "event_type", "event_date").unionByName(said)


def followed_tracks(dearest: DataFrame, follows: DataFrame, views: list[View]) -> DataFrame:
    """One row per (user_id, track) that somebody the user follows likes: each view's `followed`, the sum of their ratings; of
    rated_pairs' `dearest`. Cost: a row for each of them and each row of the graph, shuffled once by user."""
    edges = follows.select("user_id_a", "user_id_b").distinct().where(F.col("user_id_a") != F.col("user_id_b"))
    heard = edges.join(dearest.withColumnRenamed("user_id", "user_id_b"), on="user_id_b", how="inner")
    sums = [F.round(F.sum(view.followed), 4).cast("float").alias(view.followed) for view in views]
    return heard.groupBy(F.col("user_id_a").alias("user_id"), "track").agg(*sums)
