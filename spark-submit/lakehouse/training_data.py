"""What a refresh's model is made of, made once for its evaluation and for its lists: the tracks with their indexes, and what
each listener did with each track, known at every cut of the split.

It lies under `_work/<run>/`, by the versions of the tables it was made of. The first job of a refresh clears all of `_work/`:
refreshes take turns, so what is there was left by a run that died, and may be of a user who is forgotten since.
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import table
from lakehouse.delta_log import newest_commit
from lakehouse.errors import BrokenContract
from lakehouse.events_refresh import EVENTS, SONGS
from lakehouse.files import all_exist, remove_folder
from lakehouse.held_out import Split, split_by_time
from lakehouse.interactions import all_tracks, encounters, with_feedback
from lakehouse.listeners import Tracks, collect_tracks
from lakehouse.songs import catalogue
from lakehouse.tables import newest_version, read_table

FEEDBACK = table("bronze", "feedback_events")
# Spark writes it last.
_WHOLE = "_SUCCESS"


@dataclass(frozen=True)
class TrainingData:
    """`tracks` as interactions.all_tracks has them, `known` the same as arrays; `met` as interactions.encounters has them, at
    each day of `split`."""

    split: Split
    tracks: DataFrame
    known: Tracks
    met: DataFrame


def training_data(spark: SparkSession, lake_uri: str, run_key: str) -> TrainingData:
    """What the run has of it already, or made now, in two passes over the events; BrokenContract where there is no event."""
    versions = {source: newest_version(source, lake_uri) for source in (EVENTS, SONGS)}
    versions[FEEDBACK] = newest_commit(FEEDBACK, lake_uri)
    events = read_table(spark, EVENTS, lake_uri, versions[EVENTS])
    split = _split_of(events)
    uri = f"{work_uri(lake_uri, run_key)}/{'-'.join(map(str, versions.values()))}"
    if not all_exist([f"{uri}/tracks/{_WHOLE}", f"{uri}/encounters/{_WHOLE}"]):
        songs = catalogue(read_table(spark, SONGS, lake_uri, versions[SONGS]))
        if versions[FEEDBACK] is not None:
            events = with_feedback(events, read_table(spark, FEEDBACK, lake_uri, versions[FEEDBACK]))
        all_tracks(events.select("track_id").distinct(), songs).write.mode("overwrite").parquet(f"{uri}/tracks")
        cuts = [split.valid_from, split.test_from, split.until]
        encounters(events, cuts).write.mode("overwrite").parquet(f"{uri}/encounters")
    tracks = spark.read.parquet(f"{uri}/tracks")
    return TrainingData(split, tracks, collect_tracks(tracks), spark.read.parquet(f"{uri}/encounters"))


def work_uri(lake_uri: str, run_key: str) -> str:
    """Where a run's jobs keep what they pass on; removed by the last of them."""
    return f"{lake_uri.rstrip('/')}/_work/{run_key}"


def clear_work(lake_uri: str) -> None:
    """Removes what runs that died left behind."""
    remove_folder(f"{lake_uri.rstrip('/')}/_work")


def _split_of(events: DataFrame) -> Split:
    first, last = events.agg(F.min("event_date"), F.max("event_date")).collect()[0]
    if first is None:
        raise BrokenContract("silver/listening_events: there is no event to learn from; load events first")
    return split_by_time(first, last)
