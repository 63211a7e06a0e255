"""Kafka records to bronze: what fits, what does not and why, and that a batch that is done again commits nothing."""

import json

import pytest
from pyspark.sql import functions as F
from worlds import rows, version

from lakehouse.acceptance.times import ListenTimes
from lakehouse.lease import Lease, LeaseLost
from lakehouse.stream_records import dead_letters, parse_records
from lakehouse.stream_sink import BronzeSink, cut_to_size
from lakehouse.streams import StreamSettings, TopicStream, offsets_after
from lakehouse.tables import create_table, read_table
from lakehouse.topic_identity import TopicIdentity
from lakehouse.topics import streamed_topics

LISTENS, ANSWERS, FEEDBACK = streamed_topics()
TIMES = ListenTimes.until("2025-02-01T00:00:00Z")
UNREADABLE = "unreadable: not one JSON object in UTF-8"
LISTEN = {
    "schema_version": 1,
    "event_id": "e1",
    "user_id": "u1",
    "track_id": "t1",
    "event_type": "like",
    "timestamp": "2025-01-07T23:30:00.000Z",
    "received_at": "2025-01-08T00:00:01.000Z",
}
ANSWER = {
    "schema_version": 1,
    "event_id": "r1",
    "user_id": "u1",
    "tier": "personal",
    "model_version": "m1",
    "track_ids": ["t1", "t2"],
    "reason_types": ["trending", "artist_you_play"],
    "served_at": "2025-01-07T01:00:00+02:00",
}


def records(spark, topic, values: list, first_offset: int = 0):
    """A micro-batch as the Kafka source gives it: one partition, offsets in order."""
    encoded = [json.dumps(value).encode() if isinstance(value, dict) else value for value in values]
    data = [(b"u1", value, topic.name, 0, first_offset + index) for index, value in enumerate(encoded)]
    return spark.createDataFrame(data, "key binary, value binary, topic string, partition int, offset long")


def reasons(spark, topic, *values) -> list:
    parsed = parse_records(records(spark, topic, list(values)), topic, TIMES)
    return [row["refusal"] for row in parsed.select("offset", "refusal").orderBy("offset").collect()]


def test_a_listen_becomes_a_typed_row_with_its_day_and_its_place(spark):
    [row] = parse_records(records(spark, LISTENS, [LISTEN], first_offset=7), LISTENS, TIMES).collect()
    assert row["refusal"] is None
    assert (row["event_id"], row["title"], row["_topic"], row["_partition"], row["_offset"]) == (
        "e1",
        None,
        "user_listening_history",
        0,
        7,
    )
    # half past eleven in the evening, UTC: the day of the listen, not of its arrival
    assert str(row["event_date"]) == "2025-01-07"


def test_a_recommendation_keeps_its_tracks_in_order_and_its_time_in_utc(spark):
    [row] = parse_records(records(spark, ANSWERS, [ANSWER]), ANSWERS, TIMES).collect()
    assert row["refusal"] is None
    assert row["track_ids"] == ["t1", "t2"]
    # one o'clock two hours east of UTC is eleven the evening before
    assert str(row["event_date"]) == "2025-01-06"


def test_feedback_without_an_end_fits(spark):
    given = {"schema_version": 1, "event_id": "f", "user_id": "u", "track_id": "t", "feedback": "hide", "until": None}
    assert reasons(spark, FEEDBACK, {**given, "at": "2025-01-07T01:00:00Z"}) == [None]


def test_what_a_record_lacks_is_named(spark):
    found = reasons(
        spark,
        LISTENS,
        None,
        b"\xff\x00 no JSON",
        b"[1, 2]",
        {**LISTEN, "schema_version": 2},
        {name: value for name, value in LISTEN.items() if name != "schema_version"},
        {**LISTEN, "user_id": " "},
        {**LISTEN, "track_id": None},
        {**LISTEN, "event_type": "danced"},
        {**LISTEN, "timestamp": "yesterday"},
        {**LISTEN, "timestamp": "2025"},
        {**LISTEN, "timestamp": "2025-13-45T00:00:00Z"},
        {**LISTEN, "event_id": "x" * 201},
        {**LISTEN, "track_id": "\u0085t"},
        {**LISTEN, "track_id": "a\ud800b"},
        {**LISTEN, "title": "a\u2028b"},
        {**LISTEN, "timestamp": "0001-01-01T00:00:00Z"},
        {**LISTEN, "timestamp": "9999-12-31T23:59:59Z"},
        {**LISTEN, "received_at": "9999-12-31T23:59:59Z"},
        b'[{"schema_version": 1}]',
        json.dumps(LISTEN).encode() + b" and more",
        json.dumps(LISTEN).encode().replace(b"u1", b"\xff"),
    )
    assert found == [
        "empty: the record has no value",
        UNREADABLE,
        UNREADABLE,
        "schema_version: expected 1, found 2",
        "schema_version: expected 1, found none",
        "missing_user_id",
        "missing_track_id",
        "unknown_event_type",
        "bad_timestamp",
        "bad_timestamp",
        "bad_timestamp",
        "too_long_event_id",
        "control_character_track_id",
        "control_character_track_id",
        "control_character_title",
        "too_early_timestamp",
        "too_late_timestamp",
        "too_late_received_at",
        UNREADABLE,
        UNREADABLE,
        UNREADABLE,
    ]


