"""Events put into bronze as another writer might have left them there: past every door."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from worlds import INGESTED_AT

from lakehouse.delta_rs import Commit
from lakehouse.listening_events import FILES, STREAM
from lakehouse.tables import append_rows, create_table, replace_by_spark

OTHER_FILE = "fact_listening_events_other.csv"
_EVENT = "event_id string, user_id string, track_id string, event_type string, at string, _offset long"


def put_in_files(
    spark: SparkSession, lake: str, events: list[tuple], file: str = OTHER_FILE, ingested_at: str = INGESTED_AT
) -> None:
    """Makes events (event_id, user, track, type, timestamp) the rows of a file in bronze fact_listening_events."""
    rows = _typed(spark, events, ingested_at).withColumns(
        {"_source_file": F.lit(file), "year": F.year("event_date"), "month": F.month("event_date")}
    )
    create_table(spark, FILES, lake)
    commit = Commit(f"{file}/{events}/{ingested_at}", condition=f"_source_file = '{file}'")
    replace_by_spark(rows, FILES, lake, commit)


def put_in_stream(
    spark: SparkSession, lake: str, events: list[tuple], first: int = 0, ingested_at: str = INGESTED_AT
) -> None:
    """Appends the same to bronze listening_events_stream, as records of partition 0 from the offset `first` on."""
    rows = _typed(spark, events, ingested_at).withColumns(
        {
            "received_at": F.lit(ingested_at).cast("timestamp"),
            "_topic": F.lit("user_listening_history"),
            "_partition": F.lit(0),
            "_offset": F.col("_offset") + first,
        }
    )
    others = [F.lit(None).alias(name) for name in STREAM.column_names if name not in rows.columns]
    create_table(spark, STREAM, lake)
    append_rows(rows.select("*", *others), STREAM, lake, f"stream/{first}/{events}", 1)


def _typed(spark: SparkSession, events: list[tuple], ingested_at: str):
    found = spark.createDataFrame([(*event, offset) for offset, event in enumerate(events)], _EVENT)
    return found.withColumns(
        {
            "timestamp": F.col("at").cast("timestamp"),
            "event_date": F.to_date(F.col("at").cast("timestamp")),
            "_ingested_at": F.lit(ingested_at).cast("timestamp"),
        }
    )
