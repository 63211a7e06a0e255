"""Small recommenders made of arrays, without Spark."""

import numpy as np

from lakehouse.als import AlsSettings, TrackFactors
from lakehouse.item_to_item import Cover, Together, ease
from lakehouse.listeners import ALWAYS_THERE, Listener, Tracks
from lakehouse.model import Fit, Model, learn

SETTINGS = AlsSettings(rank=4, iterations=1, regularisation=0.1, alpha=5.0)


def tracks_of(count: int, artists: list[int] | None = None, genres: list[int] | None = None, released=None) -> Tracks:
    return Tracks(
        np.array([f"t{index}" for index in range(count)], dtype=object),
        np.array(artists or range(count)),
        np.array(genres or [1] * count),
        np.full(count, ALWAYS_THERE) if released is None else np.array(released, dtype=float),
    )


def listener(
    name: str, liked: dict[int, float], known=(), followed: dict[int, float] | None = None, heard=np.nan
) -> Listener:
    followed = followed or {}
    return Listener(
        id=name,
        known=np.array(sorted({*liked, *known}), dtype=np.int64),
        liked=np.array(list(liked), dtype=np.int64),
        ratings=np.ones(len(liked)),
        affinities=np.array(list(liked.values()), dtype=float),
        first_heard=np.full(len(liked), heard),
        last_met=np.full(len(liked), heard),
        followed=np.array(list(followed), dtype=np.int64),
        followed_ratings=np.array(list(followed.values()), dtype=float),
    )


def model_of(listeners: list[Listener], tracks: Tracks, until: float = 100.0, seed: int = 1) -> Model:
    """A model with factors of chance: what is tested is not ALS."""
    rows = np.random.default_rng(seed).normal(size=(len(tracks.ids), SETTINGS.rank)).astype(np.float32)
    count = np.bincount(np.concatenate([who.liked for who in listeners]), minlength=len(tracks.ids)).astype(float)
    cover = Cover.most_liked(count)
    fit = Fit(TrackFactors(rows, SETTINGS), cover, ease(Together.of([listeners], cover)))
    return learn([listeners], tracks, fit, until, count)