def test_an_optional_text_of_blanks_is_as_good_as_absent(spark):
    [row] = parse_records(records(spark, LISTENS, [{**LISTEN, "title": " \u3000"}]), LISTENS, TIMES).collect()
    assert (row["refusal"], row["title"]) == (None, None)


def test_a_pair_of_surrogates_is_a_character_and_a_spelt_out_one_is_text(spark):
    values = [{**LISTEN, "title": "\U0001f3b5"}, {**LISTEN, "title": "\\ud800"}]
    found = parse_records(records(spark, LISTENS, values), LISTENS, TIMES).orderBy("offset").collect()
    assert [(row["refusal"], row["title"]) for row in found] == [(None, "\U0001f3b5"), (None, "\\ud800")]


def test_feedback_may_end_long_after_its_batch_but_within_what_others_can_name(spark):
    given = {"schema_version": 1, "event_id": "f", "user_id": "u", "track_id": "t", "feedback": "hide"}
    given["at"] = "2025-01-07T01:00:00Z"
    ends = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z", "soon"]
    found = reasons(spark, FEEDBACK, *({**given, "until": end} for end in ends))
    assert found == [None, "too_late_until", "too_early_until", "bad_until"]
    assert reasons(spark, FEEDBACK, {**given, "at": "2025-02-01T01:00:01Z"}) == ["too_late_at"]


def test_a_track_of_an_answer_keeps_the_rules_of_ids(spark):
    lists = [["t1", "\u3000"], ["t1", None], ["t\t1"], ["t" * 201], []]
    found = reasons(spark, ANSWERS, *({**ANSWER, "track_ids": tracks} for tracks in lists))
    problems = ["missing_track_ids", "missing_track_ids", "control_character_track_ids", "too_long_track_ids", None]
    assert found == problems


def test_a_field_nobody_knows_is_left_out(spark):
    assert reasons(spark, LISTENS, {**LISTEN, "mood": "blue"}) == [None]


def test_a_dead_letter_is_the_record_as_it_came_with_its_place_and_the_reason(spark):
    parsed = parse_records(records(spark, LISTENS, [b"broken"], first_offset=41), LISTENS, TIMES)
    [letter] = dead_letters(parsed, LISTENS, "2025-01-08T00:00:00Z").collect()
    assert (letter["topic"], bytes(letter["key"]), bytes(letter["value"])) == (
        "user_listening_history.dlq",
        b"u1",
        b"broken",
    )
    assert {h["key"]: bytes(h["value"]).decode() for h in letter["headers"]} == {
        "segue-reason": UNREADABLE,
        "segue-topic": "user_listening_history",
        "segue-partition": "0",
        "segue-offset": "41",
        "segue-detected-at": "2025-01-08T00:00:00Z",
    }


def test_a_letter_that_kafka_would_refuse_is_cut_and_says_how_large_it_was(spark):
    parsed = parse_records(records(spark, LISTENS, [b"x" * 2_000_000, b"short"]), LISTENS, TIMES)
    large, small = cut_to_size(dead_letters(parsed, LISTENS, "2025-01-08T00:00:00Z")).orderBy("headers").collect()
    assert (len(large["value"]), bytes(small["value"])) == (512 * 1024, b"short")
    assert {h["key"]: bytes(h["value"]) for h in large["headers"]}["segue-cut"] == b"2000000"
    assert len(small["headers"]) == 5


