"""Kafka records → rows of their bronze table, or the reason why a record does not fit. Pure: no session, no clock."""

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.acceptance.reasons import missing_reason, value_reasons
from lakehouse.acceptance.texts import is_missing
from lakehouse.acceptance.times import ListenTimes, instant
from lakehouse.contracts import Column
from lakehouse.topics import StreamedTopic

_OBJECT = r"(?s)\A[ \t\r\n]*\{.*\}[ \t\r\n]*\z"
_HEX = "[0-9a-fA-F]"
_LOW = rf"\\u[dD][c-fC-F]{_HEX}{{2}}"
_PAIR = rf"\\u[dD][89abAB]{_HEX}{{2}}{_LOW}"
_ANY_SURROGATE = rf"\\u[dD][89a-fA-F]{_HEX}{{2}}"
_UNPAIRED = rf"\G((?:[^\\]|\\[^u]|{_PAIR}|(?!{_ANY_SURROGATE})\\u)*+){_ANY_SURROGATE}"


def parse_records(records: DataFrame, topic: StreamedTopic, times: ListenTimes) -> DataFrame:
    """One row per Kafka record, in: key, value, topic, partition, offset. Out: those, `refusal` and the table's columns.

    `refusal` is null where the record fits its table; else it is the reason (contracts/acceptance/README.md), and the columns
    mean nothing. `times` bound every time of a record, for one far away stops the jobs that read it; an end may lie ahead up
    to the year 9999. `_ingested_at` is not among the columns: it is the caller's clock.
    """
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt"}
    text = F.col("value").cast("string")
    event = F.from_json(_with_marked_surrogates(text), _json_schema(topic), options)
    typed = {column.name: _typed(column) for column in topic.fields}
    return records.withColumn("_event", event).select(
        "key",
        "value",
        "topic",
        "partition",
        "offset",
        _refusal(topic, text, times).alias("refusal"),
        *(column.alias(name) for name, column in typed.items()),
        F.to_date(typed[topic.event_time]).alias("event_date"),
        F.col("topic").alias("_topic"),
        F.col("partition").alias("_partition"),
        F.col("offset").alias("_offset"),
    )


def dead_letters(refused: DataFrame, topic: StreamedTopic, detected_at: str) -> DataFrame:
    """Refused records for the Kafka sink: key and value as they came; where they lay and why they were refused as headers.

    A batch that is done again sends them again: topic, partition and offset in the headers tell that it is the same record.
    """
    headers = {
        "segue-reason": F.col("refusal"),
        "segue-topic": F.col("topic"),
        "segue-partition": F.col("partition").cast("string"),
        "segue-offset": F.col("offset").cast("string"),
        "segue-detected-at": F.lit(detected_at),
    }
    entries = [
        F.struct(F.lit(name).alias("key"), value.cast("binary").alias("value")) for name, value in headers.items()
    ]
    return refused.select(F.lit(topic.dead_letters).alias("topic"), "key", "value", F.array(*entries).alias("headers"))


def _with_marked_surrogates(json: SparkColumn) -> SparkColumn:
    """The same JSON with a control character for every unpaired surrogate: Java would write a question mark for it, and
    nobody could tell it from one."""
    marked = F.regexp_replace(json, _UNPAIRED, r"$1\\u0001")
    return F.when(json.rlike(_ANY_SURROGATE), marked).otherwise(json)


def _json_schema(topic: StreamedTopic) -> str:
    """Everything as text: what cannot be typed is named by its field, instead of losing the whole record."""
    types = {column.name: "ARRAY<STRING>" if column.type == "array<string>" else "STRING" for column in topic.fields}
    columns = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    return f"schema_version STRING, {columns}, _corrupt STRING"


def _value(column: Column) -> SparkColumn:
    return F.col(f"_event.`{column.name}`")


def _typed(column: Column) -> SparkColumn:
    """The value in its column's type; an optional text of blanks alone is as good as absent."""
    value = _value(column)
    if column.type == "timestamp":
        return instant(value)
    return value if column.required or column.type != "string" else F.when(~is_missing(value), value)


def _refusal(topic: StreamedTopic, text: SparkColumn, times: ListenTimes) -> SparkColumn:
    """What is wrong with the record as a whole, else with its first bad field; null where nothing is."""
    version = F.col("_event.schema_version")
    is_object = F.is_valid_utf8(text) & text.rlike(_OBJECT) & F.col("_event._corrupt").isNull()
    whole = [
        F.when(F.col("value").isNull(), F.lit("empty: the record has no value")),
        F.when(~F.coalesce(is_object, F.lit(False)), F.lit("unreadable: not one JSON object in UTF-8")),
        F.when(
            ~version.eqNullSafe(F.lit(str(topic.schema_version))),
            F.concat(
                F.lit(f"schema_version: expected {topic.schema_version}, found "), F.coalesce(version, F.lit("none"))
            ),
        ),
    ]
    missing = [
        missing_reason(column, _value(column), is_text=column.type != "array<string>")
        for column in topic.fields
        if column.required
    ]
    others = [reason for column in topic.fields for reason in _field_reasons(column, topic, times)]
    return F.coalesce(*whole, *missing, *others)


def _field_reasons(column: Column, topic: StreamedTopic, times: ListenTimes) -> list[SparkColumn]:
    value, typed = _value(column), _typed(column)
    if column.type != "timestamp":
        return value_reasons(column, value, times)
    bounds = times.with_ends() if column.name in topic.ends else times
    is_bad = value.isNotNull() & typed.isNull()
    return [F.when(is_bad, f"bad_{column.name}"), *value_reasons(column, typed, bounds)]
