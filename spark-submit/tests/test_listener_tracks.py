"""What each listener did with each track: its own values, and that the past and the events since are all events."""

from datetime import date, datetime, timedelta

import pytest
from pyspark.sql import functions as F
from worlds import met_at

from lakehouse.blocks import last_whole_block
from lakehouse.features import pairs_of
from lakehouse.files import read_parquet
from lakehouse.listener_tracks import Past, listener_tracks
from lakehouse.listeners import View, day_number
from lakehouse.rated_pairs import PastParts
from lakehouse.shards import SHARDS, by_shard, parts_in, shard_of

THROUGH = date(2024, 12, 3)
# As silver has them.
REQUIRED = "user_id string not null, track_id string not null, event_type string not null, event_date date not null"
EVENT = f"{REQUIRED}, `timestamp` timestamp not null, week_end date not null"


def event(user: str, track: str, kind: str, day: date, hour: int = 10) -> tuple:
    """Weeks end on Tuesdays, as `day` of the tests' last week does."""
    return (
        user,
        track,
        kind,
        day,
        datetime(day.year, day.month, day.day, hour),
        day + timedelta((1 - day.weekday()) % 7),
    )


EVENTS = [
    event("u", "t1", "skip", date(2024, 6, 6), 9),
    # 180 days before the end of the past: half a listen.
    event("u", "t1", "complete_listen", date(2024, 6, 7), 8),
    event("u", "t1", "like", THROUGH, 7),
    event("u", "t2", "skip", THROUGH),
    event("v", "t2", "complete_listen", date(2024, 11, 27)),
    event("u", "t1", "complete_listen", date(2024, 12, 4)),
    event("u", "t2", "like", date(2024, 12, 31)),
    event("v", "t3", "complete_listen", date(2024, 12, 25)),
    event("w", "t3", "skip", date(2024, 12, 31)),
]


@pytest.fixture(scope="module")
def events(spark):
    return spark.createDataFrame(EVENTS, EVENT)


@pytest.fixture(scope="module")
def past(events):
    return Past(listener_tracks(events.where(F.col("week_end") <= F.lit(THROUGH)), THROUGH), THROUGH)


def test_a_row_counts_what_happened_up_to_the_day_and_its_affinity_is_of_that_days_end(past):
    found = {(r.user_id, r.track_id): r for r in past.rows.collect()}
    assert set(found) == {("u", "t1"), ("u", "t2"), ("v", "t2")}
    t1 = found["u", "t1"]
    assert (t1.listens, t1.likes, t1.skips, t1.through) == (1, 1, 1, THROUGH)
    assert (t1.first_met_on, t1.first_heard_on) == (date(2024, 6, 6), date(2024, 6, 7))
    assert (t1.first_event_at, t1.last_event_at) == (datetime(2024, 6, 6, 9), datetime(2024, 12, 3, 7))
    # A skip 181 days before December 4, a listen 180 and a like one day before.
    assert t1.affinity == pytest.approx(-0.5 * 0.5 ** (181 / 180) + 0.5 + 3 * 0.5 ** (1 / 180), abs=1e-8)
    assert found["u", "t2"].first_heard_on is None


def test_the_past_and_the_events_since_are_met_and_rated_as_all_events_are(events, past, tmp_path):
    days = [date(2024, 12, 4), date(2024, 12, 18), date(2025, 1, 1)]
    past.rows.write.parquet(f"{tmp_path}/past")
    parts = PastParts(parts_in(f"{tmp_path}/past"), day_number(past.until))
    at_once, ids = met_at(events, days, tmp_path / "at-once")
    in_two, same_ids = met_at(past.since(events), days, tmp_path / "in-two", parts)
    assert ids == same_ids == ["t1", "t2", "t3"]
    order = ("user_id", "track")
    for one, other in zip(at_once.orderBy(*order).collect(), in_two.orderBy(*order).collect(), strict=True):
        assert one.asDict() == {name: pytest.approx(value) for name, value in other.asDict().items()}
    found = {(row.user_id, ids[row.track]): row for row in at_once.collect()}
    assert set(found) == {("u", "t1"), ("u", "t2"), ("v", "t2"), ("v", "t3"), ("w", "t3")}
    first, later, last = (View.at(day) for day in days)
    # Before December 25 v had not met t3.
    assert [found["v", "t3"][view.affinity] for view in (first, later)] == [None, None]
    assert found["v", "t3"][last.affinity] == pytest.approx(0.5 ** (7 / 180), abs=1e-6)
    # A skip says nothing of liking, and is no hearing.
    assert (found["u", "t2"][first.rating], found["w", "t3"].first_heard) == (None, None)
    # The only track v likes by then is the median itself.
    assert found["v", "t2"][later.rating] == pytest.approx(1)


def test_a_file_is_of_one_shard_and_the_shard_is_the_part_it_is_in(spark, tmp_path):
    users = spark.createDataFrame([(f"u{number}",) for number in range(200)], "user_id string")
    by_shard(users.withColumn("shard", shard_of())).write.parquet(f"{tmp_path}/users")
    parts = parts_in(f"{tmp_path}/users")
    assert set(parts) == set(range(SHARDS))
    for shard, uris in parts.items():
        assert set(read_parquet(uris, ["shard"]).column(0).to_pylist()) == {shard}


def test_the_past_and_the_events_since_have_the_features_of_all_events(events, past):
    order = ("user_id", "track_id")
    last = date(2024, 12, 31)
    at_once = pairs_of(events, last).orderBy(*order).collect()
    assert pairs_of(past.since(events), last, past).orderBy(*order).collect() == at_once
    # December 4 lies in the first of the last four weeks, December 3 does not.
    assert [(r.user_id, r.track_id, r.recent_listens) for r in at_once if r.recent_listens] == [
        ("u", "t1", 1),
        ("v", "t3", 1),
    ]


def test_a_block_of_four_weeks_ends_where_it_ends_whenever_it_is_looked_at():
    weeks = {date(2024, 1, 2) + timedelta(weeks=week) for week in range(9)}
    ends = [last_whole_block({week for week in weeks if week <= last}) for last in sorted(weeks)]
    # Blocks end on January 23 and February 20; before the first one, all there is counts.
    assert ends[:3] == sorted(weeks)[:3]
    assert ends[3:] == [date(2024, 1, 23)] * 4 + [date(2024, 2, 20)] * 2
