"""Answers, listens and feedback in bronze → gold recommendation_outcomes. Contract: contracts/schemas/jobs.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import DataFrame, SparkSession

from lakehouse.contracts import table
from lakehouse.delta_rs import Commit
from lakehouse.few_rows import overwrite_table
from lakehouse.job import run_job
from lakehouse.outcomes import impressions, outcomes, rates, touches
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.table_state import describe_table
from lakehouse.tables import create_table, read_table

# The newest groups, where very many models have been served.
_MOST_GROUPS = 1000


def build_outcomes(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, run_key = params.text("lakeUri"), params.text("runKey")
    gold = table("gold", "recommendation_outcomes")

    def bronze(name: str) -> DataFrame:
        """A streamed table; made where no event has come yet, so that it reads as empty."""
        create_table(spark, table("bronze", name), lake_uri)
        return read_table(spark, table("bronze", name), lake_uri)

    with progress.step("outcomes"):
        shown = impressions(bronze("recommendation_events"))
        touched = touches(bronze("listening_events_stream"), bronze("feedback_events"))
        found = outcomes(shown, touched, params.whole("windowHours", at_least=1))
        # A row for each track of each answer: many, even in a small lake.
        overwrite_table(found, gold, lake_uri, Commit(f"{run_key}/{gold.path}"), is_small=False)
    with progress.step("rates"):
        found = rates(read_table(spark, gold, lake_uri)).limit(_MOST_GROUPS).collect()
    return {"tables": [describe_table(gold, lake_uri)], "groups": [_group(row.asDict()) for row in found]}


def _group(row: dict) -> dict:
    counted = {name: row[name] for name in ("impressions", "answers", "clicked", "skipped")}
    named = {"tier": row["tier"], "reasonType": row["reason_type"], "modelVersion": row["model_version"]}
    return {**named, **counted}


if __name__ == "__main__":
    run_job("build_outcomes", build_outcomes)
