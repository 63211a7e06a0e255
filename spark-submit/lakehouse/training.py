"""From what listeners did to a model: shards of listeners, ALS of their ratings, one pass over the shards.

The same steps serve the lake (events) and `npm run evaluate` (counted pairs).
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
    """What is learnt from: the shards of listeners as one view knows them, and the sizes."""

    shards_uri: str
    view: View
    listeners_of: np.ndarray
    users: int
    ratings: int
    held: list[list[Listener]] | None = None

    def shards(self) -> Iterator[list[Listener]]:
        """The listeners, shard by shard, read anew unless they are held."""
        return read_shards(self.shards_uri, self.view) if self.held is None else iter(self.held)

    def hold(self) -> "Listening":
        """The same with every listener in memory: for who needs them all at once, or several times."""
        return replace(self, held=list(self.shards()))


def write_followed(views: list[View], follows: DataFrame, uri: str) -> None:
    """Writes what those that each user follows like, beside the pairs."""
    dearest = follows.sparkSession.read.parquet(f"{uri}/dearest")
    by_shard(followed_tracks(dearest, follows, views)).write.mode("overwrite").parquet(f"{uri}/followed")


def counted(views: list[View], uri: str, track_count: int) -> list[Listening]:
    """What is in the shards under `uri`, of each view."""
    counts = count_shards(uri, views, track_count)
    return [
        Listening(uri, view, found.listeners_of, found.users, int(found.listeners_of.sum()))
        for view, found in zip(views, counts, strict=True)
    ]


def fit_model(listening: Listening, tracks: Tracks, seed: int) -> Fit:
    """ALS of all ratings, and EASE from one pass over the shards. Where nobody likes anything it says nothing of any track."""
    with one_core():
        factors = als.fit(read_ratings(listening.shards_uri, listening.view), len(tracks.ids), seed)
    cover = Cover.most_liked(listening.listeners_of)
    return Fit(factors, cover, ease(Together.of(listening.shards(), cover)))


def learn_model(listening: Listening, tracks: Tracks, fit: Fit, until: float) -> Model:
    """The model of what was heard before the day number `until`."""
    return learn(listening.shards(), tracks, fit, until, listening.listeners_of)
