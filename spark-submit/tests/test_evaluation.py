"""The split by time and the whole evaluation of a lake, on listening that was planted."""

import json
from datetime import date

import pytest
from evaluate_model import _record, evaluate_model
from planted import USERS, evaluation_params, planted_events, planted_lake
from pyspark.sql import functions as F
from worlds import met_at, run, table, version

import lakehouse.held_out
from lakehouse.held_out import Split, new_tracks, split_by_time
from lakehouse.interactions import encounters
from lakehouse.listeners import View

EVENT = "user_id string, track_id string, event_type string, event_date date"


def test_the_last_two_weeks_are_held_out_less_where_there_is_little():
    split = split_by_time(date(2024, 1, 1), date(2024, 12, 31))
    assert (split.valid_from, split.test_from, split.until) == (
        date(2024, 12, 18),
        date(2024, 12, 25),
        date(2025, 1, 1),
    )
    # 12 days: a quarter of them, 3, each.
    short = split_by_time(date(2024, 1, 1), date(2024, 1, 12))
    assert (short.valid_from, short.test_from, short.until) == (date(2024, 1, 7), date(2024, 1, 10), date(2024, 1, 13))
    # One day: nothing is left to learn from, and nothing can be judged.
    assert split_by_time(date(2024, 1, 1), date(2024, 1, 1)).until == date(2024, 1, 2)


def test_the_truth_is_what_old_listeners_heard_and_did_not_skip_for_the_first_time(spark, tmp_path):
    events = [
        ("old", "known", "complete_listen", date(2024, 1, 1)),
        ("old", "skipped-before", "skip", date(2024, 1, 1)),
        ("old", "known", "like", date(2024, 1, 8)),
        ("old", "skipped-before", "complete_listen", date(2024, 1, 8)),
        ("old", "new", "complete_listen", date(2024, 1, 8)),
        ("old", "skipped", "skip", date(2024, 1, 8)),
        ("old", "later", "complete_listen", date(2024, 1, 9)),
        ("stranger", "new", "complete_listen", date(2024, 1, 8)),
    ]
    start, end = date(2024, 1, 8), date(2024, 1, 9)
    _, ids = met_at(spark.createDataFrame(events, EVENT), [start], tmp_path)
    found = new_tracks(str(tmp_path), start, end)
    assert {user: [ids[track] for track in tracks] for user, tracks in found.items()} == {"old": ["new"]}


def test_of_many_listeners_the_same_few_are_judged_wherever_their_shards_are(spark, tmp_path, monkeypatch):
    start, end = date(2024, 1, 8), date(2024, 1, 9)
    old = [(f"u{n}", "known", "complete_listen", date(2024, 1, 1)) for n in range(40)]
    new = [(f"u{n}", track, "complete_listen", start) for n in range(40) for track in ("t2", "t1")]
    met_at(spark.createDataFrame(old + new, EVENT), [start], tmp_path)
    everybody = new_tracks(str(tmp_path), start, end)
    assert {user: list(tracks) for user, tracks in everybody.items()} == {f"u{n}": [1, 2] for n in range(40)}
    monkeypatch.setattr(lakehouse.held_out, "MOST_LISTENERS", 7)
    few = new_tracks(str(tmp_path), start, end)
    assert list(few) == list(everybody)[:7]


def test_nothing_of_the_held_out_days_is_learnt_from(spark):
    """A leak that is planted: everybody plays `leak` in the judged days, and only then."""
    split = Split(date(2024, 1, 10), date(2024, 1, 17), date(2024, 1, 24))
    events = [(f"u{n}", "old", "complete_listen", date(2024, 1, 5)) for n in range(5)]
    leaks = [(f"u{n}", "leak", "like", day) for n in range(5) for day in (split.valid_from, split.test_from)]
    met = encounters(spark.createDataFrame(events + leaks, EVENT), [split.valid_from, split.test_from])
    valid, test = View.at(split.valid_from), View.at(split.test_from)
    learnt = {row.track_id for row in met.where(F.col(valid.affinity).isNotNull()).collect()}
    assert learnt == {"old"}
    # Seen when it may be seen: what was heard in the tuning days is known when the judged days begin.
    later = {row.track_id for row in met.where(F.col(test.affinity).isNotNull()).collect()}
    assert later == {"old", "leak"}


@pytest.fixture(scope="module")
def planted(spark, tmp_path_factory):
    return planted_lake(spark, f"{tmp_path_factory.mktemp('planted')}/lake", planted_events())


def test_a_model_that_knows_the_groups_finds_them_and_is_recorded_once(spark, planted):
    result = run(evaluate_model, spark, evaluation_params(planted, "m1"))
    assert result["split"] == {"trainUntil": "2024-01-27", "validationUntil": "2024-02-03", "testUntil": "2024-02-10"}
    assert result["candidate"]["users"] == USERS
    assert result["candidate"]["ndcg"] > 1.5 * result["baselines"]["popularity"]["ndcg"]
    assert set(result["baselines"]) == {"popularity", "trending", "same_for_all", "genre_popularity", "item_knn"}
    [row] = table(planted, "gold/model_evaluations").to_pylist()
    assert (row["model_version"], row["promoted"], row["why"]) == ("m1", result["promoted"], result["why"])
    assert json.loads(row["weights"]) == result["weights"]
    assert row["ndcg"] == result["candidate"]["ndcg"]
    before = version(planted, "gold/model_evaluations")
    _record(spark, result, "2024-03-01T00:00:00.000Z", planted)
    assert version(planted, "gold/model_evaluations") == before
