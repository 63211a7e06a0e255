"""Training: from shards of listeners to a model, by ALS of the ratings and a single pass over the shards.

The lake (events) and `npm run evaluate` (counted pairs) use the same steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from pyspark.sql import DataFrame

from lakehouse import als
from lakehouse.interactions import followed_tracks
from lakehouse.item_to_item import Cover, Together, ease
from lakehouse.listeners import Listener, Tracks, View, count_shards, read_ratings, read_shards
from lakehouse.model import Fit, Model, learn, one_core
from lakehouse.shards import by_shard


@dataclass(frozen=True)
class Listening:
    """The training data: the shards of listeners in a view, and the sizes."""

    shards_uri: str
    view: View
    listeners_of: np.ndarray
    users: int
    ratings: int
    held: list[list[Listener]] | None = None

    def shards(self) -> Iterator[list[Listener]]:
        """The listeners, shard by shard. Reads the shards again unless memory holds them."""
        return read_shards(self.shards_uri, self.view) if self.held is None else iter(self.held)

    def hold(self) -> "Listening":
        """The same with every listener in memory, for callers that need all listeners at once or several times."""
        return replace(self, held=list(self.shards()))


def write_followed(views: list[View], follows: DataFrame, uri: str) -> None:
    """Writes the liked tracks of the users that each user follows, beside the pairs."""
    dearest = follows.sparkSession.read.parquet(f"{uri}/dearest")
    by_shard(followed_tracks(dearest, follows, views)).write.mode("overwrite").parquet(f"{uri}/followed")


def counted(views: list[View], uri: str, track_count: int) -> list[Listening]:
    """The contents of the shards under `uri`, for each view."""
    counts = count_shards(uri, views, track_count)
    return [
        Listening(uri, view, found.listeners_of, found.users, int(found.listeners_of.sum()))
        for view, found in zip(views, counts, strict=True)
    ]


def fit_model(listening: Listening, tracks: Tracks, seed: int) -> Fit:
    """ALS of all ratings, and EASE from a single pass over the shards. Without likes, the fit says nothing about any
    track."""
    with one_core():
        factors = als.fit(read_ratings(listening.shards_uri, listening.view), len(tracks.ids), seed)
    cover = Cover.most_liked(listening.listeners_of)
    return Fit(factors, cover, ease(Together.of(listening.shards(), cover)))


def learn_model(listening: Listening, tracks: Tracks, fit: Fit, until: float) -> Model:
    """The model of the listens before the day number `until`."""
    return learn(listening.shards(), tracks, fit, until, listening.listeners_of)
