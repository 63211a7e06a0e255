"""Why a row is refused: `<problem>_<column>`, by the order of contracts/acceptance/README.md."""

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from lakehouse.acceptance import texts
from lakehouse.acceptance.times import ListenTimes
from lakehouse.contracts import Column


def missing_reason(column: Column, value: SparkColumn, is_text: bool) -> SparkColumn:
    """`missing_<column>` where a required value is not there, or is a text (of whatever type is meant) of blanks alone."""
    is_missing = texts.is_missing(value) if is_text else value.isNull()
    return F.when(is_missing, f"missing_{column.name}")


def value_reasons(column: Column, value: SparkColumn, times: ListenTimes) -> list[SparkColumn]:
    """The other reasons to refuse a typed value, in their order."""
    if column.text and column.type == "string":
        return [named(texts.problem(value, column.text, is_required=False), column.name)]
    if column.text:
        return [named(texts.problem_of_items(value, column.text), column.name)]
    if column.allowed:
        return [F.when(~value.isin(*column.allowed), f"unknown_{column.name}")]
    return [named(times.problem(value), column.name)] if column.type == "timestamp" else []


def named(problem: SparkColumn, column: str) -> SparkColumn:
    """`<problem>_<column>`; null where there is no problem."""
    return F.concat(problem, F.lit(f"_{column}"))
