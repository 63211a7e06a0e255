"""Gold recommendation_outcomes: what became of every track that was shown."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

# Listens and feedback by what they say of the track that was shown.
_TOUCHES = {
    "complete_listen": "listens",
    "like": "likes",
    "skip": "skips",
    "love": "loves",
    "hate": "hates",
    "hide": "hides",
}


def impressions(answers: DataFrame) -> DataFrame:
    """One row per (recommendation_id, track_id) shown, of bronze recommendation_events; rank is the place in the answer."""
    once = answers.dropDuplicates(["event_id"])
    shown = once.select(
        F.col("event_id").alias("recommendation_id"),
        "user_id",
        "tier",
        "model_version",
        "reason_types",
        "served_at",
        "event_date",
        F.posexplode("track_ids").alias("_position", "track_id"),
    )
    # A list shows a track once; a producer that repeats one is taken at its first place.
    first = Window.partitionBy("recommendation_id", "track_id").orderBy("_position")
    return (
        shown.withColumn("_first", F.row_number().over(first))
        .where(F.col("_first") == 1)
        .select(
            "recommendation_id",
            "track_id",
            "user_id",
            (F.col("_position") + 1).alias("rank"),
            "tier",
            "model_version",
            F.get(F.col("reason_types"), F.col("_position")).alias("reason_type"),
            "served_at",
            "event_date",
        )
    )


def touches(listens: DataFrame, feedback: DataFrame) -> DataFrame:
    """One row per event of a user on a track: event_id, user_id, track_id, kind, at."""
    both = listens.select(
        "event_id", "user_id", "track_id", F.col("event_type").alias("kind"), F.col("timestamp").alias("at")
    )
    said = feedback.select("event_id", "user_id", "track_id", F.col("feedback").alias("kind"), "at")
    return both.unionByName(said).dropDuplicates(["event_id"])


def outcomes(shown: DataFrame, touched: DataFrame, window_hours: int) -> DataFrame:
    """One row per impression, with the events that are attributed to it.

    Last touch: an event counts for the newest impression of its track to its user, if that was at most `window_hours`
    before. `outcome` is `clicked` where the track was heard to its end, liked or loved, else `skipped` where it was skipped,
    hated or hidden, else `none`.
    """
    newest = Window.partitionBy("event_id").orderBy(F.desc("served_at"), "recommendation_id")
    is_in_time = (F.col("at") >= F.col("served_at")) & (
        F.col("at") < F.col("served_at") + F.make_interval(hours=F.lit(window_hours))
    )
    attributed = (
        touched.join(shown.select("recommendation_id", "track_id", "user_id", "served_at"), on=["user_id", "track_id"])
        .where(is_in_time)
        .withColumn("_newest", F.row_number().over(newest))
        .where(F.col("_newest") == 1)
        .groupBy("recommendation_id", "track_id")
        .agg(
            *(F.count_if(F.col("kind") == kind).alias(column) for kind, column in _TOUCHES.items()),
            F.min("at").alias("first_outcome_at"),
        )
    )
    counted = shown.join(attributed, on=["recommendation_id", "track_id"], how="left")
    counts = {column: F.coalesce(column, F.lit(0)) for column in _TOUCHES.values()}
    is_clicked = counts["listens"] + counts["likes"] + counts["loves"] > 0
    is_skipped = counts["skips"] + counts["hates"] + counts["hides"] > 0
    return counted.withColumns(
        {**counts, "outcome": F.when(is_clicked, "clicked").when(is_skipped, "skipped").otherwise("none")}
    )


def rates(rows: DataFrame) -> DataFrame:
    """One row per (tier, reason_type, model_version): impressions, answers, clicked and skipped impressions."""
    return (
        rows.groupBy("tier", "reason_type", "model_version")
        .agg(
            F.count("*").alias("impressions"),
            F.count_distinct("recommendation_id").alias("answers"),
            F.count_if(F.col("outcome") == "clicked").alias("clicked"),
            F.count_if(F.col("outcome") == "skipped").alias("skipped"),
            F.max("served_at").alias("last_served_at"),
        )
        .orderBy(F.desc("last_served_at"), "tier", "reason_type", "model_version")
    )
