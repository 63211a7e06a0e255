"""Silver weekly_trending_tracks: what was heard most in each week of the data."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

CHART_SIZE = 200
# A listen on the week's last day counts twice one of this many days before.
HALF_LIFE_DAYS = 3.5
# A like says more than a listen, a skip says nothing good.
_WEIGHTS = {"complete_listen": 1.0, "like": 2.0}


CHART_COLUMNS = ("week_end", "rank", "track_id", "listen_count", "unique_listeners", "trend_score")


def weekly_trending_tracks(events: DataFrame, songs: DataFrame) -> DataFrame:
    """One row per (week_end, rank), rank 1 to 200, of silver listening_events and the catalogue."""
    return described(charts(events), songs)


def charts(events: DataFrame) -> DataFrame:
    """One row per (week_end, rank): what was heard most. A week's chart depends on that week's events alone.

    trend_score is the sum over listeners of ln(1 + their decayed listens and likes): many listeners outweigh one who
    repeats a track all week.
    """
    return _ranked(_scored(_by_listener(events))).select(*CHART_COLUMNS)


def described(chart: DataFrame, songs: DataFrame) -> DataFrame:
    """Adds title and artist_name as the catalogue has them now, and previous_rank: the rank in the chart seven days before."""
    before = chart.select(F.date_add("week_end", 7).alias("week_end"), "track_id", F.col("rank").alias("previous_rank"))
    return (
        chart.join(before, on=["week_end", "track_id"], how="left")
        .join(songs.select("track_id", "title", "artist_name"), on="track_id", how="left")
        .select(
            "week_end",
            "rank",
            "track_id",
            "title",
            "artist_name",
            "listen_count",
            "unique_listeners",
            "trend_score",
            "previous_rank",
        )
    )


def _by_listener(events: DataFrame) -> DataFrame:
    """One row per (week_end, track_id, user_id) with listens or likes."""
    age_days = F.datediff("week_end", "event_date")
    weight = F.lit(0.0)
    for event_type, value in _WEIGHTS.items():
        weight = F.when(F.col("event_type") == event_type, value).otherwise(weight)
    return (
        events.where(F.col("event_type").isin(*_WEIGHTS))
        .groupBy("week_end", "track_id", "user_id")
        .agg(
            F.count_if(F.col("event_type") == "complete_listen").alias("listens"),
            F.sum(weight * F.pow(F.lit(0.5), age_days / HALF_LIFE_DAYS)).alias("warmth"),
        )
    )


def _scored(by_listener: DataFrame) -> DataFrame:
    """One row per (week_end, track_id); the score is rounded, so that the order of summing cannot change a rank."""
    return by_listener.groupBy("week_end", "track_id").agg(
        F.sum("listens").alias("listen_count"),
        F.count("*").alias("unique_listeners"),
        F.round(F.sum(F.log1p("warmth")), 6).alias("trend_score"),
    )


def _ranked(scored: DataFrame) -> DataFrame:
    best_first = Window.partitionBy("week_end").orderBy(F.desc("trend_score"), F.desc("listen_count"), "track_id")
    return scored.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= CHART_SIZE)
