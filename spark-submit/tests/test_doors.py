"""The doors: of over a thousand generated rows each is accepted, or refused for the reason that a naive reading gives."""

import json
from datetime import date

import naive
from generated import SEED, csv_file, csv_lines, make, texts, times
from hypothesis import strategies as st
from load_bronze import load_bronze
from pyspark.sql import functions as F
from test_streams import ANSWER, ANSWERS, FEEDBACK, LISTEN, LISTENS, records
from worlds import INGESTED_AT, bronze_params, landing_file, run, table

from lakehouse.acceptance.times import ListenTimes
from lakehouse.contracts import dataset
from lakehouse.stream_records import parse_records

ROWS = 1_200
EARLIEST, LATEST = naive.RULES["time"]["earliest"], "2025-02-01T01:00:00Z"
LAST = "9999-12-31T23:59:59.999999Z"
# Texts for columns of other types.
OTHERS = {
    "duration_ms": ["", "181000", " ", "-5", "long", "1e3", "9" * 19],
    "release_date": [
        "",
        "2019-03-01",
        "1987",
        "2019-03-01T10:00:00+05:30",
        "someday",
        "2025-01-07 garbage",
        "2025-02-30",
        "0000",
    ],
    "base_popularity": ["", "0.5", "1e-3", "NaN", "1e400", "-Infinity"],
}


def load(spark, lake, tmp_path, file: str, contract, lines: list[str]):
    """Loads a generated file; gives what bronze and quarantine should hold of it, by the naive reading."""
    content = csv_file(",".join(contract.column_names), lines)
    found = naive.records_of(content, len(contract.columns), contract.is_multi_line)[1:]
    entry = landing_file(tmp_path, file, contract.table.name, content, rows=len(found))
    [told] = run(load_bronze, spark, bronze_params(lake, [entry]))["files"]
    assert told["bronze"] + told["quarantined"] == len(found), f"seed {SEED}"
    reasons = [naive.row_reason(fields, contract.columns, EARLIEST, LATEST) for _, _, fields in found]
    refused = [(number, raw, why) for (number, raw, _), why in zip(found, reasons, strict=True) if why]
    return [fields for (_, _, fields), why in zip(found, reasons, strict=True) if not why], refused


def quarantine(lake: str, name: str) -> list[tuple]:
    rows = table(lake, f"quarantine/{name}").to_pylist()
    return sorted((row["line_number"], row["raw"], row["reason"]) for row in rows)


def test_an_event_file(spark, lake, tmp_path):
    contract = dataset("fact_listening_events")
    types = st.sampled_from(["complete_listen", "like", "skip", "skip", "Like", " like", "", "\t"])
    lines = make(csv_lines([texts, texts, texts, types, times]), ROWS)
    usual = [f"e{number},u{number % 7},t1,like,2024-03-05T10:00:{number % 60:02d}Z" for number in range(300)]

    good, refused = load(spark, lake, tmp_path, "fact_listening_events_2024.csv", contract, [*lines, *usual])

    assert len(good) >= 300
    assert quarantine(lake, contract.table.name) == refused, f"seed {SEED}"
    bronze = table(lake, "bronze/fact_listening_events").to_pylist()
    since = naive.micros("1970-01-01T00:00:00Z")
    found = [
        (
            row["event_id"],
            row["user_id"],
            row["track_id"],
            row["event_type"],
            int(row["timestamp"].timestamp() * 1e6 + 0.5),
        )
        for row in bronze
    ]
    expected = [(*fields[:4], naive.micros(fields[4]) - since) for fields in good]
    assert sorted(found) == sorted(expected), f"seed {SEED}"
    assert all(row["event_date"] == row["timestamp"].date() for row in bronze)


def test_a_file_of_songs(spark, lake, tmp_path):
    contract = dataset("dim_songs")
    others = [st.sampled_from(OTHERS[name]) for name in ("duration_ms", "release_date", "base_popularity")]
    lines = make(csv_lines([texts, texts, texts, texts, texts, *others]), ROWS)
    usual = [f"t{number},Song {number},a1,Nova,,181000,2019-03-01,0.5" for number in range(300)]

    good, refused = load(spark, lake, tmp_path, "dim_songs.csv", contract, [*lines, *usual])

    assert quarantine(lake, contract.table.name) == refused, f"seed {SEED}"
    found = [(row["track_id"], row["title"], row["genre"]) for row in table(lake, "bronze/dim_songs").to_pylist()]
    expected = [(fields[0], fields[1], None if naive.is_blank(fields[4]) else fields[4]) for fields in good]
    assert sorted(found, key=repr) == sorted(expected, key=repr), f"seed {SEED}"
    assert {row["release_date"] for row in table(lake, "bronze/dim_songs").to_pylist()} >= {date(2019, 3, 1)}


