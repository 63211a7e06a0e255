"""Why a track is in a user's list: a reason is given only where the data bear it out."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

FAVOURITE_GENRES = 3


def with_reasons(
    lists: DataFrame, pairs: DataFrame, similar: DataFrame, songs: DataFrame, chart: DataFrame
) -> DataFrame:
    """Adds reason_type and reason_track_id to one row per (user_id, rank).

    The first that holds: `trending` for a list filled from the chart; `because_you_played` with the liked track the user's
    evidence for this one is strongest of; `artist_you_play`; `trending_in_genre` (in the last chart, of one of the user's
    three genres); else `similar_listeners`, which is what the model goes by.
    """
    liked = pairs.where(F.col("affinity") > 0).select("user_id", "track_id", "affinity")
    described = liked.join(songs, on="track_id", how="inner")
    known = lists.join(songs.select("track_id", "artist_id", "genre"), on="track_id", how="left")
    reason_type = (
        F.when(F.col("is_filled"), "trending")
        .when(F.col("seed_track_id").isNotNull(), "because_you_played")
        .when(F.col("plays_artist"), "artist_you_play")
        .when(F.col("is_in_chart") & F.col("likes_genre"), "trending_in_genre")
        .otherwise("similar_listeners")
    )
    return (
        known.join(_seeds(lists, liked, similar), on=["user_id", "track_id"], how="left")
        .join(_artists(described), on=["user_id", "artist_id"], how="left")
        .join(_genres(described), on=["user_id", "genre"], how="left")
        .join(chart.select("track_id", F.lit(True).alias("is_in_chart")), on="track_id", how="left")
        .withColumn("reason_type", reason_type)
        .withColumn("reason_track_id", F.when(F.col("reason_type") == "because_you_played", F.col("seed_track_id")))
        .select("user_id", "rank", "track_id", "score", "reason_type", "reason_track_id")
    )


def _seeds(lists: DataFrame, liked: DataFrame, similar: DataFrame) -> DataFrame:
    """One row per (user_id, track_id) of the lists that is similar to a track the user likes: that track."""
    likeness = similar.select(
        "track_id", F.col("similar_track_id").alias("seed_track_id"), F.col("score").alias("likeness")
    )
    candidates = lists.select("user_id", "track_id").join(likeness, on="track_id", how="inner")
    heard = liked.select("user_id", F.col("track_id").alias("seed_track_id"), "affinity")
    evidence = F.struct(F.col("likeness") * F.log1p("affinity"), "seed_track_id")
    return (
        candidates.join(heard, on=["user_id", "seed_track_id"], how="inner")
        .groupBy("user_id", "track_id")
        .agg(F.max_by("seed_track_id", evidence).alias("seed_track_id"))
    )


def _artists(described: DataFrame) -> DataFrame:
    return described.select("user_id", "artist_id").distinct().withColumn("plays_artist", F.lit(True))


def _genres(described: DataFrame) -> DataFrame:
    totals = (
        described.where(F.col("genre").isNotNull()).groupBy("user_id", "genre").agg(F.sum("affinity").alias("total"))
    )
    most_first = Window.partitionBy("user_id").orderBy(F.desc("total"), "genre")
    favourites = totals.withColumn("place", F.row_number().over(most_first)).where(F.col("place") <= FAVOURITE_GENRES)
    return favourites.select("user_id", "genre", F.lit(True).alias("likes_genre"))
