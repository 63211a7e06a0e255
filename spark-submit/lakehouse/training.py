"""From what listeners did to a model: shards of listeners, ALS in Spark, one pass over the shards.

The same steps serve the lake (events) and `npm run evaluate` (counted pairs).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse import als
from lakehouse.errors import BrokenContract
from lakehouse.interactions import followed_tracks, write_shards
from lakehouse.item_to_item import Cover, Together, ease
from lakehouse.listeners import Listener, Tracks, View, read_shards
from lakehouse.model import Fit, Model, learn


@dataclass(frozen=True)
class Listening:
    """What is learnt from: the shards of listeners as one view knows them, and the sizes."""

    shards_uri: str
    view: View
    rows: DataFrame
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


def gather(
    pairs: DataFrame, views: list[View], follows: DataFrame | None, tracks: DataFrame, shards_uri: str, track_count: int
) -> list[Listening]:
    """Writes the shards of `pairs` (user_id, track_id, first_heard, each view's affinity and rating) and counts what is in them,
    for each view. `pairs` is read once for each view and once more: it should be of files. All views cost one join and one
    write."""
    followed = None if follows is None else followed_tracks(pairs, follows, views)
    return counted(write_shards(pairs, followed, tracks, shards_uri, views), views, shards_uri, track_count)


def counted(rows: DataFrame, views: list[View], shards_uri: str, track_count: int) -> list[Listening]:
    """What is in shards that are written."""
    liked = rows.groupBy("track").agg(*(F.count(view.rating).alias(view.name) for view in views)).toArrow()
    known = rows.groupBy("user").agg(*(F.count(view.affinity).alias(view.name) for view in views))
    users = known.agg(*(F.count_if(F.col(view.name) > 0) for view in views)).collect()[0]
    found = []
    for view, count in zip(views, users, strict=True):
        listeners_of = np.zeros(track_count)
        listeners_of[liked.column("track").to_numpy()] = liked.column(view.name).to_numpy()
        found.append(Listening(shards_uri, view, rows, listeners_of, count, int(listeners_of.sum())))
    return found


def fit_model(listening: Listening, tracks: Tracks, seed: int) -> Fit:
    """ALS in Spark, and EASE from one pass over the shards; BrokenContract where nobody likes anything."""
    if listening.ratings == 0:
        raise BrokenContract(
            "silver/listening_events: there is no complete listen and no like to learn from; load events first"
        )
    factors = als.fit(listening.rows, listening.view, len(tracks.ids), listening.ratings, seed)
    cover = Cover.most_liked(listening.listeners_of)
    return Fit(factors, cover, ease(Together.of(listening.shards(), cover)))


def learn_model(listening: Listening, tracks: Tracks, fit: Fit, until: float) -> Model:
    """The model of what was heard before the day number `until`."""
    return learn(listening.shards(), tracks, fit, until, listening.listeners_of)
