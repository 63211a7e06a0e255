"""What each listener did with each track, as the recommender sees it, in the files in which it reads that.

Spark's part of the model's input. Shuffles: the past and the events since once by user (sums, medians, files) and their tracks once
by track (indexes); the tracks of those one follows once by user. Nothing is joined with itself but follows, whose cost is
FOLLOWED_TRACKS rows for each row of the graph.

A shard is two files, of whole users, by the hash of their id: `pairs/part-<shard>` is of what they know, `followed/part-<shard>`,
which may be missing, of what those they follow like.
"""

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.affinity import contribution, heard_on, left_of
from lakehouse.beside import beside
from lakehouse.listener_tracks import Past
from lakehouse.listeners import View

# How far one pair may stand out from its user's median, either way.
LEAST_CONFIDENCE = 0.3
MOST_CONFIDENCE = 3.0
# Of each person followed, so many tracks count: the dearest.
FOLLOWED_TRACKS = 100
# What the recommender's process holds at once is one of so many.
SHARDS = 16


def encounters(events: DataFrame, cuts: list[date], past: Past | None = None) -> DataFrame:
    """One row per (user_id, track_id) with any event: first_heard, and at each of the days `cuts` the affinity (null where the pair
    had not met) and the rating (see `rated`).

    first_heard is the day number (since 1970) of the first event that is no skip or hate; null where there is none. An affinity sums
    the weights of the events before its day, halved for every 180 days; at or below 0 the pair only says that the track is known to
    the user, not that it is liked. All cuts cost one pass over `events`; of what is in `past`, which must lie before every cut, they
    must hold nothing.
    """
    met = beside(events, {f"cut_{place}": cut for place, cut in enumerate(cuts)}).select(
        "user_id",
        "track_id",
        F.unix_date(heard_on()).alias("heard"),
        *(contribution(F.col(f"cut_{place}")).alias(View.at(cut).affinity) for place, cut in enumerate(cuts)),
    )
    if past is not None:
        left = {f"left_{place}": left_of(past.until, cut) for place, cut in enumerate(cuts)}
        met = met.unionByName(
            beside(past.rows, left).select(
                "user_id",
                "track_id",
                F.unix_date("first_heard_on").alias("heard"),
                *(
                    (F.col("affinity") * F.col(f"left_{place}")).alias(View.at(cut).affinity)
                    for place, cut in enumerate(cuts)
                ),
            )
        )
    # By user alone: the sums of a user's pairs, the medians over them and the file they are in are made where their rows are.
    pairs = (
        by_shard(met)
        .groupBy("user_id", "track_id")
        .agg(
            F.min("heard").alias("first_heard"),
            # Rounded, so that the order of summing cannot change a list.
            *(F.round(F.sum(View.at(cut).affinity), 6).alias(View.at(cut).affinity) for cut in cuts),
        )
    )
    return rated(pairs, [View.at(cut) for cut in cuts])


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


def rated(pairs: DataFrame, views: list[View]) -> DataFrame:
    """Adds each view's `rating`, the confidence of a liked pair; null for one that is only known.

    It is the logarithm of the affinity over the user's own median: who plays a lot says no more with it than who plays
    little. A pair at the median has 1.
    """
    of_user = Window.partitionBy("user_id")
    ratings = {}
    for view in views:
        liked = F.when(F.col(view.affinity) > 0, F.col(view.affinity))
        confidence = F.log2(1 + liked / F.median(liked).over(of_user))
        rating = F.least(F.greatest(confidence, F.lit(LEAST_CONFIDENCE)), F.lit(MOST_CONFIDENCE))
        ratings[view.rating] = F.when(liked.isNotNull(), rating).cast("float")
    return pairs.withColumns(ratings)


def followed_tracks(pairs: DataFrame, follows: DataFrame, views: list[View]) -> DataFrame:
    """One row per (user_id, track) that somebody the user follows likes: each view's `followed`, the sum of their ratings."""
    edges = follows.select("user_id_a", "user_id_b").distinct().where(F.col("user_id_a") != F.col("user_id_b"))
    heard = reduce(
        lambda one, other: one.unionByName(other, allowMissingColumns=True),
        (edges.join(_dearest(pairs, view), on="user_id_b", how="inner") for view in views),
    )
    sums = [F.round(F.sum(view.followed), 4).cast("float").alias(view.followed) for view in views]
    return heard.groupBy(F.col("user_id_a").alias("user_id"), "track").agg(*sums)


def _dearest(pairs: DataFrame, view: View) -> DataFrame:
    """Each user's FOLLOWED_TRACKS dearest tracks, with their rating."""
    dearest_first = Window.partitionBy("user_id").orderBy(F.desc(view.affinity), "track")
    return (
        pairs.where(F.col(view.affinity) > 0)
        .withColumn("place", F.row_number().over(dearest_first))
        .where(F.col("place") <= FOLLOWED_TRACKS)
        .select(F.col("user_id").alias("user_id_b"), "track", F.col(view.rating).alias(view.followed))
    )


def all_tracks(ids: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per track of the catalogue or of `ids` (track_id): `track` (its index from 0, in the order of ids) and its song."""
    every = songs.select("track_id").union(ids.select("track_id")).distinct()
    in_order = Window.orderBy("track_id")
    return every.withColumn("track", F.row_number().over(in_order) - 1).join(songs, on="track_id", how="left")


def indexed(pairs: DataFrame, tracks: DataFrame) -> DataFrame:
    """The pairs with the index of each track in place of its id."""
    return pairs.join(F.broadcast(tracks.select("track_id", "track")), on="track_id", how="inner").drop("track_id")


def by_shard(rows: DataFrame) -> DataFrame:
    """The rows in SHARDS partitions by user; Spark writes each partition as the part of its number."""
    return rows.repartition(SHARDS, "user_id")
