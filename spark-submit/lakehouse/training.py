"""From what listeners did to a model: shards of listeners, ALS in Spark, one pass over the shards.

The same steps serve the lake (events) and `npm run evaluate` (counted pairs).
"""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse import als
from lakehouse.errors import BrokenContract
from lakehouse.interactions import followed_tracks, rated, write_shards
from lakehouse.listeners import Tracks, read_shards
from lakehouse.model import Model, learn


@dataclass(frozen=True)
class Listening:
    """What is learnt from: the shards of listeners, and the sizes."""

    shards_uri: str
    rows: DataFrame
    listeners_of: np.ndarray
    users: int
    ratings: int


def gather(
    pairs: DataFrame, follows: DataFrame | None, tracks: DataFrame, shards_uri: str, track_count: int
) -> Listening:
    """Writes the shards of `pairs` (user_id, track_id, affinity, first_heard) and counts what is in them."""
    # Written first: they are read three times, and may cost a pass over every event.
    rated(pairs).write.mode("overwrite").parquet(f"{shards_uri}-pairs")
    with_ratings = pairs.sparkSession.read.parquet(f"{shards_uri}-pairs")
    followed = None if follows is None else followed_tracks(with_ratings, follows)
    rows = write_shards(with_ratings, followed, tracks, shards_uri)
    liked = rows.where(F.col("rating").isNotNull()).groupBy("track").count().toArrow()
    listeners_of = np.zeros(track_count)
    listeners_of[liked.column("track").to_numpy()] = liked.column("count").to_numpy()
    users = rows.agg(F.count_distinct("user")).collect()[0][0]
    return Listening(shards_uri, rows, listeners_of, users, int(listeners_of.sum()))


def fit_factors(listening: Listening, tracks: Tracks, seed: int) -> als.TrackFactors:
    """ALS in Spark; BrokenContract where nobody likes anything."""
    if listening.ratings == 0:
        raise BrokenContract(
            "silver/listening_events: there is no complete listen and no like to learn from; load events first"
        )
    return als.fit(listening.rows, len(tracks.ids), listening.ratings, seed)


def learn_model(listening: Listening, tracks: Tracks, factors: als.TrackFactors, until: float) -> Model:
    """The model of what was heard before the day number `until`."""
    return learn(read_shards(listening.shards_uri), tracks, factors, until, listening.listeners_of)
