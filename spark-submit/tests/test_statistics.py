"""Gold's weekly statistics and features, by figures worked out by hand."""

from datetime import date, datetime

import pytest

from lakehouse.blocks import last_whole_block
from lakehouse.features import pairs_of, track_features, user_features
from lakehouse.weekly_stats import artist_weekly_stats, daily_activity, genre_weekly_stats

LAST = date(2025, 1, 28)
EARLY = date(2024, 12, 31)
# (user, track, type, day, week): u1 and u2 in the last week, u1 four weeks before it, too.
EVENTS = [
    ("u1", "t1", "complete_listen", date(2025, 1, 27), LAST),
    ("u1", "t1", "complete_listen", date(2025, 1, 28), LAST),
    ("u1", "t2", "complete_listen", date(2025, 1, 28), LAST),
    ("u2", "t1", "like", date(2025, 1, 28), LAST),
    ("u2", "t3", "skip", date(2025, 1, 28), LAST),
    ("u2", "unknown", "complete_listen", date(2025, 1, 28), LAST),
    ("u1", "t3", "complete_listen", date(2024, 12, 30), EARLY),
]


@pytest.fixture(scope="module")
def events(spark):
    rows = [(*event, datetime(event[3].year, event[3].month, event[3].day, 10)) for event in EVENTS]
    return spark.createDataFrame(
        rows, "user_id string, track_id string, event_type string, event_date date, week_end date, timestamp timestamp"
    )


@pytest.fixture(scope="module")
def songs(spark):
    values = [
        ("t1", "a1", "Ann", "pop"),
        ("t2", "a1", "Ann", None),
        ("t3", "a2", "Bob", "rock"),
        ("t4", "a2", "Bob", "rock"),
    ]
    return spark.createDataFrame(values, "track_id string, artist_id string, artist_name string, genre string")


def rows_of(frame, *columns):
    return sorted((tuple(row) for row in frame.select(*columns).collect()), key=repr)


def test_an_artists_week_counts_events_listeners_and_tracks_heard(events, songs):
    found = rows_of(
        artist_weekly_stats(events, songs),
        *("week_end", "artist_id", "artist_name", "listens", "likes", "skips", "unique_listeners", "tracks_heard"),
    )
    # Ann: u1 heard t1 twice and t2 once, u2 only liked. Bob: one skip, which is no listener. The unknown track has no artist.
    assert found == [
        (EARLY, "a2", "Bob", 1, 0, 0, 1, 1),
        (LAST, "a1", "Ann", 3, 1, 0, 1, 2),
        (LAST, "a2", "Bob", 0, 0, 1, 0, 0),
    ]


def test_an_artists_name_in_a_week_is_of_the_tracks_heard_in_it(spark, events, songs):
    # Else a song row that changes weeks in which nobody heard it would have to rewrite them.
    unheard = spark.createDataFrame([("t9", "a1", "Zoe", "pop"), ("t8", "a9", "Zed", "pop")], songs.schema)
    found = rows_of(artist_weekly_stats(events, songs.union(unheard)), "week_end", "artist_id", "artist_name")
    assert found == [(EARLY, "a2", "Bob"), (LAST, "a1", "Ann"), (LAST, "a2", "Bob")]


def test_a_genres_share_is_of_the_weeks_listens_and_nothing_is_left_out(events, songs):
    found = rows_of(
        genre_weekly_stats(events, songs),
        *("week_end", "genre", "listens", "likes", "skips", "unique_listeners", "listen_share"),
    )
    # Four listens in the last week: two of pop, two of tracks without a genre or a song row, by u1 and u2.
    assert found == [
        (EARLY, "rock", 1, 0, 0, 1, 1.0),
        (LAST, "pop", 2, 1, 0, 1, 0.5),
        (LAST, "rock", 0, 0, 1, 0, 0.0),
        (LAST, "unknown", 2, 0, 0, 2, 0.5),
    ]


def test_a_day_counts_who_was_active_and_what_was_heard_to_the_end(events):
    found = rows_of(
        daily_activity(events), "event_date", "week_end", "listens", "likes", "skips", "active_users", "tracks_heard"
    )
    assert found == [
        (date(2024, 12, 30), EARLY, 1, 0, 0, 1, 1),
        (date(2025, 1, 27), LAST, 1, 0, 0, 1, 1),
        (date(2025, 1, 28), LAST, 3, 1, 1, 2, 3),
    ]


def test_features_of_users_say_what_they_hear_and_of_the_silent_that_they_do_not(spark, events, songs):
    users = spark.createDataFrame([("u1",), ("quiet",)], "user_id string")
    found = rows_of(
        user_features(pairs_of(events, LAST), users, songs),
        *("user_id", "listens", "likes", "skips", "recent_listens", "tracks_heard", "artists_heard"),
        *("skip_share", "top_genre", "top_genre_share"),
    )
    # u1: t1 twice, t2, and t3 four weeks before, which is no longer recent; of three listens with a genre two are pop.
    # u2 is in no file of users; one listen, of an unknown track, and one skip.
    assert found == [
        ("quiet", 0, 0, 0, 0, 0, 0, None, None, None),
        ("u1", 4, 0, 0, 3, 3, 2, 0.0, "pop", pytest.approx(2 / 3, abs=1e-6)),
        ("u2", 1, 1, 1, 1, 1, 0, 0.5, None, None),
    ]


def test_features_of_tracks_have_those_nobody_heard_and_those_no_file_names(events, songs):
    found = rows_of(
        track_features(pairs_of(events, LAST), songs),
        *("track_id", "listens", "likes", "skips", "recent_listens", "unique_listeners", "skip_share"),
    )
    assert found == [
        ("t1", 2, 1, 0, 2, 1, 0.0),
        ("t2", 1, 0, 0, 1, 1, 0.0),
        ("t3", 1, 0, 1, 0, 1, 0.5),
        ("t4", 0, 0, 0, 0, 0, None),
        ("unknown", 1, 0, 0, 1, 1, 0.0),
    ]


def test_a_block_of_four_weeks_ends_where_it_ends_whenever_one_looks():
    def weeks(last: date, count: int) -> set[date]:
        return {date.fromordinal(last.toordinal() - 7 * back) for back in range(count)}

    assert last_whole_block(set()) is None
    # Weeks are counted from 2024-01-02: 2024-12-24 is the 52nd, 2025-01-21 the 56th.
    assert last_whole_block(weeks(date(2024, 12, 24), 20)) == date(2024, 12, 24)
    assert last_whole_block(weeks(date(2025, 1, 14), 20)) == date(2024, 12, 24)
    assert last_whole_block(weeks(date(2025, 1, 21), 20)) == date(2025, 1, 21)
    # Nothing is whole yet: all there is.
    assert last_whole_block(weeks(date(2025, 1, 14), 2)) == date(2025, 1, 14)
