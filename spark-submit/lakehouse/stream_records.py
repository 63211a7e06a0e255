"""Kafka records → rows of their bronze table, or the reason why a record does not fit. Pure: no session, no clock."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.topics import Field, StreamedTopic

# What an ISO 8601 time with an offset looks like; a cast alone would take "2024" for one.
_ISO_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$"


def parse_records(records: DataFrame, topic: StreamedTopic) -> DataFrame:
    """One row per Kafka record, in: key, value, topic, partition, offset. Out: those, `refusal` and the table's columns.

    `refusal` is null where the record fits its table; else it says what is wrong, and the columns mean nothing.
    `_ingested_at` is not among them: it is the caller's clock.
    """
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt"}
    event = F.from_json(F.col("value").cast("string"), _json_schema(topic), options)
    typed = {field.name: _typed(field) for field in topic.fields}
    return records.withColumn("_event", event).select(
        "key",
        "value",
        "topic",
        "partition",
        "offset",
        _refusal(topic).alias("refusal"),
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


def _json_schema(topic: StreamedTopic) -> str:
    """Everything as text: what cannot be typed is named by its field, instead of losing the whole record."""
    types = {field.name: "ARRAY<STRING>" if field.type == "array<string>" else "STRING" for field in topic.fields}
    columns = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    return f"schema_version STRING, {columns}, _corrupt STRING"


def _value(field: Field) -> Column:
    return F.col(f"_event.`{field.name}`")


def _typed(field: Field) -> Column:
    value = _value(field)
    return value if field.type in ("string", "array<string>") else value.try_cast(field.type)


def _refusal(topic: StreamedTopic) -> Column:
    """What is wrong with the record as a whole, else with its first bad field; null where nothing is."""
    version = F.col("_event.schema_version")
    whole = [
        F.when(F.col("value").isNull(), F.lit("empty: the record has no value")),
        F.when(
            F.col("_event").isNull() | F.col("_event._corrupt").isNotNull(), F.lit("unreadable: not one JSON object")
        ),
        F.when(
            ~version.eqNullSafe(F.lit(str(topic.schema_version))),
            F.concat(
                F.lit(f"schema_version: expected {topic.schema_version}, found "), F.coalesce(version, F.lit("none"))
            ),
        ),
    ]
    return F.coalesce(*whole, *(check for field in topic.fields for check in _field_checks(field)))


def _field_checks(field: Field) -> list[Column]:
    value = _value(field)
    checks = []
    if field.is_required:
        is_missing = value.isNull() if field.type == "array<string>" else F.trim(F.coalesce(value, F.lit(""))) == ""
        checks.append(F.when(is_missing, F.lit(f"{field.name}: missing or empty")))
    if field.allowed:
        wrong = value.isNotNull() & ~value.isin(*field.allowed)
        checks.append(F.when(wrong, F.lit(f"{field.name}: not one of {', '.join(field.allowed)}")))
    if field.max_length:
        wrong = F.length(value) > field.max_length
        checks.append(F.when(wrong, F.lit(f"{field.name}: longer than {field.max_length} characters")))
    if field.type == "timestamp":
        wrong = value.isNotNull() & (~value.rlike(_ISO_TIME) | _typed(field).isNull())
        checks.append(F.when(wrong, F.lit(f"{field.name}: not an ISO 8601 time with its offset")))
    return checks
