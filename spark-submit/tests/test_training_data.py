"""What the evaluation and the lists of one run share, and what becomes of it."""

from pathlib import Path

import build_gold as gold_job
import evaluate_model as evaluation_job
import numpy as np
import pytest
from planted import evaluation_params, planted_events, planted_lake
from worlds import rows, run

import lakehouse.training_data
from lakehouse.contracts import table as contract
from lakehouse.delta_rs import Commit
from lakehouse.few_rows import overwrite_table
from lakehouse.files import remove_folder
from lakehouse.listeners import View
from lakehouse.tables import read_table
from lakehouse.training import Listening
from lakehouse.training_data import listening_at, sources_of, training_data, whole_columns
from lakehouse.trending import weekly_trending_tracks


@pytest.fixture
def charted(spark, lake):
    """A lake with something to learn, and charts."""
    planted_lake(spark, lake, planted_events())
    events = read_table(spark, contract("silver", "listening_events"), lake)
    songs = read_table(spark, contract("bronze", "dim_songs"), lake)
    charts = contract("silver", "weekly_trending_tracks")
    overwrite_table(weekly_trending_tracks(events, songs), charts, lake, Commit("planted"), is_small=True)
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

    monkeypatch.setattr(lakehouse.training_data, "encounters", _not_again)
    monkeypatch.setattr(lakehouse.training_data, "write_followed", _not_again)
    made = run(gold_job.build_gold, spark, {**params, "recommendationsPerUser": 5})
    assert made["users"] == len(set(rows(charted, "gold/user_recommendations", "user_id")))
    assert not list(work.rglob("*.parquet"))


def test_several_days_gathered_at_once_are_each_as_if_gathered_alone(spark, charted):
    sources = sources_of(charted)
    split, pairs = sources.split, [("u0", "u3"), ("u3", "u149"), ("nobody", "u0")]
    follows = spark.createDataFrame(pairs, "user_id_a string, user_id_b string")
    days = [split.valid_from, split.test_from, split.until]
    data = training_data(spark, sources, "run", days)
    together = [_described(each) for each in listening_at(spark, data, follows, days)]
    remove_folder(f"{data.uri}/followed")
    for day, described in zip(days, together, strict=True):
        [alone] = listening_at(spark, data, follows, [day])
        assert _described(alone) == described
        remove_folder(f"{data.uri}/followed")
    # Each day knows more than the one before, and only who knows something is a listener.
    sizes = [described["sizes"] for described in together]
    assert sizes[0] < sizes[1] < sizes[2]
    assert [len(described["listeners"]) for described in together] == [150] * 3
    assert all(together[0]["listeners"][user]["followed"] for user in ("u0", "u3"))


def test_what_was_made_for_some_days_serves_them_and_is_made_anew_for_more(spark, charted, monkeypatch):
    sources = sources_of(charted)
    split = sources.split
    few = training_data(spark, sources, "run", [split.test_from, split.until])
    assert View.at(split.valid_from).rating not in whole_columns(f"{few.uri}/pairs")
    many = training_data(spark, sources, "run", [split.valid_from, split.test_from, split.until])
    assert View.at(split.valid_from).rating in whole_columns(f"{many.uri}/pairs")
    monkeypatch.setattr(lakehouse.training_data, "encounters", _not_again)
    assert training_data(spark, sources, "run", [split.until]).uri == many.uri


def _described(listening: Listening) -> dict:
    """Everything of it, by user."""
    listeners = {
        who.id: {name: np.nan_to_num(value, nan=-1.0).tolist() for name, value in vars(who).items() if name != "id"}
        for shard in listening.shards()
        for who in shard
    }
    sizes = (listening.ratings, listening.users, listening.listeners_of.tolist())
    return {"sizes": sizes, "listeners": listeners}


def test_a_failed_evaluation_leaves_no_work_behind(spark, charted, monkeypatch):
    def fail(*_):
        raise RuntimeError("planned")

    monkeypatch.setattr(evaluation_job, "fit_model", fail)
    with pytest.raises(RuntimeError, match="planned"):
        run(evaluation_job.evaluate_model, spark, evaluation_params(charted, "m1"))
    assert not list((Path(charted) / "_work").rglob("*.parquet"))


def _not_again(*_):
    raise AssertionError("what the evaluation had made was made again")
