"""Updates silver listening_events and duplicate_events: whole, or the weeks with changes. The job updates
refused_events first, and ignores refused rows here.

The changed weeks are: the weeks of rows that were added to or removed from bronze, the weeks with another delivery
of the same events, and the weeks of tracks and users that dim_songs or dim_users gained or lost. In all other weeks,
the kept delivery of each event is the same as before. In the changed weeks the job chooses the kept deliveries again
from bronze. An event that is kept in an unchanged week stays there.

Cost of a new week: the job reads bronze's new files, and the column event_id of silver files that may hold the new
ids by the limits in the table's log. These are few files if ids ascend with time, and all files if ids are random.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table, table
from lakehouse.delta_log import Changes
from lakehouse.few_rows import rows_if_there, rows_of
from lakehouse.incremental import (
    MOST_WEEKS,
    WEEK,
    Build,
    changed_rows,
    changes_of,
    former_versions,
    in_weeks_sql,
    recipe_of,
    weeks_in,
    write_weeks,
    write_whole,
)
from lakehouse.listening_events import FILES, STREAM, deliveries, kept_and_dropped, reason_dropped, week_end, with_known
from lakehouse.refused_events import REFUSED, accepted, refusal
from lakehouse.refused_refresh import RefusedRefresh
from lakehouse.table_state import rows_in, weeks_of
from lakehouse.tables import has_table

EVENTS = table("silver", "listening_events")
DUPLICATES = table("silver", "duplicate_events")
SONGS = table("bronze", "dim_songs")
USERS = table("bronze", "dim_users")

_FILE_COLUMNS = ["event_id", "user_id", "track_id", "event_type", "timestamp", "event_date", "_source_file"]
_STREAM_COLUMNS = ["event_id", "user_id", "track_id", "event_type", "timestamp", "event_date", "_partition", "_offset"]


@dataclass(frozen=True)
class Refreshed:
    """The result of a refresh of the events. `weeks` None means that the refresh made all weeks."""

    weeks: set[date] | None
    rows_read: int
    why: str
    wrote_refused: bool = False


class EventsRefresh:
    """A refresh of silver listening_events. It reads bronze at the versions at its start."""

    def __init__(
        self, spark: SparkSession, lake_uri: str, run_key: str, week_ends_on: str, earliest: str, build: Build
    ):
        self._spark = spark
        self._lake_uri = lake_uri
        self._run_key = run_key
        self._week_ends_on = week_ends_on
        self._earliest = earliest
        build = build.with_setting(week_ends_on).with_setting(f"since {earliest}")
        self._recipe = recipe_of([FILES, STREAM, SONGS, USERS], lake_uri, build)

    def run(self) -> Refreshed:
        former = former_versions(EVENTS, self._lake_uri, self._recipe)
        refused = RefusedRefresh(self._spark, self._lake_uri, self._run_key, self._recipe, self._earliest)
        wrote_refused = refused.run(former)
        return replace(self._events(former), wrote_refused=wrote_refused)

    def _events(self, former: dict | None) -> Refreshed:
        # Otherwise a run died between the commits of the two tables: then make both whole.
        if former is None or former != former_versions(DUPLICATES, self._lake_uri, self._recipe):
            return self._whole("asked for, or no former refresh by this code and settings")
        if former == self._recipe.versions:
            return Refreshed(set(), 0, "nothing new in bronze")
        return self._weeks(former)

    def _whole(self, why: str) -> Refreshed:
        files, stream = self._bronze(FILES), self._bronze(STREAM)
        kept, dropped = kept_and_dropped(self._deliveries(files, stream))
        write_whole(self._known(kept), EVENTS, self._lake_uri, self._run_key, self._recipe)
        write_whole(_with_reason(dropped), DUPLICATES, self._lake_uri, self._run_key, self._recipe)
        return Refreshed(None, _count(files) + _count(stream), why)

    def _weeks(self, former: dict) -> Refreshed:
        changes = {source: changes_of(source, self._lake_uri, former, self._recipe) for source in (FILES, STREAM)}
        if None in changes.values():
            return self._whole("bronze's log no longer tells what is new")
        changed = self._changed(changes)
        if changed is None:
            return self._whole("bronze's former files are gone, so that nobody can tell what is new")
        changed = changed.persist()
        try:
            return self._rewrite(former, changed, sum(change.rows_added for change in changes.values()))
        finally:
            changed.unpersist()

    def _rewrite(self, former: dict, changed: DataFrame, rows_added: int) -> Refreshed:
        silver = rows_of(self._spark, EVENTS, self._lake_uri)
        duplicates = rows_of(self._spark, DUPLICATES, self._lake_uri)
        present, of_duplicates = weeks_of(EVENTS, self._lake_uri), weeks_of(DUPLICATES, self._lake_uri)
        weeks = _touched(changed, [silver, duplicates]) | self._weeks_of_dimensions(former, silver)
        if len(weeks) > MOST_WEEKS * max(len(present), 2):
            return self._whole(f"{len(weeks)} of {len(present)} weeks are touched")
        if not weeks:
            return Refreshed(set(), rows_added, "nothing that counts is new in bronze")

        # Both tables are made of the same rows, some weeks of them: they are looked up and read once.
        candidates = self._in_weeks(weeks).persist()
        try:
            kept, dropped = kept_and_dropped(candidates)
            if weeks & (present | of_duplicates):
                bounds = candidates.agg(F.min("event_id"), F.max("event_id")).collect()[0]
                others = silver.where(f"NOT {in_weeks_sql(weeks)}").where(F.col("event_id").between(*bounds))
                kept, dropped = _without_kept_elsewhere(kept, dropped, others)
            # The events first: their note says that the duplicates are behind, should this run die in between.
            write_weeks(self._known(kept), EVENTS, self._lake_uri, self._run_key, self._recipe, weeks)
            write_weeks(_with_reason(dropped), DUPLICATES, self._lake_uri, self._run_key, self._recipe, weeks)
            return Refreshed(weeks, candidates.count(), f"{len(weeks)} of {len(present | weeks)} weeks are touched")
        finally:
            candidates.unpersist()

    def _changed(self, changes: dict[Table, Changes]) -> DataFrame | None:
        """event_id and week_end of every delivery that came or went, of those that are not refused."""
        parts, is_accepted = [], refusal(self._earliest).isNull()
        for source, columns in ((FILES, _FILE_COLUMNS), (STREAM, _STREAM_COLUMNS)):
            if changes[source].added or changes[source].removed:
                parts.append(changed_rows(self._spark, source, self._lake_uri, changes[source], columns, is_accepted))
        if None in parts:
            return None
        if not parts:
            return self._spark.createDataFrame([], "event_id string, week_end date")
        dated = [
            part.select("event_id", week_end(F.col("event_date"), self._week_ends_on).alias(WEEK)) for part in parts
        ]
        return dated[0] if len(dated) == 1 else dated[0].unionByName(dated[1])

    def _weeks_of_dimensions(self, former: dict, silver: DataFrame) -> set[date]:
        """Weeks with a track or user that a dimension now knows, or no longer knows."""
        if all(former[source.path] == self._recipe.versions[source.path] for source in (SONGS, USERS)):
            return set()
        now = self._known(silver.select("track_id", "user_id", WEEK, *_were("is_known_track", "is_known_user")))
        differs = (F.col("is_known_track") != F.col("was_known_track")) | (
            F.col("is_known_user") != F.col("was_known_user")
        )
        return weeks_in(now.where(differs))

    def _in_weeks(self, weeks: set[date]) -> DataFrame:
        """Every delivery of these weeks. Delta skips files with other days."""
        days = {week - timedelta(days=back) for week in weeks for back in range(7)}
        condition = in_weeks_sql(days, "event_date")
        stream = self._bronze(STREAM)
        return self._deliveries(
            self._bronze(FILES).where(condition), None if stream is None else stream.where(condition)
        )

    def _deliveries(self, files: DataFrame, stream: DataFrame | None) -> DataFrame:
        """Of rows of bronze those that are not refused. Where refused_events is empty none has to be looked at again."""
        if rows_in(REFUSED, self._lake_uri) > 0:
            files = accepted(files, self._earliest)
            stream = None if stream is None else accepted(stream, self._earliest)
        return deliveries(files, stream, self._week_ends_on)

    def _known(self, events: DataFrame) -> DataFrame:
        return with_known(events, self._bronze(SONGS), self._bronze(USERS))

    def _bronze(self, source: Table) -> DataFrame | None:
        version = self._recipe.versions[source.path]
        if version is None and source is STREAM:
            return None
        return rows_if_there(self._spark, source, self._lake_uri, version)


def _touched(changed: DataFrame, tables: list[DataFrame]) -> set[date]:
    """The weeks of `changed`, and the weeks of tables that may have an event_id of `changed`. The comparison uses
    hashes, because longs are cheaper than texts. A false match adds a week that the job then makes with the same
    content."""
    weeks, *bounds = changed.agg(F.collect_set(WEEK), F.min("event_id"), F.max("event_id")).collect()[0]
    found = set(weeks)
    if not found:
        return found
    hashed = F.xxhash64("event_id").alias("_hash")
    ids = changed.select(hashed)
    for events in tables:
        near = events.where(F.col("event_id").between(*bounds)).select(WEEK, hashed)
        found |= weeks_in(near.join(ids, on="_hash", how="left_semi"))
    return found


def duplicate_counts(spark: SparkSession, lake_uri: str) -> dict[str, int]:
    """Deliveries dropped, by why, in the whole table."""
    counted = {"within_file": 0, "across_files": 0, "within_stream": 0, "against_stream": 0}
    if has_table(DUPLICATES, lake_uri):
        rows = rows_of(spark, DUPLICATES, lake_uri).groupBy("reason").count().collect()
        counted |= {row[0]: row[1] for row in rows}
    return counted


def _without_kept_elsewhere(kept: DataFrame, dropped: DataFrame, others: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Removes from `kept` the events that an unchanged week keeps. These events and their dropped copies lose to the
    kept delivery there."""
    ids = kept.select("event_id")
    elsewhere = others.join(ids, on="event_id", how="left_semi").select(
        "event_id",
        F.col("source").alias("kept_source"),
        F.col("_source_file").alias("kept_source_file"),
        F.col(WEEK).alias("kept_week_end"),
    )
    lost = kept.join(elsewhere, on="event_id", how="inner").select(*dropped.columns)
    beside = dropped.drop("kept_source", "kept_source_file", "kept_week_end")
    dropped_for_it = beside.join(elsewhere, on="event_id", how="inner").select(*dropped.columns)
    dropped_here = dropped.join(elsewhere.select("event_id"), on="event_id", how="left_anti")
    stays = kept.join(elsewhere.select("event_id"), on="event_id", how="left_anti").select(*kept.columns)
    return stays, dropped_here.unionByName(dropped_for_it).unionByName(lost)


def _with_reason(dropped: DataFrame) -> DataFrame:
    return dropped.withColumn("reason", reason_dropped())


def _were(*flags: str):
    return [F.col(flag).alias(flag.replace("is_", "was_")) for flag in flags]


def _count(rows: DataFrame | None) -> int:
    return 0 if rows is None else rows.count()
