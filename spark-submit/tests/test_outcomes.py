"""What became of the tracks that were shown: attribution by last touch, worked out by hand."""

import json

import build_outcomes
from pyspark.sql import functions as F
from test_streams import ANSWER, ANSWERS, FEEDBACK, LISTEN, LISTENS, TIMES, records
from worlds import rows, run

from lakehouse.stream_records import parse_records
from lakehouse.tables import append_rows, create_table


def land(spark, lake, topic, events: list[dict], key: str) -> None:
    """Events as the stream brings them into bronze."""
    create_table(spark, topic.table, lake)
    parsed = parse_records(records(spark, topic, events), topic, TIMES).withColumn(
        "_ingested_at", F.current_timestamp()
    )
    assert parsed.where("refusal IS NOT NULL").count() == 0
    append_rows(parsed.select(*topic.table.column_names), topic.table, lake, key, 1)


def listen(event_id: str, track_id: str, event_type: str, at: str, user_id: str = "u1") -> dict:
    given = {"event_id": event_id, "track_id": track_id, "event_type": event_type, "timestamp": at, "user_id": user_id}
    return {**LISTEN, **given}


def answer(event_id: str, track_ids: list[str], at: str, **more) -> dict:
    return {**ANSWER, "event_id": event_id, "track_ids": track_ids, "served_at": at, **more}


def test_an_event_counts_for_the_newest_answer_that_showed_its_track_within_the_window(spark, lake):
    answers = [
        answer(
            "r1", ["t1", "t2", "t3"], "2025-01-01T10:00:00Z", reason_types=["trending", "trending", "artist_you_play"]
        ),
        answer("r2", ["t1"], "2025-01-01T11:00:00Z", reason_types=None, tier="trending"),
    ]
    listens = [
        listen("before", "t1", "complete_listen", "2025-01-01T09:59:59Z"),
        listen("after r1", "t1", "skip", "2025-01-01T10:30:00Z"),
        # both answers showed t1: the newer one gets it
        listen("after both", "t1", "complete_listen", "2025-01-01T11:30:00Z"),
        # an event that came twice counts once
        listen("after both", "t1", "complete_listen", "2025-01-01T11:30:00Z"),
        # 24 h after r1 to the second: too late
        listen("too late", "t2", "like", "2025-01-02T10:00:00Z"),
        listen("never shown", "t9", "like", "2025-01-01T10:30:00Z"),
        listen("of another", "t2", "like", "2025-01-01T10:30:00Z", user_id="u2"),
    ]
    feedback = [
        {
            "schema_version": 1,
            "event_id": "f1",
            "user_id": "u1",
            "track_id": "t3",
            "feedback": "hide",
            "at": "2025-01-01T12:00:00Z",
        }
    ]
    land(spark, lake, ANSWERS, answers, "answers")
    land(spark, lake, LISTENS, listens, "listens")
    land(spark, lake, FEEDBACK, feedback, "feedback")
    result = run(build_outcomes.build_outcomes, spark, {"runKey": "run", "lakeUri": lake, "windowHours": 24})

    columns = ("recommendation_id", "track_id", "rank", "reason_type", "listens", "skips", "hides", "outcome")
    assert rows(lake, "gold/recommendation_outcomes", *columns) == [
        ("r1", "t1", 1, "trending", 0, 1, 0, "skipped"),
        ("r1", "t2", 2, "trending", 0, 0, 0, "none"),
        ("r1", "t3", 3, "artist_you_play", 0, 0, 1, "skipped"),
        ("r2", "t1", 1, None, 1, 0, 0, "clicked"),
    ]
    by_reason = {(group["tier"], group["reasonType"]): group for group in result["groups"]}
    assert by_reason["personal", "trending"] == {
        "tier": "personal",
        "reasonType": "trending",
        "modelVersion": "m1",
        "impressions": 2,
        "answers": 1,
        "clicked": 0,
        "skipped": 1,
    }
    assert by_reason["trending", None]["clicked"] == 1
    assert json.dumps(result)


def test_nothing_served_yet_has_no_outcomes(spark, lake):
    result = run(build_outcomes.build_outcomes, spark, {"runKey": "run", "lakeUri": lake, "windowHours": 24})
    assert (result["groups"], result["tables"][0]["rows"]) == ([], 0)
