"""Why a row is refused: `<problem>_<column>`, by the order of contracts/acceptance/README.md."""

from collections.abc import Iterable

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from lakehouse.acceptance import texts
from lakehouse.acceptance.times import ListenTimes
from lakehouse.contracts import Column


def row_reason(columns: Iterable[Column], times: ListenTimes) -> SparkColumn:
    """Why a row with typed columns would be refused at a door today; null for a good one.

    `columns` are those of the contract that came from outside, each found in the row by its name.
    """
    columns = list(columns)
    missing = [
        missing_reason(column, F.col(column.name), is_text=column.type == "string")
        for column in columns
        if column.required
    ]
    others = [reason for column in columns for reason in value_reasons(column, F.col(column.name), times)]
    return F.coalesce(*missing, *others)


def missing_reason(column: Column, value: SparkColumn, is_text: bool) -> SparkColumn:
    """`missing_<column>` where a required value is not there, or is a text (of whatever type is meant) of blanks alone."""
    is_missing = texts.is_missing(value) if is_text else value.isNull()
    return F.when(is_missing, f"missing_{column.name}")


def value_reasons(column: Column, value: SparkColumn, times: ListenTimes) -> list[SparkColumn]:
    """The other reasons to refuse a typed value, in their order."""
    if column.text and column.type == "string":
        return [_named(texts.problem(value, column.text, is_required=False), column)]
    if column.text:
        return [_named(texts.problem_of_items(value, column.text), column)]
    if column.allowed:
        return [F.when(~value.isin(*column.allowed), f"unknown_{column.name}")]
    return [_named(times.problem(value), column)] if column.type == "timestamp" else []


def _named(problem: SparkColumn, column: Column) -> SparkColumn:
    return F.concat(problem, F.lit(f"_{column.name}"))
