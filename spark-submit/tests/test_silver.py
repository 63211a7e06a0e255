import math
from datetime import date, timedelta

import pytest
from build_silver import build_silver
from load_bronze import load_bronze
from pyspark.sql import functions as F
from worlds import bronze_params, events_file, rows, run, silver_params, songs_file, table, users_file, version

from lakehouse import similarity
from lakehouse.listening_events import deliveries, kept_and_dropped, reason_dropped, week_end
from lakehouse.similarity import song_similarity
from lakehouse.trending import weekly_trending_tracks

BRONZE_EVENT = (
    "event_id string, user_id string, track_id string, event_type string, timestamp string, _source_file string"
)
STREAM_EVENT = "event_id string, user_id string, track_id string, event_type string, timestamp string"
SILVER_EVENT = "user_id string, track_id string, event_type string, event_date date, week_end date"
SONGS = [("t1", "One", "a1", "Ann", "pop"), ("t2", "Two", "a2", "Bob", "rock")]
TUESDAY = date(2025, 1, 7)


def silver(spark, events):
    """Rows of silver listening_events: (user, track, type, date), all of the week that ends on 2025-01-07."""
    return spark.createDataFrame([(*event, TUESDAY) for event in events], SILVER_EVENT)


def songs(spark):
    return spark.createDataFrame(
        SONGS, "track_id string, title string, artist_id string, artist_name string, genre string"
    )


@pytest.mark.parametrize(
    ("day", "ends_on", "expected"),
    [
        ("2025-01-07", "tuesday", "2025-01-07"),
        ("2025-01-08", "tuesday", "2025-01-14"),
        ("2025-01-01", "tuesday", "2025-01-07"),
        ("2024-12-31", "tuesday", "2024-12-31"),
        ("2025-01-05", "sunday", "2025-01-05"),
        ("2025-01-06", "sunday", "2025-01-12"),
        ("2024-02-29", "thursday", "2024-02-29"),
    ],
)
def test_a_week_is_the_seven_days_up_to_its_last(spark, day, ends_on, expected):
    found = spark.range(1).select(week_end(F.lit(day).cast("date"), ends_on)).collect()[0][0]
    assert found == date.fromisoformat(expected)


def test_of_several_deliveries_a_file_wins_over_the_stream_and_the_first_file_name_over_others(spark):
    files = [
        ("1", "u1", "t1", "like", "2025-01-01", "b.csv"),
        ("1", "u9", "t9", "skip", "2025-01-09", "a.csv"),
        ("2", "u1", "t1", "like", "2025-01-01", "b.csv"),
        ("2", "u1", "t1", "like", "2025-01-01", "b.csv"),
        ("3", "u1", "t1", "like", "2025-01-01", "c.csv"),
    ]
    stream = [
        ("1", "u1", "t1", "like", "2024-01-01"),
        ("4", "u2", "t1", "like", "2025-01-02"),
        ("4", "u1", "t1", "like", "2025-01-01"),
    ]
    from_files = spark.createDataFrame(files, BRONZE_EVENT).withColumn("event_date", F.to_date("timestamp"))
    from_stream = spark.createDataFrame(stream, STREAM_EVENT).withColumn("event_date", F.to_date("timestamp"))
    kept, dropped = kept_and_dropped(deliveries(from_files, from_stream, "tuesday"))
    assert sorted((r.event_id, r.user_id, r.source, r._source_file) for r in kept.collect()) == [
        ("1", "u9", "file", "a.csv"),
        ("2", "u1", "file", "b.csv"),
        ("3", "u1", "file", "c.csv"),
        ("4", "u1", "stream", None),
    ]
    reasons = dropped.withColumn("reason", reason_dropped()).collect()
    assert sorted((r.event_id, r._source_file or "", r.reason, str(r.kept_week_end)) for r in reasons) == [
        ("1", "", "against_stream", "2025-01-14"),
        ("1", "b.csv", "across_files", "2025-01-14"),
        ("2", "b.csv", "within_file", "2025-01-07"),
        ("4", "", "within_stream", "2025-01-07"),
    ]


def test_a_chart_counts_listens_and_listeners_and_fades_with_the_days(spark):
    events = [
        ("u1", "t1", "complete_listen", TUESDAY),
        ("u1", "t1", "complete_listen", TUESDAY),
        ("u2", "t1", "skip", TUESDAY),
        ("u1", "t2", "complete_listen", TUESDAY - timedelta(days=3)),
        ("u2", "t2", "like", TUESDAY),
        ("u3", "t3", "skip", TUESDAY),
    ]
    chart = weekly_trending_tracks(silver(spark, events), songs(spark)).orderBy("rank").collect()
    # t2: u1's listen is 3 days old: 0.5^(3/3.5); u2's like weighs 2. t1: two listens today by one user.
    two = math.log1p(0.5 ** (3 / 3.5)) + math.log1p(2)
    one = math.log1p(2)
    assert [(r.rank, r.track_id, r.title, r.listen_count, r.unique_listeners, r.previous_rank) for r in chart] == [
        (1, "t2", "Two", 1, 2, None),
        (2, "t1", "One", 2, 1, None),
    ]
    assert [r.trend_score for r in chart] == [pytest.approx(two, abs=1e-6), pytest.approx(one, abs=1e-6)]


