"""The catalogue: what the song rows of all files say of each track."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def catalogue(dim_songs: DataFrame) -> DataFrame:
    """One row per track_id: title, artist_id, artist_name, genre, release_date. Of several rows the last in file name's order wins."""
    fields = ["title", "artist_id", "artist_name", "genre", "release_date"]
    newest = F.max_by(F.struct(*fields), F.struct("_source_file", *fields)).alias("song")
    return dim_songs.groupBy("track_id").agg(newest).select("track_id", "song.*")


def with_told_names(songs: DataFrame, stream: DataFrame) -> DataFrame:
    """The catalogue, and the tracks that only players told of: with the title and artist of the newest listen in bronze
    listening_events_stream that has them. artist_id, genre and release_date of those are null."""
    names = ["title", "artist_name"]
    told = (
        stream.where(F.col("title").isNotNull() & F.col("artist_name").isNotNull())
        .join(songs.select("track_id"), on="track_id", how="left_anti")
        .groupBy("track_id")
        .agg(F.max_by(F.struct(*names), F.struct("received_at", "event_id")).alias("told"))
        .select("track_id", "told.*")
    )
    return songs.unionByName(told, allowMissingColumns=True)
