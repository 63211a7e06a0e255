"""The catalogue: what the song rows of all files say of each track."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def catalogue(dim_songs: DataFrame) -> DataFrame:
    """One row per track_id: title, artist_id, artist_name, genre, release_date. Of several rows the last in file name's order wins."""
    fields = ["title", "artist_id", "artist_name", "genre", "release_date"]
    newest = F.max_by(F.struct(*fields), F.struct("_source_file", *fields)).alias("song")
    return dim_songs.groupBy("track_id").agg(newest).select("track_id", "song.*")
