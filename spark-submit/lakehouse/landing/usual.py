"""Lines as nearly all are, told by one look: it spares them the rules that they cannot break."""

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from lakehouse.acceptance.rules import rules
from lakehouse.contracts import Column, Dataset

# ASCII from the minus on: letters, digits and most signs, but no blank, comma, quote or control character. A range of its own is
# what Java's regular expressions look through fastest.
_PLAIN = r"[\x2D-\x7E]"
# What Spark's cast reads as the grammar means it, or not at all.
_TIME = r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z?"


def is_usual(line: SparkColumn, dataset: Dataset) -> SparkColumn:
    """Whether a line has as many fields as the header, none of them quoted, none required and missing, no id or name of an odd
    character or too long, no value unknown, and times by the grammar: only the calendar, the range of times, and the values of
    other types are left to look at.
    """
    pattern = ",".join(_usual_field(column) for column in dataset.columns)
    return (F.octet_length(line) <= min(rules().longest.values())) & line.rlike(rf"\A{pattern}\z")


def _usual_field(column: Column) -> str:
    if column.allowed:
        return f"(?:{'|'.join(column.allowed)})"
    if column.type == "timestamp":
        return _TIME
    return f"{_PLAIN}+" if column.required else f"{_PLAIN}*"
