"""What each user did with each track, as the recommender sees it."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

LIKE_WEIGHT = 2.0
SKIP_WEIGHT = -0.5
# How far one pair may stand out from its user's median, either way.
LEAST_CONFIDENCE = 0.3
MOST_CONFIDENCE = 3.0


def interactions(events: DataFrame) -> DataFrame:
    """One row per (user_id, track_id) with any event: `plays`, `affinity`.

    plays counts complete listens. affinity adds likes and takes half a skip off; at or below 0 the pair only says that the
    track is known to the user, not that it is liked.
    """
    counted = events.groupBy("user_id", "track_id").agg(
        F.count_if(F.col("event_type") == "complete_listen").alias("plays"),
        F.count_if(F.col("event_type") == "like").alias("likes"),
        F.count_if(F.col("event_type") == "skip").alias("skips"),
    )
    affinity = F.col("plays") + LIKE_WEIGHT * F.col("likes") + SKIP_WEIGHT * F.col("skips")
    return counted.select("user_id", "track_id", "plays", affinity.alias("affinity"))


def with_indexes(pairs: DataFrame) -> DataFrame:
    """Adds `user` and `track`, whole numbers from 0 in the order of the ids: ALS knows no other ids."""
    return pairs.join(_index(pairs, "user_id", "user"), on="user_id", how="inner").join(
        _index(pairs, "track_id", "track"), on="track_id", how="inner"
    )


def ratings(pairs: DataFrame) -> DataFrame:
    """One row per liked (user, track): `rating`, the confidence that ALS multiplies by alpha.

    It is the logarithm of the affinity over the user's own median: who plays a lot says no more with it than who plays
    little. A pair at the median has 1.
    """
    liked = pairs.where(F.col("affinity") > 0)
    medians = liked.groupBy("user").agg(F.median("affinity").alias("median"))
    relative = F.log2(1 + F.col("affinity") / F.col("median"))
    rating = F.least(F.greatest(relative, F.lit(LEAST_CONFIDENCE)), F.lit(MOST_CONFIDENCE))
    return liked.join(medians, on="user", how="inner").select("user", "track", rating.cast("float").alias("rating"))


def _index(pairs: DataFrame, id_column: str, name: str) -> DataFrame:
    in_order = Window.orderBy(id_column)
    return pairs.select(id_column).distinct().withColumn(name, F.row_number().over(in_order) - 1)