class Kafka:
    """Says which topic it is; what else a stream asks of Kafka it asks through Spark."""

    def __init__(self, topic_id: str):
        self.topic_id = topic_id

    def look(self, topic: str, timeout_ms: int = 0) -> TopicIdentity:
        return TopicIdentity(self.topic_id, 3)


def test_a_topic_that_was_made_anew_gets_a_checkpoint_of_its_own_and_begins_with_its_first_record(
    spark, lake, tmp_path, sink, capfd
):
    sink(records(spark, LISTENS, [LISTEN], first_offset=49), 0)
    first, second = "first_id_1234567890123", "second_id_123456789012"
    settings = StreamSettings(lake, str(tmp_path / "checkpoints"), "nowhere:1", 1.0, 100, "table")
    stream = TopicStream(spark, LISTENS, settings, lambda: None)
    stream._looker = Kafka(first)
    old = stream._identify()
    # Without a checkpoint the table decides: offset 49 of partition 0 is there.
    assert json.loads(stream._starting_offsets(old))[LISTENS.name]["0"] == 50
    checkpoint = tmp_path / "checkpoints" / LISTENS.name / first
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id": "query"}')
    stream._identified_at = -100.0
    assert not stream._was_made_anew(0.0)
    stream._looker.topic_id = second
    assert not stream._was_made_anew(1.0), "Kafka is not asked at every look"
    assert stream._was_made_anew(10.0)
    assert stream._identify() == f"{settings.checkpoints_uri}/{LISTENS.name}/{second}"
    assert stream._starting_offsets(stream._identify()) == "earliest"
    told = stream._describe()
    assert (told["topicId"], told["madeAnew"]) == (second, 1)
    assert capfd.readouterr().err.count("was deleted and made again") == 1


@pytest.fixture
def sink(spark, lake, tmp_path):
    """A sink whose checkpoint has the id `query-1`."""
    create_table(spark, LISTENS.table, lake)
    return sink_of(lake, tmp_path, "query-1")


def sink_of(lake, tmp_path, query_id: str) -> BronzeSink:
    checkpoint = tmp_path / query_id
    checkpoint.mkdir()
    (checkpoint / "metadata").write_text(json.dumps({"id": query_id}))
    return BronzeSink(LISTENS, lake, str(checkpoint), "nowhere:1", lambda: None)


def test_a_batch_that_is_done_again_commits_nothing(spark, lake, sink):
    batch = records(spark, LISTENS, [LISTEN, {**LISTEN, "event_id": "e2"}])
    sink(batch, 0)
    committed = version(lake, "bronze/listening_events_stream")
    sink(batch, 0)
    assert version(lake, "bronze/listening_events_stream") == committed
    assert rows(lake, "bronze/listening_events_stream", "event_id", "_offset") == [("e1", 0), ("e2", 1)]


def test_a_batch_of_a_new_checkpoint_is_not_mistaken_for_an_old_one(spark, lake, tmp_path, sink):
    sink(records(spark, LISTENS, [LISTEN]), 0)
    sink_of(lake, tmp_path, "query-2")(records(spark, LISTENS, [{**LISTEN, "event_id": "e2"}], first_offset=1), 0)
    assert rows(lake, "bronze/listening_events_stream", "event_id") == [("e1",), ("e2",)]


def test_a_driver_whose_lease_is_lost_writes_nothing(spark, lake, tmp_path, sink):
    path = tmp_path / "driver.json"
    path.write_text(json.dumps({"owner": "another"}))
    sink._check_lease = Lease(str(path), "me").check
    before = version(lake, "bronze/listening_events_stream")
    with pytest.raises(LeaseLost, match="belong to driver another"):
        sink(records(spark, LISTENS, [LISTEN]), 0)
    assert version(lake, "bronze/listening_events_stream") == before
    path.unlink()
    with pytest.raises(LeaseLost, match="nobody"):
        sink._check_lease()


def test_a_stream_without_a_checkpoint_begins_after_what_its_table_holds(spark, lake, sink):
    table = LISTENS.table
    assert offsets_after(read_table(spark, table, lake), LISTENS.name, 3) == "earliest"
    sink(records(spark, LISTENS, [LISTEN, {**LISTEN, "event_id": "e2"}], first_offset=5), 0)
    stored = read_table(spark, table, lake).withColumn("_partition", F.lit(1))
    # -2 is Kafka's first record; offsets 5 and 6 of partition 1 are there, 7 is next
    assert json.loads(offsets_after(stored, LISTENS.name, 3)) == {LISTENS.name: {"0": -2, "1": 7, "2": -2}}