def test_a_file_of_playlist_tracks(spark, lake, tmp_path):
    contract = dataset("bridge_playlist_tracks")
    good, refused = load(
        spark, lake, tmp_path, "bridge_playlist_tracks.csv", contract, make(csv_lines([texts, texts]), ROWS)
    )
    assert quarantine(lake, contract.table.name) == refused, f"seed {SEED}"
    found = [(row["playlist_id"], row["track_id"]) for row in table(lake, "bronze/bridge_playlist_tracks").to_pylist()]
    assert sorted(found) == sorted(tuple(fields) for fields in good), f"seed {SEED}"


# What a record of another producer may hold where a text belongs; json.dumps writes an unpaired surrogate as \\udXXX.
_surrogates = st.sampled_from(["a\ud800b", "\udc00", "\udfb5\ud83c", "\\ud800", "\ud800\ud83c\udfb5"])
json_texts = st.one_of(texts, texts, texts, _surrogates, st.none(), st.just("?"))
json_times = st.one_of(times, times, st.none(), _surrogates)
_broken = st.sampled_from(
    [b"", b"[1]", b"{", b"\xff\xfe", b"null", b"17", b'[{"schema_version":1}]', b'{"a":1} x', b'{"a":"\xff"}']
)


def events(topic, usual: dict, more: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    """Values of a topic's records: an event with some of its fields changed or left out, or no event."""
    fields = {column.name: _values(column) for column in topic.fields} | more
    changed = st.dictionaries(st.sampled_from(list(fields)), st.just(None), max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )
    dropped = st.sampled_from([None] * 12 + list(fields))
    whole = st.builds(
        lambda change, drop: {k: v for k, v in {**usual, **change}.items() if k != drop}, changed, dropped
    )
    return st.one_of(*[whole.map(lambda event: json.dumps(event).encode())] * 12, _broken)


def _values(column) -> st.SearchStrategy:
    if column.allowed:
        return st.sampled_from([*column.allowed, "Like", "", None, "\t"])
    if column.type == "timestamp":
        return json_times
    return st.one_of(st.none(), st.lists(json_texts, max_size=3)) if column.type == "array<string>" else json_texts


def expected_reason(value: bytes, topic) -> str | None:
    try:
        event = json.loads(value.decode())
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return "unreadable"
    if event.get("schema_version") != topic.schema_version:
        return "schema_version"
    values = {column.name: event.get(column.name) for column in topic.fields}
    for column in topic.fields:
        value = values[column.name]
        if column.required and (value is None if column.type == "array<string>" else naive.is_blank(value)):
            return f"missing_{column.name}"
    for column in topic.fields:
        problem = _field_problem(column, values[column.name], LAST if column.name in topic.ends else LATEST)
        if problem:
            return f"{problem}_{column.name}"
    return None


def _field_problem(column, value, latest: str) -> str | None:
    if value is None:
        return None
    if column.type == "array<string>":
        problems = ["missing" if item is None else naive.text_problem(item, column.text) for item in value]
        return next((problem for problem in problems if problem), None)
    return naive.value_problem(column, value, EARLIEST, latest)


def check_topic(spark, topic, usual: dict, more: dict | None = None) -> None:
    values = make(events(topic, usual, more or {"schema_version": st.sampled_from([1, 2, None])}), ROWS)
    batch = records(spark, topic, values)
    parsed = parse_records(batch, topic, ListenTimes.until(INGESTED_AT)).orderBy("offset")
    found = parsed.select(F.regexp_replace("refusal", ":.*", "").alias("reason"), "event_id", "user_id").collect()
    expected = [expected_reason(value, topic) for value in values]
    wrong = [(v, r["reason"], e) for v, r, e in zip(values, found, expected, strict=True) if r["reason"] != e]
    assert wrong == [], f"seed {SEED}"
    for value, row, reason in zip(values, found, expected, strict=True):
        if reason is None:
            event = json.loads(value)
            assert [row["event_id"], row["user_id"]] == [event["event_id"], event["user_id"]], f"seed {SEED}"
    assert 100 < expected.count(None) < len(values) - 100


def test_listens_on_the_stream(spark):
    check_topic(spark, LISTENS, {**LISTEN, "title": "Jóga", "artist_name": "Björk"})


def test_answers_on_the_stream(spark):
    check_topic(spark, ANSWERS, ANSWER)


def test_feedback_on_the_stream(spark):
    given = {"schema_version": 1, "event_id": "f", "user_id": "u", "track_id": "t", "feedback": "hide"}
    check_topic(spark, FEEDBACK, {**given, "until": "2031-01-01T00:00:00Z", "at": "2025-01-07T01:00:00Z"})
