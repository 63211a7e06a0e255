"""Silver → gold: trains the recommender, writes every user's list with reasons. Contract: contracts/schemas/jobs.ts."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluate_model import EVALUATIONS, follows_of
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.files import remove_folder
from lakehouse.interactions import before, day_number
from lakehouse.job import run_job
from lakehouse.listeners import Tracks
from lakehouse.lists import write_lists
from lakehouse.model import DEFAULT_WEIGHTS, PARTS
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.tables import conform_table, describe_table, has_table, overwrite_table, read_table
from lakehouse.training import fit_factors, gather, learn_model
from lakehouse.training_data import training_data, work_uri


def build_gold(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    model_version, seed = params.text("modelVersion"), params.whole("seed")
    size = params.whole("recommendationsPerUser", at_least=1)
    gold = table("gold", "user_recommendations")
    work = work_uri(lake_uri, run_key)
    weights = weights_of(spark, lake_uri, model_version)
    # What a run that was killed left behind must not mix with this one's.
    remove_folder(f"{work}/lists")
    try:
        with progress.step("training data"):
            data = training_data(spark, lake_uri, run_key)
        known, until = data.known, data.split.until
        with progress.step("gather"):
            pairs = before(data.met, until)
            listening = gather(pairs, follows_of(spark, lake_uri), data.tracks, f"{work}/listeners", len(known.ids))
        with progress.step("train"):
            factors = fit_factors(listening, known, seed)
        with progress.step("learn"):
            model = learn_model(listening, known, factors, day_number(until))
        with progress.step("lists"):
            chart = chart_of(read_table(spark, table("silver", "weekly_trending_tracks"), lake_uri), known)
            write_lists(listening.shards_uri, f"{work}/lists", model, weights, chart, size)
        with progress.step("write"):
            conform_table(spark, gold, lake_uri)
            lists = spark.read.parquet(f"{work}/lists")
            overwrite_table(lists.withColumn("model_version", F.lit(model_version)), gold, lake_uri, run_key)
    finally:
        remove_folder(work)
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


if __name__ == "__main__":
    run_job("build_gold", build_gold)
