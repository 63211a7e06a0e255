"""Which rows of a landing file are refused and why, and the typed values of the others: contracts/acceptance/README.md."""

from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.acceptance import texts
from lakehouse.acceptance.reasons import missing_reason, value_reasons
from lakehouse.acceptance.times import ListenTimes, instant
from lakehouse.contracts import Column, Dataset
from lakehouse.forgetting import FORGOTTEN, USER_COLUMNS, is_forgotten
from lakehouse.landing.lines import unquoted

_DATE = r"\A(?!0000)[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?\z"
_DAY = len("2025-01-07")


def judged(records: DataFrame, dataset: Dataset, times: ListenTimes, forgotten: list[str]) -> DataFrame:
    """The records (raw, is_usual, fields, …) with the dataset's columns, typed, in place of `is_usual` and `fields`, and with
    `reason`: the first one to refuse the row, null for a good one.

    `forgotten` are the hashes of users who do not come back.
    """
    kept = [name for name in records.columns if name not in ("fields", "is_usual")]
    broken = F.when(F.col("fields").isNull(), "unclosed_quote").when(
        F.size("fields") != len(dataset.columns), "wrong_column_count"
    )
    split = records.select(
        *kept,
        "is_usual",
        broken.alias("_broken"),
        *(unquoted(F.get("fields", F.lit(place))).alias(_text(column)) for place, column in enumerate(dataset.columns)),
    )
    typed = split.select("*", *(_typed(column).alias(column.name) for column in dataset.columns))
    return typed.select(*kept, *dataset.column_names, _reason(dataset, times, forgotten).alias("reason"))


def _reason(dataset: Dataset, times: ListenTimes, forgotten: list[str]) -> SparkColumn:
    by_type = [reason for column in dataset.columns for reason in _type_reasons(column, times)]
    missing = [
        missing_reason(column, F.col(_text(column)), is_text=True) for column in dataset.columns if column.required
    ]
    others = [reason for column in dataset.columns for reason in _text_reasons(column, times)]
    is_gone = _is_of_forgotten(dataset, forgotten)
    return F.when(is_gone, FORGOTTEN).otherwise(
        F.when(F.col("is_usual"), F.coalesce(*by_type, F.lit(None))).otherwise(
            F.coalesce(F.col("_broken"), *missing, *others)
        )
    )


def _is_of_forgotten(dataset: Dataset, forgotten: list[str]) -> SparkColumn:
    """Whether a row is of a user who was forgotten; of one that was not split, any piece may be the user's id."""
    users = [F.col(name) for name in USER_COLUMNS if name in dataset.column_names]
    if not users or not forgotten:
        return F.lit(False)
    pieces = F.transform(F.split("raw", ","), lambda piece: F.btrim(piece, F.lit('" ')))
    is_named = F.exists(pieces, lambda piece: is_forgotten(piece, forgotten))
    return reduce(or_, (F.coalesce(is_forgotten(user, forgotten), F.lit(False)) for user in users)) | (
        F.col("_broken").isNotNull() & is_named
    )


def _text_reasons(column: Column, times: ListenTimes) -> list[SparkColumn]:
    if column.type == "string":
        return value_reasons(column, F.col(_text(column)), times)
    return _type_reasons(column, times)


def _type_reasons(column: Column, times: ListenTimes) -> list[SparkColumn]:
    """The reasons of a column that is not text, once its text was typed."""
    if column.type == "string":
        return []
    is_bad = F.col(column.name).isNull() & ~texts.is_missing(F.col(_text(column)))
    return [F.when(is_bad, f"bad_{column.name}"), *value_reasons(column, F.col(column.name), times)]


def _typed(column: Column) -> SparkColumn:
    """The value of a text in its column's type; null where it cannot be read, or is optional and blank."""
    text = F.col(_text(column))
    if column.type == "string":
        return text if column.required else F.when(~texts.is_missing(text), text)
    if column.type == "timestamp":
        return F.when(F.col("is_usual"), text.try_cast("timestamp")).otherwise(instant(text))
    if column.type == "date":
        return F.when(text.rlike(_DATE), text.try_cast("date")).when(
            instant(text).isNotNull(), F.substring(text, 1, _DAY).try_cast("date")
        )
    value = text.try_cast(column.spark_type)
    return F.when(F.abs(value) < float("inf"), value) if column.type == "double" else value


def _text(column: Column) -> str:
    return f"_text_of_{column.name}"
