"""Silver refused_events: deliveries of events in bronze that break contracts/acceptance. They are in no other table of silver.

The doors refuse such rows; bronze may hold them all the same, from before a rule or by another writer. The verdict on a row
depends on the row and on the rules alone: a time is too late by the moment the row itself was taken (`_ingested_at`), never by
the clock of a refresh. So a retry, a refresh by weeks and one at once come to the same.

The columns are typed here: times are Spark's, which may lie outside the years that Python knows. Such a row must be set aside
before a date of it reaches Python.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.acceptance import texts
from lakehouse.acceptance.reasons import named
from lakehouse.acceptance.rules import rules
from lakehouse.contracts import table

REFUSED = table("silver", "refused_events")

_EVENT_TYPES = next(c for c in table("bronze", "fact_listening_events").columns if c.name == "event_type").allowed
_IDS = ("event_id", "user_id", "track_id")


def refusal(earliest: str) -> Column:
    """The first rule that a row of bronze's listening events breaks; null for an acceptable one. `earliest` is an ISO time."""
    ids = [named(texts.problem(F.col(name), "id", is_required=True), name) for name in _IDS]
    others = [
        ("missing_event_type", F.col("event_type").isNull()),
        ("unknown_event_type", ~F.col("event_type").isin(*_EVENT_TYPES)),
        ("missing_timestamp", F.col("timestamp").isNull()),
        ("too_early_timestamp", F.col("timestamp") < F.lit(earliest).cast("timestamp")),
        ("too_late_timestamp", F.col("timestamp") > F.col("_ingested_at") + _ahead()),
    ]
    return F.coalesce(*ids, *(F.when(breaks, F.lit(reason)) for reason, breaks in others))


def refused_deliveries(file_events: DataFrame, stream_events: DataFrame | None, earliest: str) -> DataFrame:
    """One row per delivery with a reason to refuse it, in the columns of silver/refused_events and beside them any others that
    start with `_sign`; `file_events` and `stream_events` as `deliveries` has them."""
    nowhere = {"_source_file": "string", "_partition": "int", "_offset": "long"}
    parts = [
        events.withColumn("reason", refusal(earliest))
        .where(F.col("reason").isNotNull())
        .withColumn("source", F.lit(source))
        .withColumns(
            {name: F.lit(None).cast(of) for name, of in nowhere.items() if name not in events.columns},
        )
        for events, source in ((file_events, "file"), (stream_events, "stream"))
        if events is not None
    ]
    columns = [*REFUSED.column_names, *(name for name in parts[0].columns if name == "_sign")]
    return reduce(DataFrame.unionByName, (part.select(*columns) for part in parts))


def accepted(rows: DataFrame, earliest: str) -> DataFrame:
    """Rows of bronze's listening events without a reason to refuse them."""
    return rows.where(refusal(earliest).isNull())


def _ahead() -> Column:
    return F.make_interval(mins=F.lit(rules().ahead_minutes))