def test_a_chart_knows_the_rank_of_the_week_before_only(spark):
    weeks = [TUESDAY - timedelta(days=14), TUESDAY - timedelta(days=7), TUESDAY]
    heard = [(weeks[0], "t1", 1), (weeks[1], "t2", 2), (weeks[1], "t3", 1), (weeks[2], "t3", 2), (weeks[2], "t1", 1)]
    events = [
        (f"u{listener}", track, "complete_listen", week, week)
        for week, track, listeners in heard
        for listener in range(listeners)
    ]
    chart = weekly_trending_tracks(spark.createDataFrame(events, SILVER_EVENT), songs(spark))
    found = {(r.week_end, r.track_id): (r.rank, r.previous_rank) for r in chart.collect()}
    assert found == {
        (weeks[0], "t1"): (1, None),
        (weeks[1], "t2"): (1, None),
        (weeks[1], "t3"): (2, None),
        (weeks[2], "t3"): (1, 2),
        (weeks[2], "t1"): (2, None),
    }


def test_similarity_is_the_cosine_of_days_shrunk_by_the_evidence(spark):
    days = [TUESDAY - timedelta(days=age) for age in range(3)]
    events = [("u1", track, "complete_listen", day) for day in days for track in ("t1", "t2")]
    events += [("u2", "t1", "like", days[0]), ("u2", "t3", "complete_listen", days[0]), ("u3", "t1", "skip", days[0])]
    events += [("u3", "t2", "complete_listen", days[0])]
    found = song_similarity(silver(spark, events)).collect()
    # t1 is in 4 baskets, t2 in 4, both in 3; t1 with t3 once, which is chance; the skip makes no basket of t1 with t2.
    score = 3 / math.sqrt(4 * 4) * 3 / (3 + similarity.SHRINKAGE)
    assert sorted((r.track_id, r.similar_track_id, r.rank) for r in found) == [("t1", "t2", 1), ("t2", "t1", 1)]
    assert all(r.score == pytest.approx(score, abs=1e-6) for r in found)


def test_a_day_of_any_length_makes_a_bounded_number_of_pairs(spark):
    events = silver(spark, [("u1", f"t{number:04}", "complete_listen", TUESDAY) for number in range(2000)])
    pairs = similarity._pairs(similarity._baskets(events)).collect()
    size = similarity.BASKET_SIZE
    assert len(pairs) == size * (size - 1) // 2
    assert all(pair.a < pair.b for pair in pairs)


def test_a_track_has_at_most_twenty_similar_ones(spark):
    days = [TUESDAY - timedelta(days=age) for age in range(2)]
    pairs = [("hub", f"t{number:02}") for number in range(30)]
    events = [(f"u-{b}", track, "complete_listen", day) for day in days for a, b in pairs for track in (a, b)]
    found = [row for row in song_similarity(silver(spark, events)).collect() if row.track_id == "hub"]
    assert sorted(row.rank for row in found) == list(range(1, 21))


def test_silver_is_built_of_bronze_and_a_retry_adds_no_version(spark, lake, tmp_path):
    year = events_file(tmp_path, ["1,u1,t1,like,2024-12-31T23:00:00Z", "2,u1,t2,complete_listen,2025-01-01T00:00:00Z"])
    weekly = events_file(tmp_path, ["2,u1,t2,like,2025-01-01T00:00:00Z"], file="trends_2025-01-07.csv")
    songs = songs_file(tmp_path, ["t1,One,a1,Ann,pop,1,,", "t2,Two,a2,Bob,rock,1,,"])
    files = [year, weekly, songs, users_file(tmp_path, ["u1,Una,,"])]
    run(load_bronze, spark, bronze_params(lake, files))
    params = silver_params(lake)

    result = run(build_silver, spark, params)
    again = run(build_silver, spark, params)

    assert rows(lake, "silver/listening_events", "event_id", "event_type", "week_end", "source") == [
        ("1", "like", date(2024, 12, 31), "file"),
        ("2", "complete_listen", date(2025, 1, 7), "file"),
    ]
    assert (result["duplicatesDropped"], result["lastWeekEnd"]) == (1, "2025-01-07")
    assert [(made["table"], made["rows"]) for made in result["tables"]] == [
        ("silver/listening_events", 2),
        ("silver/duplicate_events", 1),
        ("silver/refused_events", 0),
        ("silver/active_users", 2),
        ("silver/weekly_trending_tracks", 2),
        ("silver/song_similarity", 0),
        # Both weeks are of late.
        ("silver/listener_tracks", 0),
    ]
    versions = [[made["version"] for made in each["tables"]] for each in (result, again)]
    assert versions[0] == versions[1]
    assert [made["rowsWritten"] for made in again["tables"]] == [0] * 7
    assert version(lake, "silver/listening_events") == result["tables"][0]["version"]


def test_no_events_make_empty_tables(spark, lake, tmp_path):
    songs = songs_file(tmp_path, ["t1,One,a1,Ann,pop,1,,"])
    files = [events_file(tmp_path, []), songs, users_file(tmp_path, ["u1,Una,,"])]
    run(load_bronze, spark, bronze_params(lake, files))
    result = run(build_silver, spark, silver_params(lake))
    assert [made["rows"] for made in result["tables"]] == [0] * 7
    assert result["lastWeekEnd"] is None
    assert table(lake, "silver/weekly_trending_tracks").num_rows == 0
