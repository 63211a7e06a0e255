"""Judges a model on the last week, which the model has not seen, and decides on its promotion.

The job judges the kept fit if it may serve. If there is none, or if it does not pass, the job trains a fit on all
but the last two weeks and tunes the weights on the first of these two weeks. Parameters and result:
contracts/schemas/jobs.ts. Writes a row to gold/model_evaluations.
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
from lakehouse.delta_rs import Commit
from lakehouse.evaluation import Measures, Truth, against, measure, pools, summary
from lakehouse.few_rows import append_few, rows_of
from lakehouse.files import remove_folder
from lakehouse.held_out import Split, new_tracks
from lakehouse.incremental import Build
from lakehouse.job import run_job
from lakehouse.kept_fit import KeptFit, find_fit
from lakehouse.listeners import Tracks, day_number
from lakehouse.metrics import ranked
from lakehouse.model import DEFAULT_WEIGHTS, Fit, Model, one_core
from lakehouse.oracle import read_oracle
from lakehouse.params import Params, instant
from lakehouse.progress import Progress
from lakehouse.promotion import decide_promotion
from lakehouse.table_state import describe_table, read_small
from lakehouse.tables import has_table
from lakehouse.training import Listening, fit_model, learn_model
from lakehouse.training_data import Sources, TrainingData, clear_work, listening_at, sources_of, training_data, work_uri
from lakehouse.tuning import tuned_weights

EVALUATIONS = table("gold", "model_evaluations")
RECOMMENDATIONS = table("gold", "user_recommendations")


def evaluate_model(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, work = params.text("lakeUri"), work_uri(params.text("lakeUri"), params.text("runKey"))
    clear_work(lake_uri)
    try:
        judged = _judge(spark, params, progress)
    except BaseException:
        remove_folder(work)
        raise
    # The lists are made of the same training data, where any are made.
    if not judged["promoted"]:
        remove_folder(work)
    document = {
        "modelVersion": params.text("modelVersion"),
        "k": params.whole("k"),
        **judged,
    }
    with progress.step("record"):
        _record(spark, document, params.time("evaluatedAt"), lake_uri)
        return {**document, "tables": [describe_table(EVALUATIONS, lake_uri)]}


def _judge(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri = params.text("lakeUri")
    sources = sources_of(lake_uri)
    judge = _Judge(spark, params, progress, sources)
    kept = find_fit(sources.split, sources.block, sources.events_version, Build.of(params), lake_uri)
    judged = judge.kept(kept) if kept is not None and kept.may_be_judged_on(sources.split) else None
    # A kept fit that is no longer good is not a reason to refuse: a new fit may be better.
    return judged if judged is not None and judged["promoted"] else judge.new()


class _Judge:
    """The evaluation of a split."""

    def __init__(self, spark: SparkSession, params: Params, progress: Progress, sources: Sources):
        self._spark, self._params, self._progress, self._sources = spark, params, progress, sources
        self._follows = follows_of(spark, params.text("lakeUri"))
        self._k, self._seed = params.whole("k", at_least=1), params.whole("seed")

    def kept(self, kept: KeptFit) -> dict:
        """The kept fit with the weights that were tuned for it."""
        data, [late, _] = self._gather(self._sources.split.test_from)
        fit = kept.of(data.known.ids)
        return {**self._measured(data, fit, kept.weights, late), **self._about("kept", fit, kept.until)}

    def new(self) -> dict:
        """A fit and weights from the days before the judged days only."""
        split = self._sources.split
        data, [early, late, _] = self._gather(split.valid_from, split.test_from)
        known = data.known
        if early.ratings == 0:
            # All there is lies in the days held out.
            unjudged = _result({}, None, None, late, self._k)
            return {"weights": dict(DEFAULT_WEIGHTS), **unjudged, **self._about("new", None, split.valid_from)}
        with self._progress.step("train"):
            fit = fit_model(early, known, self._seed)
        with self._progress.step("tune"), one_core():
            model = learn_model(early, known, fit, day_number(split.valid_from))
            tuning = new_tracks(data.uri, split.valid_from, split.test_from)
            weights = tuned_weights(pools(model, early.shards(), tuning), self._k)
        return {**self._measured(data, fit, weights, late), **self._about("new", fit, split.valid_from)}

    def _gather(self, *days: date) -> tuple[TrainingData, list[Listening]]:
        """The training data at each of these days, and at the last day for the lists."""
        known_at = [*days, self._sources.split.until]
        with self._progress.step("training data"):
            data = training_data(self._spark, self._sources, self._params.text("runKey"), known_at)
        with self._progress.step("gather"):
            return data, listening_at(self._spark, data, self._follows, known_at)

    def _measured(self, data: TrainingData, fit: Fit, weights: dict[str, float], late: Listening) -> dict:
        split, known = self._sources.split, data.known
        with self._progress.step("judge"), one_core():
            late = late.hold()
            model = learn_model(late, known, fit, day_number(split.test_from))
            truth = new_tracks(data.uri, split.test_from, split.until)
            oracle = read_oracle(self._params.optional_text("oracleUri"), known)
            measured = measure(model, weights, late.shards(), truth, self._k, oracle)
            lake_uri = self._params.text("lakeUri")
            served = _served(self._spark, self._params, lake_uri, split, truth, late, known, model, self._k)
            return {"weights": weights, **_result(measured, served, model, late, self._k)}

    def _about(self, origin: str, fit: Fit | None, until: date) -> dict:
        settings = {} if fit is None else vars(fit.factors.settings)
        split = {
            "trainUntil": until.isoformat(),
            "validationUntil": self._sources.split.test_from.isoformat(),
            "testUntil": self._sources.split.until.isoformat(),
        }
        return {"settings": {**settings, "seed": self._seed}, "fit": origin, "split": split}


def follows_of(spark: SparkSession, lake_uri: str) -> DataFrame | None:
    """The follows, if the lake has them."""
    follows = table("bronze", "graph_user_follows")
    return rows_of(spark, follows, lake_uri) if has_table(follows, lake_uri) else None


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
    recorded = read_small(EVALUATIONS, lake_uri, ["model_version", "test_until"]).to_pylist()
    learnt_until = max((row["test_until"] for row in recorded if row["model_version"] == version), default=None)
    if learnt_until is None or learnt_until > split.test_from:
        return None
    lists = rows_of(spark, RECOMMENDATIONS, lake_uri).where(F.col("model_version") == version)
    by_user = _lists_by_user(lists, known)
    if not by_user:
        return None
    mine, found = [], []
    for shard in late.shards():
        for who in (who for who in shard if who.id in truth):
            listed = by_user.get(who.id, np.array([], dtype=np.int64))
            mine.append(listed[~np.isin(listed, who.known)][:k])
            found.append(ranked(mine[-1], truth[who.id], k))
    return {"modelVersion": version, **summary(Measures(found, mine), model, k, late.users)}


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


def _record(spark: SparkSession, document: dict, evaluated_at: str, lake_uri: str) -> None:
    """Writes a row for the model. A repeat writes nothing: the model version is the transaction id."""
    candidate, split = document["candidate"], document["split"]
    measures = ("recall", "ndcg", "map", "coverage", "novelty", "diversity")
    row = {
        "model_version": document["modelVersion"],
        "evaluated_at": instant(evaluated_at),
        "train_until": date.fromisoformat(split["trainUntil"]),
        "validation_until": date.fromisoformat(split["validationUntil"]),
        "test_until": date.fromisoformat(split["testUntil"]),
        "users": candidate["users"],
        "k": document["k"],
        **{name: candidate.get(name) for name in measures},
        "ndcg_low": candidate.get("ndcgLow"),
        "ndcg_high": candidate.get("ndcgHigh"),
        "weights": json.dumps(document["weights"]),
        "settings": json.dumps({**document["settings"], "fit": document["fit"]}),
        "baselines": json.dumps(document["baselines"]),
        "served": None if document["served"] is None else json.dumps(document["served"]),
        "promoted": document["promoted"],
        "why": document["why"],
    }
    append_few(spark, [row], EVALUATIONS, lake_uri, Commit(f"model/{document['modelVersion']}"))


if __name__ == "__main__":
    run_job("evaluate_model", evaluate_model)
