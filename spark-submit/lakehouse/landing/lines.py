"""The records of a landing file as Spark reads them: one row per record, with its text, its fields and its line.

A record is a line; in files whose quotes may hold line breaks, this process looks for the records of several lines first, and
only where a line leaves a quote open. The same rows serve the pass that keeps the good ones and the one that finds the refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Dataset
from lakehouse.landing.records import SpanningRecord, spanning_records
from lakehouse.landing.usual import is_usual

# monotonically_increasing_id: the partition in the upper bits, the row's place in it in the lower 33.
_PLACE_BITS = 33
_NOT_BLANK = r"[^\x00-\x20]"
_RECORDS_AT_ONCE = 50_000

# No step back into a field that was read: its first character decides how it is read, and long fields need no stack.
_FIELD = '(?:"[^"]*+(?:""[^"]*+)*+"|[^",][^,]*+|(?=,|\\z))'
_WHOLE = rf"\A{_FIELD}(?:,{_FIELD})*+\z"
_OPEN = rf'\A(?:{_FIELD},)*+"[^"]*+(?:""[^"]*+)*+\z'

_SPANNING = pa.schema(
    [
        ("raw", pa.string()),
        ("fields", pa.list_(pa.string())),
        ("first_line", pa.int64()),
        ("last_line", pa.int64()),
    ]
)


@dataclass(frozen=True)
class LandingLines:
    """A landing file whose header was looked at; `spanning` are its records of several lines, nearly always none."""

    dataset: Dataset
    uri: str
    header_line: int
    spanning: tuple[DataFrame, ...]

    @classmethod
    def of(cls, spark: SparkSession, dataset: Dataset, uri: str, header_line: int) -> "LandingLines":
        if not dataset.is_multi_line or not _has_open_line(spark, uri):
            return cls(dataset, uri, header_line, ())
        return cls(dataset, uri, header_line, tuple(_batches(spark, spanning_records(uri, len(dataset.columns)))))

    def records(self, spark: SparkSession) -> DataFrame:
        """raw, is_usual, fields: every record but the header. Blank lines are among them, as records of one field.

        `fields` are as they stand in the record (see `unquoted`); null where a quote closes wrongly or never.
        """
        if self.spanning:
            return self.numbered_records(spark).drop("line_number")
        return self._split(_lines(spark, self.uri).where(~self._is_header()).select("raw"))

    def numbered_records(self, spark: SparkSession) -> DataFrame:
        """raw, is_usual, fields, line_number: the same without blank lines, each with the line it starts on."""
        lines = _numbered(spark, _lines(spark, self.uri))
        singles = lines.where((F.col("line_number") > self.header_line) & F.col("raw").rlike(_NOT_BLANK))
        if not self.spanning:
            return self._split(singles)
        spanning = reduce(DataFrame.union, self.spanning)
        taken = spanning.select(F.explode(F.sequence("first_line", "last_line")).alias("line_number"))
        singles = singles.join(taken, on="line_number", how="left_anti")
        spanning = spanning.select(
            "raw", F.col("first_line").alias("line_number"), F.lit(False).alias("is_usual"), "fields"
        )
        return self._split(singles).unionByName(spanning)

    def _split(self, lines: DataFrame) -> DataFrame:
        # A column each: they are asked for by every rule.
        marked = lines.withColumn("is_usual", is_usual(F.col("raw"), self.dataset))
        return marked.withColumn("fields", _fields())

    def _is_header(self) -> SparkColumn:
        return (F.col("block") == 0) & (_place() < self.header_line)


def _lines(spark: SparkSession, uri: str) -> DataFrame:
    return spark.read.text(uri).select(
        F.col("value").alias("raw"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("id"),
    )


def _fields() -> SparkColumn:
    """The fields of a line as they stand there, an array of texts; null where a quote closes wrongly or never."""
    raw = F.col("raw")
    found = F.regexp_extract_all(F.concat(F.lit(","), raw), F.lit(f",({_FIELD})"), F.lit(1))
    is_plain = F.col("is_usual") | ~F.contains(raw, F.lit('"'))
    return F.when(is_plain, F.split(raw, ",", -1)).when(raw.rlike(_WHOLE), found)


def unquoted(field: SparkColumn) -> SparkColumn:
    """The text of a field. (Not for the whole array at once: Spark compiles no function of each item.)"""
    inner = F.substring(field, F.lit(2), F.length(field) - 2)
    return F.when(F.startswith(field, F.lit('"')), F.replace(inner, F.lit('""'), F.lit('"'))).otherwise(field)


def _has_open_line(spark: SparkSession, uri: str) -> bool:
    """Whether a quote of some line does not close on it."""
    lines = spark.read.text(uri)
    return bool(lines.where(F.contains("value", F.lit('"')) & F.col("value").rlike(_OPEN)).head(1))


def _batches(spark: SparkSession, records: Iterator[SpanningRecord]) -> Iterator[DataFrame]:
    while batch := list(islice(records, _RECORDS_AT_ONCE)):
        yield spark.createDataFrame(pa.Table.from_pylist([vars(record) for record in batch], _SPANNING))


def _numbered(spark: SparkSession, lines: DataFrame) -> DataFrame:
    """raw, line_number: every line with its number in the file, from 1."""
    lines = lines.select("raw", "block", F.shiftright("id", _PLACE_BITS).alias("part"), _place().alias("place"))
    before = _lines_before(spark, lines)
    joined = lines.join(F.broadcast(before), on="part", how="inner")
    return joined.select("raw", (F.col("before") + F.col("place") + 1).alias("line_number"))


def _place() -> SparkColumn:
    return F.col("id").bitwiseAND(F.lit((1 << _PLACE_BITS) - 1))


def _lines_before(spark: SparkSession, lines: DataFrame) -> DataFrame:
    """How many lines of the file come before each partition's first: one row per partition."""
    parts = lines.groupBy("part").agg(F.min("block").alias("start"), F.count("*").alias("lines")).collect()
    before, rows = 0, []
    for part in sorted(parts, key=lambda row: row["start"]):
        rows.append((part["part"], before))
        before += part["lines"]
    return spark.createDataFrame(rows, "part BIGINT, before BIGINT")
