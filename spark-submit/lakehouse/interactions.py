"""What each listener did with each track, as the recommender sees it, and the shards in which it reads that.

Spark's part of the model's input. Shuffles: the events once by (user, track), then their pairs by user (medians, shards) and
by track (indexes); the tracks of those one follows once by user. Nothing is joined with itself but follows, whose cost is
FOLLOWED_TRACKS rows for each row of the graph.
"""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

# What one event says about liking: a like is meant, a listen may be chance, a skip is a mild no. What somebody said to the
# service itself says more: a love more than a like, and a hate outweighs many a listen.
EVENT_WEIGHTS = {"complete_listen": 1.0, "like": 3.0, "skip": -0.5, "love": 5.0, "hate": -20.0}
NOT_HEARD = ("skip", "hate")
# An event this many days old counts half.
HALF_LIFE_DAYS = 180.0
# How far one pair may stand out from its user's median, either way.
LEAST_CONFIDENCE = 0.3
MOST_CONFIDENCE = 3.0
# Of each person followed, so many tracks count: the dearest.
FOLLOWED_TRACKS = 100
# Whole users per file of a shard: what the recommender's process holds at once is one of these.
SHARDS = 16


def encounters(events: DataFrame, cuts: list[date]) -> DataFrame:
    """One row per (user_id, track_id) with any event: first_met and first_heard, and the affinity at each of the days `cuts`.

    The day numbers (since 1970) are of the first event, and of the first that is no skip or hate (null where there is none). An
    affinity sums the weights of the events before its day, halved for every 180 days; at or below 0 the pair only says that
    the track is known to the user, not that it is liked. All cuts cost one pass over the events.
    """
    weight = F.lit(0.0)
    for event_type, value in EVENT_WEIGHTS.items():
        weight = F.when(F.col("event_type") == event_type, value).otherwise(weight)
    heard_on = F.when(~F.col("event_type").isin(*NOT_HEARD), F.unix_date("event_date"))
    return events.groupBy("user_id", "track_id").agg(
        F.min(F.unix_date("event_date")).alias("first_met"),
        F.min(heard_on).alias("first_heard"),
        *(_affinity(weight, cut).alias(_affinity_at(cut)) for cut in cuts),
    )


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


def before(met: DataFrame, cut: date) -> DataFrame:
    """Of encounters, what was known at the start of the day `cut`, one of theirs: user_id, track_id, affinity, first_heard."""
    day = day_number(cut)
    return met.where(F.col("first_met") < day).select(
        "user_id",
        "track_id",
        F.col(_affinity_at(cut)).alias("affinity"),
        F.when(F.col("first_heard") < day, F.col("first_heard")).alias("first_heard"),
    )


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def rated(pairs: DataFrame) -> DataFrame:
    """Adds `rating`, the confidence of a liked pair; null for one that is only known.

    It is the logarithm of the affinity over the user's own median: who plays a lot says no more with it than who plays
    little. A pair at the median has 1.
    """
    liked = F.when(F.col("affinity") > 0, F.col("affinity"))
    median = F.median(liked).over(Window.partitionBy("user_id"))
    rating = F.least(F.greatest(F.log2(1 + liked / median), F.lit(LEAST_CONFIDENCE)), F.lit(MOST_CONFIDENCE))
    return pairs.withColumn("rating", F.when(liked.isNotNull(), rating).cast("float"))


def followed_tracks(pairs: DataFrame, follows: DataFrame) -> DataFrame:
    """One row per (user_id, track_id) that somebody the user follows likes: `followed`, the sum of their ratings."""
    dearest_first = Window.partitionBy("user_id").orderBy(F.desc("affinity"), "track_id")
    dearest = (
        pairs.where(F.col("affinity") > 0)
        .withColumn("place", F.row_number().over(dearest_first))
        .where(F.col("place") <= FOLLOWED_TRACKS)
        .select(F.col("user_id").alias("user_id_b"), "track_id", "rating")
    )
    edges = follows.select("user_id_a", "user_id_b").distinct().where(F.col("user_id_a") != F.col("user_id_b"))
    return (
        edges.join(dearest, on="user_id_b", how="inner")
        .groupBy(F.col("user_id_a").alias("user_id"), "track_id")
        .agg(F.round(F.sum("rating"), 4).cast("float").alias("followed"))
    )


def all_tracks(pairs: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per track of the catalogue or with an event: `track` (its index from 0, in the order of ids) and its song."""
    ids = songs.select("track_id").union(pairs.select("track_id")).distinct()
    in_order = Window.orderBy("track_id")
    return ids.withColumn("track", F.row_number().over(in_order) - 1).join(songs, on="track_id", how="left")


def write_shards(pairs: DataFrame, followed: DataFrame | None, tracks: DataFrame, uri: str) -> DataFrame:
    """Writes what the model reads of each user, whole users a file; gives it back as read from there.

    One row per (user, track) that the user knows or that somebody they follow likes. Columns: user, user_id, track,
    affinity, rating, first_heard (null where the user has no event with it), followed (null where nobody does).
    """
    in_order = Window.orderBy("user_id")
    users = pairs.select("user_id").distinct().withColumn("user", F.row_number().over(in_order) - 1)
    rows = pairs.select("user_id", "track_id", "affinity", "rating", "first_heard")
    if followed is None:
        rows = rows.withColumn("followed", F.lit(None).cast("float"))
    else:
        rows = rows.join(followed, on=["user_id", "track_id"], how="full")
    indexed = rows.join(F.broadcast(users), on="user_id", how="inner").join(
        F.broadcast(tracks.select("track_id", "track")), on="track_id", how="inner"
    )
    chosen = indexed.select("user", "user_id", "track", "affinity", "rating", "first_heard", "followed")
    chosen.repartition(SHARDS, "user").write.mode("overwrite").parquet(uri)
    return pairs.sparkSession.read.parquet(uri)


def _affinity(weight: Column, cut: date) -> Column:
    age_days = F.datediff(F.lit(cut), "event_date")
    counted = F.when(age_days > 0, weight * F.pow(F.lit(0.5), age_days / HALF_LIFE_DAYS)).otherwise(0.0)
    # Rounded, so that the order of summing cannot change a list.
    return F.round(F.sum(counted), 6)


def _affinity_at(cut: date) -> str:
    return f"affinity_{cut:%Y%m%d}"
