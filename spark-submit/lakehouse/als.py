"""Implicit ALS: the tracks' factors are Spark's, a listener's are solved from them here, exactly as Spark would.

Spark shuffles the ratings once and each iteration the factors that the blocks need of one another; an executor holds its
blocks of ratings and factors. Folding a listener in needs the tracks' factors and that listener's ratings alone, so lists
are made for people and listens that came after the fit.
"""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.listeners import View

# A block is a task of every half iteration: few ratings are not worth many.
_BLOCKS = 8
_RATINGS_PER_BLOCK = 50_000
# ratings * rank^2 is what an iteration costs: the rank is what that budget allows, between two bounds.
_COST = 8e8
_RANKS = (32, 96)
_MULTIPLE = 16
# Few ratings do not bear many factors.
_RATINGS_PER_FACTOR = 200


@dataclass(frozen=True)
class AlsSettings:
    """Spark multiplies `regularisation` by each user's and track's number of ratings; confidence is 1 + alpha * rating."""

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


def settings_for(ratings: int) -> AlsSettings:
    """The settings for so many ratings: few ratings can afford a large rank, and cost stays linear for many."""
    rank = int(np.sqrt(_COST / max(ratings, 1))) // _MULTIPLE * _MULTIPLE
    rank = min(max(rank, _RANKS[0]), _RANKS[1])
    is_large = rank == _RANKS[0]
    rank = min(rank, max(_MULTIPLE, ratings // _RATINGS_PER_FACTOR // _MULTIPLE * _MULTIPLE))
    return AlsSettings(rank, 6 if is_large else 15, 0.5 if is_large else 0.7, 7.0)


def fit(pairs: DataFrame, view: View, tracks: int, ratings: int, seed: int) -> TrackFactors:
    """Fits on the pairs (user_id, track) that are rated in the view, `ratings` of them. Deterministic for one seed but for the order of floating sums."""
    # Half a second, which a job that fits nothing need not wait for.
    from pyspark.ml.recommendation import ALS

    settings = settings_for(ratings)
    blocks = min(_BLOCKS, 1 + ratings // _RATINGS_PER_BLOCK)
    als = ALS(
        userCol="user",
        itemCol="track",
        ratingCol="rating",
        implicitPrefs=True,
        rank=settings.rank,
        maxIter=settings.iterations,
        regParam=settings.regularisation,
        alpha=settings.alpha,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        seed=seed,
    )
    users = pairs.select("user_id").distinct().withColumn("user", F.row_number().over(Window.orderBy("user_id")) - 1)
    rated = pairs.where(F.col(view.rating).isNotNull()).join(F.broadcast(users), on="user_id", how="inner")
    found = als.fit(rated.select("user", "track", F.col(view.rating).alias("rating"))).itemFactors.toArrow()
    rows = np.zeros((tracks, settings.rank), dtype=np.float32)
    if found.num_rows:
        values = found.column("features").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        rows[found.column("id").to_numpy()] = values.reshape(-1, settings.rank)
    return TrackFactors(rows, settings)


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
