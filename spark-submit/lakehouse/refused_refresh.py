"""Updates silver refused_events: whole, or by the rows that were added to and removed from bronze.

The update comes before silver listening_events, which excludes the refused rows. Cost of a new week: the job reads
bronze's new files, and writes nothing if none of their rows is refused. So the table's own note may be older than
the note of listening_events, which then gives the versions of bronze that were searched.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table
from lakehouse.few_rows import rows_if_there, rows_of
from lakehouse.incremental import Recipe, changes_of, former_versions, moved_rows, write_whole
from lakehouse.listening_events import FILES, STREAM
from lakehouse.refused_events import REFUSED, refusal, refused_deliveries
from lakehouse.table_state import rows_in
from lakehouse.tables import has_table

# The columns of each source that go into the table.
_COLUMNS = ["event_id", "user_id", "track_id", "event_type", "timestamp", "_ingested_at"]
_SOURCES = {FILES: [*_COLUMNS, "_source_file"], STREAM: [*_COLUMNS, "_partition", "_offset"]}


class RefusedRefresh:
    """A refresh of silver refused_events, with the recipe of silver listening_events: both read the same versions of
    bronze."""

    def __init__(self, spark: SparkSession, lake_uri: str, run_key: str, recipe: Recipe, earliest: str):
        self._spark, self._lake_uri, self._run_key = spark, lake_uri, run_key
        self._recipe, self._earliest = recipe, earliest

    def run(self, looked_through: dict | None) -> bool:
        """Whether the table was written. `looked_through` are the versions of bronze that listening_events was made of."""
        former = self._former(looked_through)
        if former == self._recipe.versions:
            return False
        moved = None if former is None else self._moved(former)
        if moved is None:
            self._write(self._all())
            return True
        moved = moved.persist()
        try:
            if moved.isEmpty():
                return False
            self._write(self._with(moved))
            return True
        finally:
            moved.unpersist()

    def _former(self, looked_through: dict | None) -> dict | None:
        own = former_versions(REFUSED, self._lake_uri, self._recipe)
        if own is None or looked_through is None:
            return own
        is_later = all((looked_through[source.path] or 0) >= (own[source.path] or 0) for source in _SOURCES)
        return looked_through if is_later else own

    def _all(self) -> DataFrame:
        files, stream = (self._bronze(source) for source in _SOURCES)
        return refused_deliveries(files, stream, self._earliest)

    def _bronze(self, source: Table) -> DataFrame | None:
        version = self._recipe.versions[source.path]
        if version is None and source is STREAM:
            return None
        return rows_if_there(self._spark, source, self._lake_uri, version)

    def _moved(self, former: dict) -> DataFrame | None:
        """The refused rows that were added or removed, with `_sign`. None if they are unknown."""
        found = []
        for source, columns in _SOURCES.items():
            changes = changes_of(source, self._lake_uri, former, self._recipe)
            if changes is None:
                return None
            is_refused = refusal(self._earliest).isNotNull()
            found.append(moved_rows(self._spark, source, self._lake_uri, changes, columns, is_refused))
        return None if None in found else refused_deliveries(*found, self._earliest)

    def _with(self, moved: DataFrame) -> DataFrame:
        """The table's rows with those that came and without those that went. Two deliveries may be alike in every column."""
        before = rows_of(self._spark, REFUSED, self._lake_uri).withColumn("_sign", F.lit(1))
        counted = before.unionByName(moved).groupBy(*REFUSED.column_names).agg(F.sum("_sign").alias("_sign"))
        times = F.explode(F.array_repeat(F.lit(1), F.col("_sign").cast("int")))
        return counted.where(F.col("_sign") > 0).select("*", times).select(*REFUSED.column_names)

    def _write(self, rows: DataFrame) -> None:
        write_whole(rows.coalesce(1), REFUSED, self._lake_uri, self._run_key, self._recipe)


def refused_counts(spark: SparkSession, lake_uri: str) -> dict[str, int]:
    """The number of refused deliveries by reason, for the whole table. Reasons without a delivery are absent."""
    if not has_table(REFUSED, lake_uri) or rows_in(REFUSED, lake_uri) == 0:
        return {}
    counted = rows_of(spark, REFUSED, lake_uri).groupBy("reason").count().orderBy("reason").collect()
    return {row[0]: row[1] for row in counted}
