"""Gold's feature tables: what is known of each listener and each track, over all of the data and of late.

"Of late" is the last RECENT_WEEKS weeks up to the data's last one (lakehouse/data_weeks.py), never of the clock.
"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.listener_tracks import Past
from lakehouse.listening_events import COUNTED

RECENT_WEEKS = 4


def pairs_of(events: DataFrame, last_week: date | None, past: Past | None = None) -> DataFrame:
    """One row per (user_id, track_id) with an event; both feature tables are made of it, so that events are read once. Each user's
    rows lie together: what is summed up by user is not shuffled again.

    `past` must have nothing of late, and `events` nothing of it.
    """
    weeks_ago = F.datediff(F.lit(last_week).cast("date"), F.col("week_end")) / 7
    is_recent = F.coalesce((weeks_ago >= 0) & (weeks_ago < RECENT_WEEKS), F.lit(False))
    is_of = {name: F.col("event_type") == kind for name, kind in COUNTED.items()}
    pairs = events.select(
        "user_id",
        "track_id",
        *(is_of[name].cast("long").alias(name) for name in COUNTED),
        (is_of["listens"] & is_recent).cast("long").alias("recent_listens"),
        F.col("timestamp").alias("first_event_at"),
        F.col("timestamp").alias("last_event_at"),
    )
    if past is not None:
        pairs = pairs.unionByName(past.rows.withColumn("recent_listens", F.lit(0).cast("long")).select(*pairs.columns))
    return pairs.repartition("user_id").groupBy("user_id", "track_id").agg(*_totals())


def user_features(pairs: DataFrame, users: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per user of dim_users or with an event.

    skip_share is skips over listens and skips; top_genre the one of most listens, with its share of the listens whose genre is
    known. Both null where there is nothing to say.
    """
    described = pairs.join(songs.select("track_id", "artist_id", "genre"), on="track_id", how="left")
    # By artist and genre first: few rows are left of the pairs, and everything else is made of those.
    by_artist = described.groupBy("user_id", "artist_id", "genre").agg(
        *_totals(), F.count_if(F.col("listens") > 0).alias("tracks_heard")
    )
    by_genre = by_artist.groupBy("user_id", "genre").agg(
        *_totals(),
        F.sum("tracks_heard").alias("tracks_heard"),
        F.collect_set(F.when(F.col("tracks_heard") > 0, F.col("artist_id"))).alias("_artists"),
    )
    of_known_genre = F.when(F.col("genre").isNotNull() & (F.col("listens") > 0), F.col("listens"))
    heard = by_genre.groupBy("user_id").agg(
        *_totals(),
        F.sum("tracks_heard").alias("tracks_heard"),
        F.size(F.array_distinct(F.flatten(F.collect_list("_artists")))).alias("artists_heard"),
        # Of those with as many listens, the first by name.
        F.min_by("genre", F.when(of_known_genre.isNotNull(), F.struct(-of_known_genre, "genre"))).alias("top_genre"),
        F.round(F.max(of_known_genre) / F.sum(of_known_genre), 6).alias("top_genre_share"),
    )
    joined = users.select("user_id").distinct().join(heard, on="user_id", how="full_outer")
    # A row a user is few beside the pairs, by whose partitions they lie: not a file of each.
    filled = _filled(joined, "listens", "likes", "skips", "recent_listens", "tracks_heard", "artists_heard")
    return filled.hint("rebalance")


def track_features(pairs: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per track of the catalogue or with an event."""
    heard = pairs.groupBy("track_id").agg(*_totals(), F.count_if(F.col("listens") > 0).alias("unique_listeners"))
    joined = songs.select("track_id").join(heard, on="track_id", how="full_outer")
    return _filled(joined, "listens", "likes", "skips", "recent_listens", "unique_listeners")


def _totals() -> list[Column]:
    summed = [F.sum(name).alias(name) for name in ("listens", "likes", "skips", "recent_listens")]
    return [*summed, F.min("first_event_at").alias("first_event_at"), F.max("last_event_at").alias("last_event_at")]


def _filled(rows: DataFrame, *counts: str) -> DataFrame:
    heard_or_skipped = F.col("listens") + F.col("skips")
    share = F.when(heard_or_skipped > 0, F.round(F.col("skips") / heard_or_skipped, 6))
    return rows.fillna(0, subset=list(counts)).withColumn("skip_share", share)
