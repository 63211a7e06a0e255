"""Silver → gold: every user's list with reasons, by the model that was judged. Contract: contracts/schemas/jobs.ts."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluate_model import EVALUATIONS, follows_of
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.delta_rs import Commit
from lakehouse.few_rows import MOST_ROWS, overwrite_table, rows_of
from lakehouse.files import remove_folder
from lakehouse.incremental import Build, in_weeks_sql
from lakehouse.job import run_job
from lakehouse.kept_fit import KeptFit, find_fit, keep_fit
from lakehouse.listeners import Tracks, day_number
from lakehouse.lists import write_lists
from lakehouse.model import DEFAULT_WEIGHTS, PARTS, Fit
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.promotion import LEAST_LISTENERS
from lakehouse.table_state import describe_table, read_small, weeks_of
from lakehouse.tables import has_table
from lakehouse.training import Listening, fit_model, learn_model
from lakehouse.training_data import Sources, listening_at, sources_of, training_data, work_uri
from lakehouse.weeks_refresh import CHARTS


def build_gold(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    model_version = params.text("modelVersion")
    size = params.whole("recommendationsPerUser", at_least=1)
    gold = table("gold", "user_recommendations")
    work = work_uri(lake_uri, run_key)
    judged = judged_as(lake_uri, model_version)
    # Files of a killed run must not mix with the files of this run.
    remove_folder(f"{work}/lists")
    try:
        with ThreadPoolExecutor(1) as reader:
            with progress.step("training data"):
                sources = sources_of(lake_uri)
                until, build = sources.split.until, Build(params.text("build"))
                # As large as a matrix of item_to_item.MOST_TRACKS.
                kept = reader.submit(find_fit, sources.split, sources.block, sources.events_version, build, lake_uri)
                data = training_data(spark, sources, run_key, [until])
            with progress.step("gather"):
                [listening] = listening_at(spark, data, follows_of(spark, lake_uri), [until])
        known = data.known
        with progress.step("train"):
            fit = _fit(params, judged, kept.result(), sources, known, listening)
            # An unused kept fit would stay in memory beside the new fit.
            del kept
        with progress.step("learn"):
            model = learn_model(listening, known, fit, day_number(until))
        with progress.step("lists"):
            chart = chart_of(spark, lake_uri, known)
            users = write_lists(listening.shards(), f"{work}/lists", model, judged.weights, chart, size)
        with progress.step("write"):
            lists = spark.read.parquet(f"{work}/lists").withColumn("model_version", F.lit(model_version))
            commit = Commit(f"{run_key}/{gold.path}")
            overwrite_table(lists, gold, lake_uri, commit, is_small=users * size <= MOST_ROWS)
    finally:
        remove_folder(work)
    made = describe_table(gold, lake_uri)
    return {"modelVersion": model_version, "tables": [made], "users": users, "recommendations": made["rows"]}


@dataclass(frozen=True)
class Judged:
    """The evaluation of a model: the weights (None for a refused model, because the chart is better), the flag for
    weights of the kept fit, and the flag for a fit that enough listeners have judged to keep it."""

    weights: dict[str, float] | None
    is_kept: bool = False
    is_proven: bool = False


def judged_as(lake_uri: str, model_version: str) -> Judged:
    """As the model's evaluation is recorded; the default weights where there is none."""
    if not has_table(EVALUATIONS, lake_uri):
        return Judged(dict(DEFAULT_WEIGHTS))
    columns = ["model_version", "weights", "settings", "promoted", "users"]
    rows = read_small(EVALUATIONS, lake_uri, columns).to_pylist()
    found = next((row for row in rows if row["model_version"] == model_version), None)
    if found is None:
        return Judged(dict(DEFAULT_WEIGHTS))
    if not found["promoted"]:
        return Judged(None)
    tuned = {name: json.loads(found["weights"])[name] for name in PARTS}
    return Judged(tuned, json.loads(found["settings"]).get("fit") == "kept", found["users"] >= LEAST_LISTENERS)


def _fit(
    params: Params, judged: Judged, kept: KeptFit | None, sources: Sources, known: Tracks, listening: Listening
) -> Fit:
    """The kept fit, if the evaluation judged the kept fit; otherwise a new fit of all days. The job keeps the new
    fit if enough listeners judged it and if no kept fit is still to be judged."""
    split, block, events_version = sources.split, sources.block, sources.events_version
    if kept is not None and judged.is_kept:
        return kept.of(known.ids)
    fit = fit_model(listening, known, params.whole("seed"))
    if judged.is_proven and (kept is None or kept.may_be_judged_on(split)):
        days = (sources.first, split.until, block)
        keep_fit(KeptFit(fit, known.ids, judged.weights, *days, events_version, params.text("build")), sources.lake_uri)
    return fit


def chart_of(spark: SparkSession, lake_uri: str, tracks: Tracks) -> list[int]:
    """The chart of the data's last week (the charts end with it): indexes of tracks by rank."""
    weeks = weeks_of(CHARTS, lake_uri)
    if not weeks:
        return []
    of_last_week = rows_of(spark, CHARTS, lake_uri).where(in_weeks_sql({max(weeks)}))
    chart = of_last_week.orderBy("rank").select("track_id").collect()
    place = {track: index for index, track in enumerate(tracks.ids)}
    return [place[row[0]] for row in chart if row[0] in place]


if __name__ == "__main__":
    run_job("build_gold", build_gold)
