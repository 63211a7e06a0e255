"""Implicit ALS, in this process: the equations are Spark's, without a query of Spark for each half of an iteration.

It holds every rating three times (16 bytes each) and the factors of users and tracks. Folding a listener in needs the tracks'
factors and that listener's ratings alone, so lists are made for people and listens that came after the fit.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Numbers that are gathered at once while owners are solved together, 8 bytes each.
_FACTORS_AT_ONCE = 2_000_000
# ratings * rank^2 is what an iteration costs: the rank is what that budget allows, between two bounds.
_COST = 8e8
_RANKS = (32, 96)
_MULTIPLE = 16
# 2^64 over the golden ratio: multiples of it lie far apart (Knuth, The Art of Computer Programming, 6.4).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Few ratings do not bear many factors.
_RATINGS_PER_FACTOR = 200


@dataclass(frozen=True)
class AlsSettings:
    """`regularisation` is multiplied by each user's and track's number of ratings; confidence is 1 + alpha * rating."""

    rank: int
    iterations: int
    regularisation: float
    alpha: float


@dataclass(frozen=True)
class TrackFactors:
    """Row i belongs to the track with index i, zeros where it had no rating. tracks * rank * 4 bytes."""

    rows: np.ndarray
    settings: AlsSettings

    @property
    def gram(self) -> np.ndarray:
        return (self.rows.T @ self.rows).astype(np.float64)


def settings_for(ratings: int, typical: float) -> AlsSettings:
    """The settings for so many ratings: few ratings can afford a large rank, and cost stays linear for many. `typical` are the
    ratings that as many users of the middle would have: they bear the factors, and one user's many do not change them."""
    rank = int(np.sqrt(_COST / max(ratings, 1))) // _MULTIPLE * _MULTIPLE
    rank = min(max(rank, _RANKS[0]), _RANKS[1])
    is_large = rank == _RANKS[0]
    rank = min(rank, max(_MULTIPLE, int(typical) // _RATINGS_PER_FACTOR // _MULTIPLE * _MULTIPLE))
    return AlsSettings(rank, 6 if is_large else 15, 0.5 if is_large else 0.7, 7.0)


@dataclass(frozen=True)
class Ratings:
    """Who likes what how much, in the order of users: user and track numbers from 0, 16 bytes a rating; `keys` has a number of 64
    bits for each user that only their id decides (see `keys_of`)."""

    user: np.ndarray
    track: np.ndarray
    rating: np.ndarray
    keys: np.ndarray


def keys_of(ids: list[str]) -> np.ndarray:
    """A number of 64 bits for each id."""
    return pd.util.hash_array(np.array(ids, dtype=object))


def fit(ratings: Ratings, tracks: int, seed: int) -> TrackFactors:
    """Alternating least squares for implicit feedback (Hu, Koren and Volinsky, 2008), regularised by each user's and track's number
    of ratings as Spark does it. The same for the same ratings and seed. Of no rating the factors are zeros."""
    settings = settings_for(len(ratings.rating), _typical(ratings))
    of_tracks = np.zeros((tracks, settings.rank))
    if len(ratings.rating) == 0:
        return TrackFactors(of_tracks.astype(np.float32), settings)
    of_users = _start(ratings.keys, settings.rank, seed)
    by_user = _Owners.of(ratings.user, ratings.track, ratings.rating)
    by_track = _Owners.of(ratings.track, ratings.user, ratings.rating)
    for _ in range(settings.iterations):
        by_track.solve(of_tracks, of_users, settings)
        by_user.solve(of_users, of_tracks, settings)
    return TrackFactors(of_tracks.astype(np.float32), settings)


def _typical(ratings: Ratings) -> float:
    """The ratings there would be if each user had as many as the one in the middle."""
    counts = np.bincount(ratings.user, minlength=len(ratings.keys))
    return float(np.median(counts) * len(counts)) if len(counts) else 0.0


def _start(keys: np.ndarray, rank: int, seed: int) -> np.ndarray:
    """The factors that the iterations begin with, a row of length 1 for each user, by the user's key alone. Were they drawn one after
    another, one more user would give those after them another start, and another fifth of their lists."""
    places = keys[:, None] + np.arange(rank, dtype=np.uint64) * _GOLDEN + np.uint64(seed)
    found = pd.util.hash_array(places.ravel()).reshape(places.shape) / 2.0**64 - 0.5
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@dataclass(frozen=True)
class _Owners:
    """The ratings of each user (or track), lying together: `owners` by how many they have, few first; `starts` and `counts` say where
    in `others` and `ratings`."""

    owners: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    others: np.ndarray
    ratings: np.ndarray

    @classmethod
    def of(cls, owner: np.ndarray, other: np.ndarray, rating: np.ndarray) -> "_Owners":
        order = np.argsort(owner, kind="stable")
        owners, starts, counts = np.unique(owner[order], return_index=True, return_counts=True)
        by_count = np.argsort(counts, kind="stable")
        return cls(owners[by_count], starts[by_count], counts[by_count], other[order], rating[order])

    def solve(self, mine: np.ndarray, theirs: np.ndarray, settings: AlsSettings) -> None:
        """Puts the factors of each owner into `mine`, solved from `theirs`."""
        gram, rank = theirs.T @ theirs, settings.rank
        sizes, firsts = np.unique(self.counts, return_index=True)
        for size, first, end in zip(sizes, firsts, [*firsts[1:], len(self.counts)], strict=True):
            base = gram + settings.regularisation * size * np.eye(rank)
            solve = _solve_few if size < rank else _solve_many
            step = max(1, _FACTORS_AT_ONCE // int(size * rank))
            for start in range(first, end, step):
                chosen = slice(start, min(start + step, end))
                places = self.starts[chosen, None] + np.arange(size)
                confidence = settings.alpha * self.ratings[places].astype(np.float64)
                mine[self.owners[chosen]] = solve(base, theirs[self.others[places]], confidence)


def _solve_many(base: np.ndarray, rows: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Of owners with as many ratings each: the normal equations, (base + Y'CY) x = Y'(1 + c); `rows` are Y."""
    turned = rows.transpose(0, 2, 1)
    sides = turned @ (1 + confidence)[..., None]
    return np.linalg.solve(base + (turned * confidence[:, None, :]) @ rows, sides)[..., 0]


def _solve_few(base: np.ndarray, rows: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """The same of owners with fewer ratings than factors, by systems as small as their ratings:
    x = base^-1 Y' (I + C Y base^-1 Y')^-1 (1 + c)."""
    near = rows @ np.linalg.inv(base)
    system = np.eye(rows.shape[1]) + confidence[..., None] * (near @ rows.transpose(0, 2, 1))
    weights = np.linalg.solve(system, (1 + confidence)[..., None])
    return (near.transpose(0, 2, 1) @ weights)[..., 0]


def fold_in(factors: TrackFactors, gram: np.ndarray, liked: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """A listener's factors, solved from what they like."""
    system, sides = _equations(factors, gram, liked, ratings)
    return np.linalg.solve(system, sides.sum(axis=1))


def shares_of(factors: TrackFactors, gram: np.ndarray, liked: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """The share each liked track has in a listener's factors, a row each; they sum to the factors.

    The shares explain a score (Hu, Koren and Volinsky, 2008): the score of a track is the sum, over the liked tracks, of
    their share times its factors.
    """
    system, sides = _equations(factors, gram, liked, ratings)
    return np.linalg.solve(system, sides).T


def _equations(
    factors: TrackFactors, gram: np.ndarray, liked: np.ndarray, ratings: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The matrix of the listener's normal equations, and what each liked track adds to their right-hand side, a column each."""
    rows = factors.rows[liked].astype(np.float64)
    confidence = factors.settings.alpha * ratings.astype(np.float64)
    ridge = factors.settings.regularisation * max(len(liked), 1)
    system = gram + (rows.T * confidence) @ rows + ridge * np.eye(rows.shape[1])
    return system, rows.T * (1 + confidence)
