"""What the evaluation and the lists of one run share, and what becomes of it."""

from pathlib import Path

import build_gold as gold_job
import evaluate_model as evaluation_job
import pytest
from test_evaluation import evaluation_params, planted_events, planted_lake
from worlds import rows, run

import lakehouse.training_data
from lakehouse.contracts import table as contract
from lakehouse.tables import overwrite_table, read_table
from lakehouse.trending import weekly_trending_tracks


@pytest.fixture
def charted(spark, lake):
    """A lake with something to learn, and charts."""
    planted_lake(spark, lake, planted_events())
    events = read_table(spark, contract("silver", "listening_events"), lake)
    songs = read_table(spark, contract("bronze", "dim_songs"), lake)
    charts = contract("silver", "weekly_trending_tracks")
    overwrite_table(weekly_trending_tracks(events, songs), charts, lake, "planted")
    return lake


def test_the_lists_are_made_of_the_evaluations_training_data_and_nothing_is_left(spark, charted, monkeypatch):
    work = Path(charted) / "_work"
    left = work / "a-run-that-died" / "encounters"
    left.mkdir(parents=True)
    (left / "part-0.parquet").write_bytes(b"of a user who is forgotten since")
    params = evaluation_params(charted, "m1")
    monkeypatch.setattr(evaluation_job, "decide_promotion", lambda *_: {"promoted": True, "why": "planned"})
    run(evaluation_job.evaluate_model, spark, params)
    assert [each.name for each in work.iterdir()] == ["run"]
    assert not list(work.rglob("before-*"))

    monkeypatch.setattr(lakehouse.training_data, "encounters", _not_again)
    made = run(gold_job.build_gold, spark, {**params, "recommendationsPerUser": 5})
    assert made["users"] == len(set(rows(charted, "gold/user_recommendations", "user_id")))
    assert not list(work.rglob("*.parquet"))


def test_a_failed_evaluation_leaves_no_work_behind(spark, charted, monkeypatch):
    def fail(*_):
        raise RuntimeError("planned")

    monkeypatch.setattr(evaluation_job, "fit_factors", fail)
    with pytest.raises(RuntimeError, match="planned"):
        run(evaluation_job.evaluate_model, spark, evaluation_params(charted, "m1"))
    assert not list((Path(charted) / "_work").rglob("*.parquet"))


def _not_again(*_):
    raise AssertionError("the events were read again")
