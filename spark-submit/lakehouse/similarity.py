"""Silver song_similarity: tracks that are heard on the same day by the same listener.

Cost: a basket is what one user heard in one day, cut to BASKET_SIZE tracks. It makes at most BASKET_SIZE * (BASKET_SIZE - 1)
/ 2 pairs, so there are at most (BASKET_SIZE - 1) / 2 pairs for each listen: linear in the events, whatever a user does.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

BASKET_SIZE = 12
SIMILAR_PER_TRACK = 20
# Almost every pair is new: adding them up before the shuffle finds nothing to add and spills. So they are shuffled first.
_PAIR_PARTITIONS = 32
# A pair seen once is chance.
LEAST_BASKETS_TOGETHER = 2
# Pairs seen seldom are pulled towards 0: n / (n + SHRINKAGE).
SHRINKAGE = 3.0


def song_similarity(events: DataFrame) -> DataFrame:
    """One row per (track_id, similar_track_id), at most 20 per track: cosine over baskets, shrunk by the evidence."""
    baskets = _baskets(events)
    pairs = _pairs(baskets).repartition(_PAIR_PARTITIONS, "a")
    together = pairs.groupBy("a", "b").count().where(F.col("count") >= LEAST_BASKETS_TOGETHER)
    seen = baskets.select(F.explode("tracks").alias("track")).groupBy("track").count()
    scored = (
        together.withColumnRenamed("count", "both")
        .join(seen.select(F.col("track").alias("a"), F.col("count").alias("seen_a")), on="a", how="inner")
        .join(seen.select(F.col("track").alias("b"), F.col("count").alias("seen_b")), on="b", how="inner")
        .select("a", "b", _cosine().alias("score"))
    )
    return _best(_both_ways(scored))


def _cosine():
    shrunk = F.col("both") / (F.col("both") + SHRINKAGE)
    return F.round(F.col("both") / F.sqrt(F.col("seen_a") * F.col("seen_b")) * shrunk, 6)


def _baskets(events: DataFrame) -> DataFrame:
    """One row per (user_id, event_date): up to BASKET_SIZE tracks, in order. A long day is sampled by a hash."""
    heard = events.where(F.col("event_type") != "skip")
    draw = F.struct(F.xxhash64("track_id", "user_id", "event_date").alias("draw"), F.col("track_id").alias("track"))
    sample = F.slice(F.array_sort(F.collect_set(draw)), 1, BASKET_SIZE)
    return heard.groupBy("user_id", "event_date").agg(
        F.array_sort(F.transform(sample, lambda x: x["track"])).alias("tracks")
    )


def _pairs(baskets: DataFrame) -> DataFrame:
    """One row per pair of a basket, a < b."""
    return baskets.select(F.posexplode("tracks").alias("place", "a"), "tracks").select(
        "a", F.explode(F.expr(f"slice(tracks, place + 2, {BASKET_SIZE})")).alias("b")
    )


def _both_ways(scored: DataFrame) -> DataFrame:
    ways = F.explode(F.array(F.struct("a", "b"), F.struct(F.col("b").alias("a"), F.col("a").alias("b")))).alias("way")
    return scored.select(ways, "score").select(
        F.col("way.a").alias("track_id"), F.col("way.b").alias("similar_track_id"), "score"
    )


def _best(similar: DataFrame) -> DataFrame:
    best_first = Window.partitionBy("track_id").orderBy(F.desc("score"), "similar_track_id")
    ranked = similar.withColumn("rank", F.row_number().over(best_first))
    return ranked.where(F.col("rank") <= SIMILAR_PER_TRACK)
