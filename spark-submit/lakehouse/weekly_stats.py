"""Gold's weekly tables: what was heard of each artist and genre in each week, and on each day.

Each row depends on its own week's events and on the catalogue. All are transforms of silver listening_events.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.listening_events import counts

UNKNOWN_GENRE = "unknown"


def artist_weekly_stats(events: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per (week_end, artist_id) with an event; events of tracks without a song row have no artist and are left out.

    Cost: two shuffles of the events, added up by week, artist and listener, and by week, artist and track. The name is joined
    to the tracks' sums: a text among those of the events would make Spark sort every one.
    """
    heard = events.join(songs.select("track_id", "artist_id"), on="track_id", how="inner")
    by_user = heard.groupBy("week_end", "artist_id", "user_id").agg(*counts())
    by_track = heard.groupBy("week_end", "artist_id", "track_id").agg(
        F.count_if(_is("complete_listen")).alias("listens")
    )
    of_users = by_user.groupBy("week_end", "artist_id").agg(*_sums(), _listeners())
    of_tracks = (
        by_track.join(songs.select("track_id", "artist_name"), on="track_id", how="inner")
        .groupBy("week_end", "artist_id")
        .agg(F.max("artist_name").alias("artist_name"), F.count_if(F.col("listens") > 0).alias("tracks_heard"))
    )
    return of_users.join(of_tracks, on=["week_end", "artist_id"], how="inner")


def genre_weekly_stats(events: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per (week_end, genre) with an event; tracks without a song row or a genre count as 'unknown'.

    listen_share is the genre's share of the week's listens, 0 in a week without one.
    """
    genre = F.coalesce(F.col("genre"), F.lit(UNKNOWN_GENRE)).alias("genre")
    heard = events.join(songs.select("track_id", "genre"), on="track_id", how="left")
    by_user = heard.groupBy("week_end", genre, "user_id").agg(*counts())
    by_genre = by_user.groupBy("week_end", "genre").agg(*_sums(), _listeners())
    in_all = F.sum("listens").over(Window.partitionBy("week_end"))
    share = F.when(in_all > 0, F.round(F.col("listens") / in_all, 6)).otherwise(F.lit(0.0))
    return by_genre.withColumn("listen_share", share)


def daily_activity(events: DataFrame) -> DataFrame:
    """One row per event_date with an event: events by type, who was active, tracks heard to the end."""
    return events.groupBy("week_end", "event_date").agg(
        *counts(),
        F.count_distinct("user_id").alias("active_users"),
        F.count_distinct(F.when(_is("complete_listen"), F.col("track_id"))).alias("tracks_heard"),
    )


def _is(event_type: str) -> Column:
    return F.col("event_type") == event_type


def _sums() -> list[Column]:
    return [F.sum(name).alias(name) for name in ("listens", "likes", "skips")]


def _listeners() -> Column:
    """Of rows that are one for each user."""
    return F.count_if(F.col("listens") > 0).alias("unique_listeners")
