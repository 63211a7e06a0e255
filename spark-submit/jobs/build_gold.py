"""Silver → gold: trains the recommender, writes every user's list with reasons. Contract: contracts/schemas/jobs.ts."""

import json
import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluate_model import EVALUATIONS, follows_of
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.errors import BrokenContract
from lakehouse.files import remove_folder
from lakehouse.interactions import before, day_number, encounters
from lakehouse.job import run_job
from lakehouse.listeners import Tracks, collect_tracks
from lakehouse.lists import write_lists
from lakehouse.model import DEFAULT_WEIGHTS, PARTS
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.songs import catalogue
from lakehouse.tables import conform_table, describe_table, has_table, overwrite_table, read_table
from lakehouse.training import fit_factors, gather, learn_model, write_tracks


def build_gold(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    model_version, seed = params.text("modelVersion"), params.whole("seed")
    size = params.whole("recommendationsPerUser", at_least=1)
    gold = table("gold", "user_recommendations")
    work_uri = f"{lake_uri.rstrip('/')}/_work/{run_key}"
    songs = catalogue(read_table(spark, table("bronze", "dim_songs"), lake_uri))
    events = read_table(spark, table("silver", "listening_events"), lake_uri)
    weights = weights_of(spark, lake_uri, model_version)
    # What a run that was killed left behind must not mix with this one's.
    remove_folder(work_uri)
    try:
        with progress.step("interactions"):
            until = _day_after(events)
            tracks = write_tracks(events, songs, f"{work_uri}/tracks")
            known = collect_tracks(tracks)
            pairs = before(encounters(events, [until]), until)
            listening = gather(pairs, follows_of(spark, lake_uri), tracks, f"{work_uri}/shards", len(known.ids))
        with progress.step("train"):
            factors = fit_factors(listening, known, seed)
        with progress.step("learn"):
            model = learn_model(listening, known, factors, day_number(until))
        with progress.step("lists"):
            chart = chart_of(read_table(spark, table("silver", "weekly_trending_tracks"), lake_uri), known)
            write_lists(listening.shards_uri, f"{work_uri}/lists", model, weights, chart, size)
        with progress.step("write"):
            conform_table(spark, gold, lake_uri)
            lists = spark.read.parquet(f"{work_uri}/lists")
            overwrite_table(lists.withColumn("model_version", F.lit(model_version)), gold, lake_uri, run_key)
    finally:
        remove_folder(work_uri)
    made = describe_table(spark, gold, lake_uri)
    listed = read_table(spark, gold, lake_uri).select(F.count_distinct("user_id")).collect()[0][0]
    return {"modelVersion": model_version, "tables": [made], "users": listed, "recommendations": made["rows"]}


def weights_of(spark: SparkSession, lake_uri: str, model_version: str) -> dict[str, float] | None:
    """The weights tuned for this model, as its evaluation recorded them; the default ones where it has none.

    None where the evaluation refused it: then there is nothing better than the chart.
    """
    if not has_table(EVALUATIONS, lake_uri):
        return dict(DEFAULT_WEIGHTS)
    recorded = read_table(spark, EVALUATIONS, lake_uri).where(F.col("model_version") == model_version)
    found = recorded.select("weights", "promoted").limit(1).collect()
    if not found:
        return dict(DEFAULT_WEIGHTS)
    weights, is_promoted = found[0]
    return {name: json.loads(weights)[name] for name in PARTS} if is_promoted else None


def chart_of(trending: DataFrame, tracks: Tracks) -> list[int]:
    """The chart of the data's last week: indexes of tracks by rank."""
    last = trending.agg(F.max("week_end").alias("week_end"))
    chart = trending.join(F.broadcast(last), on="week_end", how="inner").orderBy("rank").select("track_id").collect()
    place = {track: index for index, track in enumerate(tracks.ids)}
    return [place[row[0]] for row in chart if row[0] in place]


def _day_after(events: DataFrame):
    last = events.agg(F.max("event_date")).collect()[0][0]
    if last is None:
        raise BrokenContract("silver/listening_events: there is no event to learn from; load events first")
    return last + timedelta(days=1)


if __name__ == "__main__":
    run_job("build_gold", build_gold)
