"""The training data of a refresh's model: the tracks with their indexes, and each listener's history with each
track, at every cut of the split. The evaluation and the lists use the same data.

The data is under `_work/<run>/`, by the versions of its source tables. The first job of a refresh clears all of
`_work/`: refreshes take turns, so older data belongs to a run that died, and may name a user who was forgotten after
that run.
"""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.blocks import last_whole_block
from lakehouse.contracts import Table, table
from lakehouse.data_weeks import data_weeks
from lakehouse.delta_log import newest_commit
from lakehouse.events_refresh import EVENTS, SONGS
from lakehouse.few_rows import rows_if_there, rows_of
from lakehouse.files import all_exist, parquet_columns, read_parquet, remove_folder, write_parquet
from lakehouse.held_out import Split, split_by_time
from lakehouse.interactions import encounters, with_feedback
from lakehouse.listener_tracks import LISTENER_TRACKS, Past, past_of
from lakehouse.listeners import Tracks, View, day_number, every_track, tracks_of
from lakehouse.rated_pairs import LAST_WRITTEN, PastParts, track_ids, write_pairs
from lakehouse.shards import parts_in
from lakehouse.songs import catalogue
from lakehouse.table_state import parts_by
from lakehouse.tables import newest_version
from lakehouse.training import Listening, counted, write_followed

FEEDBACK = table("bronze", "feedback_events")
# Stands for the only day of a lake in which nothing has happened.
_NO_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Sources:
    """The sources of the training data: the tables' versions (None: no such table), the first day of an event, the
    split of the days, and the end of the last finished block of weeks (None: no week)."""

    lake_uri: str
    versions: dict[Table, int | None]
    first: date
    split: Split
    block: date | None

    @property
    def events_version(self) -> int:
        return self.versions[EVENTS]


@dataclass(frozen=True)
class TrainingData:
    """`known` is every track there is; `uri` is where the pairs of rated_pairs.write_pairs at days of the split are, as shards."""

    uri: str
    known: Tracks


def sources_of(lake_uri: str) -> Sources:
    """The current sources. A lake need not have events or a catalogue."""
    versions: dict[Table, int | None] = {EVENTS: newest_version(EVENTS, lake_uri)}
    versions |= {source: newest_commit(source, lake_uri) for source in (SONGS, LISTENER_TRACKS, FEEDBACK)}
    data = data_weeks(lake_uri)
    if data is None:
        return Sources(lake_uri, versions, _NO_DAY, split_by_time(_NO_DAY, _NO_DAY), None)
    split = split_by_time(data.first_day, data.last_day)
    return Sources(lake_uri, versions, data.first_day, split, last_whole_block(data.weeks))


def training_data(spark: SparkSession, sources: Sources, run_key: str, days: list[date]) -> TrainingData:
    """The knowledge at the start of each of these days of the split. The function reuses the run's data, or makes it
    now in a single pass over the events since the past and a single pass over the pairs."""
    uri = f"{work_uri(sources.lake_uri, run_key)}/{'-'.join(map(str, sources.versions.values()))}"
    if not {View.at(day).rating for day in days} <= whole_columns(f"{uri}/pairs"):
        _meet(spark, sources, uri, days)
    return TrainingData(uri, tracks_of(read_parquet([_tracks(uri)], None)))


def _meet(spark: SparkSession, sources: Sources, uri: str, days: list[date]) -> None:
    lake_uri, versions = sources.lake_uri, sources.versions
    events = rows_of(spark, EVENTS, lake_uri, versions[EVENTS])
    past = _past_before(min(days), past_of(spark, lake_uri, versions[LISTENER_TRACKS]))
    until = F.lit(sources.split.until)
    since = (events if past is None else past.since(events)).where(F.col("event_date") < until)
    # Pending: they say nothing yet but that a track that may be recommended is not new to the user.
    later = events.where((F.col("week_end") >= until) & (F.col("event_date") >= until) & F.col("is_known_track"))
    if versions[FEEDBACK] is not None:
        since = with_feedback(since, rows_of(spark, FEEDBACK, lake_uri, versions[FEEDBACK]))
    met = f"{uri}/met"
    encounters(since, days, later).write.mode("overwrite").parquet(met)
    parts = None if past is None else _parts_of(past, lake_uri, versions[LISTENER_TRACKS])
    tracks = every_track(_songs(rows_if_there(spark, SONGS, lake_uri, versions[SONGS])), track_ids(met, parts))
    write_parquet(_tracks(uri), tracks)
    write_pairs(met, parts, tracks.column("track_id"), [View.at(day) for day in days], uri)


def _parts_of(past: Past, lake_uri: str, version: int) -> PastParts:
    return PastParts(parts_by(LISTENER_TRACKS, lake_uri, "shard", version), day_number(past.until))


def _songs(dim_songs: DataFrame) -> pa.Table:
    released = F.unix_date("release_date").alias("released")
    return catalogue(dim_songs).select("track_id", "artist_id", "genre", released).toArrow()


def _tracks(uri: str) -> str:
    return f"{uri}/tracks.parquet"


def listening_at(
    spark: SparkSession, data: TrainingData, follows: DataFrame | None, days: list[date]
) -> list[Listening]:
    """The knowledge at each of these days of the split, from the run's data or gathered now."""
    views = [View.at(day) for day in days]
    if follows is not None and not {view.followed for view in views} <= whole_columns(f"{data.uri}/followed"):
        write_followed(views, follows, data.uri)
    return counted(views, data.uri, len(data.known.ids))


def whole_columns(uri: str) -> set[str]:
    """The columns of a folder's files where all of them were written; none where they were not."""
    files = parts_in(uri) if all_exist([f"{uri}/{LAST_WRITTEN}"]) else {}
    return parquet_columns(next(iter(files.values()))[0]) if files else set()


def _past_before(cut: date, past: Past | None) -> Past | None:
    """The past, unless days are in it that must not be known at the cut."""
    return None if past is None or past.until > cut else past


def work_uri(lake_uri: str, run_key: str) -> str:
    """The folder with the data that a run's jobs pass on. The last job removes it."""
    return f"{lake_uri.rstrip('/')}/_work/{run_key}"


def clear_work(lake_uri: str) -> None:
    """Removes the data of runs that died."""
    remove_folder(f"{lake_uri.rstrip('/')}/_work")
