"""Silver → gold: trains the recommender, writes every user's list with reasons. Contract: contracts/schemas/jobs.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.errors import BrokenContract
from lakehouse.files import remove_folder
from lakehouse.interactions import interactions, ratings, with_indexes
from lakehouse.job import run_job
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.reasons import with_reasons
from lakehouse.recommender import Tracks, factors_of, train, write_lists
from lakehouse.songs import catalogue
from lakehouse.tables import describe_table, overwrite_table, read_table

# Whole users per file of interactions: what this process holds at once is one of these.
SHARDS = 16


def build_gold(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    model_version, seed = params.text("modelVersion"), params.whole("seed")
    size = params.whole("recommendationsPerUser", at_least=1)
    gold = table("gold", "user_recommendations")
    work_uri = f"{lake_uri.rstrip('/')}/_work/{run_key}"
    songs = catalogue(read_table(spark, table("bronze", "dim_songs"), lake_uri))
    # What a run that was killed left behind must not mix with this one's.
    remove_folder(work_uri)
    try:
        with progress.step("interactions"):
            pairs = _write_interactions(spark, lake_uri, work_uri)
            users, track_count = _sizes(pairs)
        with progress.step("train"):
            factors = factors_of(train(ratings(pairs), seed), users, track_count)
        chart = last_chart(read_table(spark, table("silver", "weekly_trending_tracks"), lake_uri))
        with progress.step("lists"):
            tracks = _tracks(pairs, songs, chart)
            write_lists(f"{work_uri}/interactions", f"{work_uri}/lists", factors, tracks, size)
        with progress.step("reasons"):
            lists = spark.read.parquet(f"{work_uri}/lists")
            similar = read_table(spark, table("silver", "song_similarity"), lake_uri)
            reasoned = with_reasons(lists, pairs, similar, songs, chart)
            overwrite_table(reasoned.withColumn("model_version", F.lit(model_version)), gold, lake_uri, run_key)
    finally:
        remove_folder(work_uri)
    made = describe_table(spark, gold, lake_uri)
    listed = read_table(spark, gold, lake_uri).select(F.count_distinct("user_id")).collect()[0][0]
    return {"modelVersion": model_version, "tables": [made], "users": listed, "recommendations": made["rows"]}


def last_chart(trending: DataFrame) -> DataFrame:
    """The chart of the data's last week: one row per rank."""
    last = trending.agg(F.max("week_end").alias("week_end"))
    return trending.join(F.broadcast(last), on="week_end", how="inner").select("rank", "track_id")


def _write_interactions(spark: SparkSession, lake_uri: str, work_uri: str) -> DataFrame:
    events = read_table(spark, table("silver", "listening_events"), lake_uri)
    indexed = with_indexes(interactions(events)).repartition(SHARDS, "user")
    indexed.write.mode("overwrite").parquet(f"{work_uri}/interactions")
    return spark.read.parquet(f"{work_uri}/interactions")


def _sizes(pairs: DataFrame) -> tuple[int, int]:
    users, tracks, liked = pairs.agg(F.max("user"), F.max("track"), F.count_if(F.col("affinity") > 0)).collect()[0]
    if not liked:
        raise BrokenContract(
            "silver/listening_events: there is no complete listen and no like to learn from; load events first"
        )
    return users + 1, tracks + 1


def _tracks(pairs: DataFrame, songs: DataFrame, chart: DataFrame) -> Tracks:
    """Every track with an event, by index. A track without a song row counts as an artist of its own."""
    found = (
        pairs.select("track", "track_id")
        .distinct()
        .join(songs, on="track_id", how="left")
        .join(chart, on="track_id", how="left")
        .select("track", "track_id", F.coalesce("artist_id", F.concat(F.lit("?"), "track_id")).alias("artist"), "rank")
        .orderBy("track")
        .toArrow()
    )
    _, artists = np.unique(found.column("artist").to_numpy(zero_copy_only=False), return_inverse=True)
    ids = found.column("track_id").to_numpy(zero_copy_only=False)
    ranked = sorted((rank, index) for index, rank in enumerate(found.column("rank").to_pylist()) if rank is not None)
    return Tracks(ids, artists, [index for _, index in ranked])


if __name__ == "__main__":
    run_job("build_gold", build_gold)
