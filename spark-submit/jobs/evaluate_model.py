"""Trains on all but the last weeks, tunes the blend, judges it on the last, and says whether it may be promoted.

Parameters and result: contracts/schemas/jobs.ts. Writes one row to gold/model_evaluations.
"""

import json
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.evaluation import Measures, Truth, against, measure, pools, summary
from lakehouse.files import remove_folder
from lakehouse.held_out import Split, new_tracks
from lakehouse.interactions import before, day_number
from lakehouse.job import run_job
from lakehouse.listeners import Tracks, read_shards
from lakehouse.metrics import ranked
from lakehouse.model import DEFAULT_WEIGHTS, Model
from lakehouse.oracle import read_oracle
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.promotion import decide_promotion
from lakehouse.session import side_by_side
from lakehouse.tables import append_rows, create_table, describe_table, has_table, read_table
from lakehouse.training import Listening, fit_factors, gather, learn_model
from lakehouse.training_data import TrainingData, clear_work, training_data, work_uri
from lakehouse.tuning import tuned_weights

EVALUATIONS = table("gold", "model_evaluations")
RECOMMENDATIONS = table("gold", "user_recommendations")


def evaluate_model(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, work = params.text("lakeUri"), work_uri(params.text("lakeUri"), params.text("runKey"))
    clear_work(lake_uri)
    try:
        with progress.step("training data"):
            data = training_data(spark, lake_uri, params.text("runKey"))
        judged = _judge(spark, params, progress, data, f"{work}/evaluation")
    except BaseException:
        remove_folder(work)
        raise
    # The lists are made of the same training data, where any are made.
    remove_folder(f"{work}/evaluation" if judged["promoted"] else work)
    document = {
        "modelVersion": params.text("modelVersion"),
        "split": _split_text(data.split),
        "k": params.whole("k"),
        **judged,
    }
    with progress.step("record"):
        _record(spark, document, params.time("evaluatedAt"), lake_uri)
        return {**document, "tables": [describe_table(spark, EVALUATIONS, lake_uri)]}


def _judge(spark: SparkSession, params: Params, progress: Progress, data: TrainingData, uri: str) -> dict:
    lake_uri, k, seed = params.text("lakeUri"), params.whole("k", at_least=1), params.whole("seed")
    split, known, follows = data.split, data.known, follows_of(spark, lake_uri)

    def gather_before(cut: date) -> Listening:
        return gather(before(data.met, cut), follows, data.tracks, f"{uri}/before-{cut}", len(known.ids))

    with progress.step("gather"):
        early, late = side_by_side(spark, params.text("runKey"), 2, gather_before, [split.valid_from, split.test_from])
    if early.ratings == 0:
        # All there is lies in the days held out.
        return {"weights": dict(DEFAULT_WEIGHTS), "settings": {"seed": seed}, **_result({}, None, None, late, k)}
    with progress.step("train"):
        factors = fit_factors(early, known, seed)
    with progress.step("tune"):
        model = learn_model(early, known, factors, day_number(split.valid_from))
        tuning = new_tracks(data.met, data.tracks, split.valid_from, split.test_from)
        weights = tuned_weights(pools(model, read_shards(early.shards_uri), tuning), k)
    with progress.step("judge"):
        model = learn_model(late, known, factors, day_number(split.test_from))
        truth = new_tracks(data.met, data.tracks, split.test_from, split.until)
        oracle = read_oracle(params.optional_text("oracleUri"), known)
        measured = measure(model, weights, read_shards(late.shards_uri), truth, k, oracle)
        served = _served(spark, params, lake_uri, split, truth, late, known, model, k)
        settings = {**vars(factors.settings), "seed": seed}
        return {"weights": weights, "settings": settings, **_result(measured, served, model, late, k)}


def follows_of(spark: SparkSession, lake_uri: str) -> DataFrame | None:
    """Who follows whom, where the lake knows."""
    follows = table("bronze", "graph_user_follows")
    return read_table(spark, follows, lake_uri) if has_table(follows, lake_uri) else None


def _served(
    spark: SparkSession,
    params: Params,
    lake_uri: str,
    split: Split,
    truth: Truth,
    late: Listening,
    known: Tracks,
    model: Model,
    k: int,
) -> dict | None:
    """How the lists that are served now did on the same days; None unless they were made from earlier days alone."""
    version = params.optional_text("servedModelVersion")
    if version is None or not has_table(EVALUATIONS, lake_uri) or not has_table(RECOMMENDATIONS, lake_uri):
        return None
    rows = read_table(spark, EVALUATIONS, lake_uri).where(F.col("model_version") == version)
    learnt_until = rows.agg(F.max("test_until")).collect()[0][0]
    if learnt_until is None or learnt_until > split.test_from:
        return None
    lists = read_table(spark, RECOMMENDATIONS, lake_uri).where(F.col("model_version") == version)
    by_user = _lists_by_user(lists, known)
    if not by_user:
        return None
    mine: list[np.ndarray] = []
    for shard in read_shards(late.shards_uri):
        for who in (who for who in shard if who.id in truth):
            listed = by_user.get(who.id, np.array([], dtype=np.int64))
            mine.append(listed[~np.isin(listed, who.known)][:k])
    judged = [who.id for shard in read_shards(late.shards_uri) for who in shard if who.id in truth]
    measures = Measures([ranked(one, truth[user], k) for one, user in zip(mine, judged, strict=True)], mine)
    return {"modelVersion": version, **summary(measures, model, k, late.users)}


def _lists_by_user(lists: DataFrame, known: Tracks) -> dict[str, np.ndarray]:
    place = {track: index for index, track in enumerate(known.ids)}
    found = (
        lists.groupBy("user_id").agg(F.sort_array(F.collect_list(F.struct("rank", "track_id"))).alias("list")).toArrow()
    )
    return {
        row["user_id"]: np.array(
            [place[item["track_id"]] for item in row["list"] if item["track_id"] in place], dtype=np.int64
        )
        for row in found.to_pylist()
    }


def _result(measured: dict[str, Measures], served: dict | None, model: Model | None, late: Listening, k: int) -> dict:
    of = {name: summary(measures, model, k, late.users) for name, measures in measured.items()}
    candidate = (
        {"users": len(measured["candidate"].lists), **of.pop("candidate")} if measured else {"users": 0, "ndcg": 0.0}
    )
    oracle = of.pop("oracle", None)
    baselines = {name: {**found, **against(measured["candidate"], measured[name])} for name, found in of.items()}
    decision = decide_promotion(candidate, served, baselines)
    return {"candidate": candidate, "baselines": baselines, "served": served, "oracle": oracle, **decision}


def _split_text(split: Split) -> dict:
    return {
        "trainUntil": split.valid_from.isoformat(),
        "validationUntil": split.test_from.isoformat(),
        "testUntil": split.until.isoformat(),
    }


def _record(spark: SparkSession, document: dict, evaluated_at: str, lake_uri: str) -> None:
    """One row for the model, once: the version is the transaction's id."""
    candidate, split = document["candidate"], document["split"]
    measures = ("recall", "ndcg", "map", "coverage", "novelty", "diversity")
    row = {
        "model_version": document["modelVersion"],
        "evaluated_at": evaluated_at,
        "train_until": split["trainUntil"],
        "validation_until": split["validationUntil"],
        "test_until": split["testUntil"],
        "users": candidate["users"],
        "k": document["k"],
        **{name: candidate.get(name) for name in measures},
        "ndcg_low": candidate.get("ndcgLow"),
        "ndcg_high": candidate.get("ndcgHigh"),
        "weights": json.dumps(document["weights"]),
        "settings": json.dumps(document["settings"]),
        "baselines": json.dumps(document["baselines"]),
        "served": None if document["served"] is None else json.dumps(document["served"]),
        "promoted": document["promoted"],
        "why": document["why"],
    }
    schema = ", ".join(f"{column.name} {_plain_type(column.type)}" for column in EVALUATIONS.columns)
    rows = spark.createDataFrame([tuple(row[column.name] for column in EVALUATIONS.columns)], schema)
    columns = EVALUATIONS.columns
    typed = rows.select(*(F.col(column.name).cast(column.spark_type).alias(column.name) for column in columns))
    create_table(spark, EVALUATIONS, lake_uri)
    append_rows(typed, EVALUATIONS, lake_uri, f"model/{document['modelVersion']}", 1)


def _plain_type(of: str) -> str:
    """Times and days come as text and are cast on the way in."""
    return "string" if of in ("date", "timestamp") else of


if __name__ == "__main__":
    run_job("evaluate_model", evaluate_model)
