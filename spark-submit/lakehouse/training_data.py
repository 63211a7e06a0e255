"""What a refresh's model is made of, made once for its evaluation and for its lists: the tracks with their indexes, and what
each listener did with each track, known at every cut of the split.

It lies under `_work/<run>/`, by the versions of the tables it was made of. The first job of a refresh clears all of `_work/`:
refreshes take turns, so what is there was left by a run that died, and may be of a user who is forgotten since.
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from lakehouse.blocks import last_whole_block
from lakehouse.contracts import Table, table
from lakehouse.delta_log import newest_commit
from lakehouse.errors import BrokenContract
from lakehouse.events_refresh import EVENTS, SONGS
from lakehouse.files import all_exist, remove_folder
from lakehouse.held_out import Split, split_by_time
from lakehouse.interactions import all_tracks, encounters, known_at, with_feedback
from lakehouse.listener_tracks import LISTENER_TRACKS, Past, past_of
from lakehouse.listeners import Tracks, View, collect_tracks
from lakehouse.songs import catalogue
from lakehouse.table_state import range_of, weeks_of
from lakehouse.tables import newest_version, read_table
from lakehouse.training import Listening, counted, gather

FEEDBACK = table("bronze", "feedback_events")
# Spark writes it last.
_WHOLE = "_SUCCESS"


@dataclass(frozen=True)
class Sources:
    """What there is to learn from: the tables' versions, the first day of an event, the split of the days, and the end of the
    last block of weeks that is over."""

    lake_uri: str
    versions: dict[Table, int | None]
    first: date
    split: Split
    block: date

    @property
    def events_version(self) -> int:
        return self.versions[EVENTS]


@dataclass(frozen=True)
class TrainingData:
    """`tracks` as interactions.all_tracks has them, `known` the same as arrays; `met` as interactions.encounters has them, at
    days of the split; `uri` is where what is made of it may lie."""

    uri: str
    tracks: DataFrame
    known: Tracks
    met: DataFrame


def sources_of(spark: SparkSession, lake_uri: str) -> Sources:
    """What there is now; BrokenContract where there is no event."""
    versions = {source: newest_version(source, lake_uri) for source in (EVENTS, SONGS)}
    versions |= {source: newest_commit(source, lake_uri) for source in (LISTENER_TRACKS, FEEDBACK)}
    days = range_of(spark, EVENTS, lake_uri, "event_date", versions[EVENTS])
    if days is None:
        raise BrokenContract("silver/listening_events: there is no event to learn from; load events first")
    first, last = days
    block = last_whole_block(weeks_of(EVENTS, lake_uri, versions[EVENTS]))
    return Sources(lake_uri, versions, first, split_by_time(first, last), block)


def training_data(spark: SparkSession, sources: Sources, run_key: str, days: list[date]) -> TrainingData:
    """What was known at the start of each of these days of the split. The run has it already, or it is made now, in one pass over
    the events since the past; a day less is a median less for every listener."""
    uri = f"{work_uri(sources.lake_uri, run_key)}/{'-'.join(map(str, sources.versions.values()))}"
    met = _met_at(spark, uri, days)
    if met is None:
        met = _meet(spark, sources, uri, days)
    tracks = spark.read.parquet(f"{uri}/tracks")
    return TrainingData(uri, tracks, collect_tracks(tracks), met)


def _met_at(spark: SparkSession, uri: str, days: list[date]) -> DataFrame | None:
    """Encounters that the run has already; None where it has none, or not of all these days."""
    if not all_exist([f"{uri}/tracks/{_WHOLE}", f"{uri}/encounters/{_WHOLE}"]):
        return None
    met = spark.read.parquet(f"{uri}/encounters")
    return met if {View.at(day).rating for day in days} <= set(met.columns) else None


def _meet(spark: SparkSession, sources: Sources, uri: str, days: list[date]) -> DataFrame:
    lake_uri, versions = sources.lake_uri, sources.versions
    events = read_table(spark, EVENTS, lake_uri, versions[EVENTS])
    past = _past_before(min(days), past_of(spark, lake_uri, versions[LISTENER_TRACKS]))
    since = events if past is None else past.since(events)
    if versions[FEEDBACK] is not None:
        since = with_feedback(since, read_table(spark, FEEDBACK, lake_uri, versions[FEEDBACK]))
    encounters(since, days, past).write.mode("overwrite").parquet(f"{uri}/encounters")
    met = spark.read.parquet(f"{uri}/encounters")
    songs = catalogue(read_table(spark, SONGS, lake_uri, versions[SONGS]))
    all_tracks(met.select("track_id").distinct(), songs).write.mode("overwrite").parquet(f"{uri}/tracks")
    return met


def listening_at(
    spark: SparkSession, data: TrainingData, follows: DataFrame | None, days: list[date]
) -> list[Listening]:
    """What was known at each of these days of the split, as the run has it already or gathered now."""
    uri, count, views = f"{data.uri}/listeners", len(data.known.ids), [View.at(day) for day in days]
    if all_exist([f"{uri}/{_WHOLE}"]):
        rows = spark.read.parquet(uri)
        if {view.rating for view in views} <= set(rows.columns):
            return counted(rows, views, uri, count)
    return gather(known_at(data.met, views), views, follows, data.tracks, uri, count)


def _past_before(cut: date, past: Past | None) -> Past | None:
    """The past, unless days are in it that must not be known at the cut."""
    return None if past is None or past.until > cut else past


def work_uri(lake_uri: str, run_key: str) -> str:
    """Where a run's jobs keep what they pass on; removed by the last of them."""
    return f"{lake_uri.rstrip('/')}/_work/{run_key}"


def clear_work(lake_uri: str) -> None:
    """Removes what runs that died left behind."""
    remove_folder(f"{lake_uri.rstrip('/')}/_work")
