"""Item-to-item models over the tracks that are liked most: EASE (Steck, 2019), and cosine for the baseline.

EASE's matrix is dense in the tracks it covers, so it covers at most MOST_TRACKS of them: the memory and the time to invert
it are bounded whatever the catalogue. Its input is a sum over listeners (`add`), so it grows with their number alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from lakehouse.listeners import Listener

MOST_TRACKS = 4096
RIDGE = 200.0
# Cosine: pairs of few listeners are pulled to 0, and each track keeps its nearest.
SHRINKAGE = 10.0
NEIGHBOURS = 100
_RATINGS_AT_ONCE = 4_000_000
# A matrix up to this size is inverted at once.
_SMALL = 512


@dataclass(frozen=True)
class Cover:
    """The tracks a matrix knows: `tracks` are their indexes, ascending; `place` is every track's row, -1 for the others."""

    tracks: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, tracks: np.ndarray, track_count: int) -> "Cover":
        place = np.full(track_count, -1, dtype=np.int64)
        place[tracks] = np.arange(len(tracks))
        return cls(tracks, place)

    @classmethod
    def most_liked(cls, listeners_of: np.ndarray, most: int = MOST_TRACKS) -> "Cover":
        """The tracks with the most listeners; equal ones in the order of their index."""
        order = np.lexsort((np.arange(len(listeners_of)), -listeners_of))[:most]
        return cls.of(np.sort(order[listeners_of[order] > 0]), len(listeners_of))

    def rows_of(self, liked: list[np.ndarray], ratings: list[np.ndarray]) -> np.ndarray:
        """The listeners' ratings of the covered tracks, a row each."""
        rows = np.zeros((len(liked), len(self.tracks)), dtype=np.float32)
        for row, tracks, values in zip(rows, liked, ratings, strict=True):
            places = self.place[tracks]
            row[places[places >= 0]] = values[places >= 0]
        return rows


@dataclass
class Together:
    """How often tracks are liked by the same listener: G[i, j] is the sum over listeners of rating i * rating j."""

    cover: Cover
    gram: np.ndarray

    @classmethod
    def over(cls, cover: Cover) -> "Together":
        return cls(cover, np.zeros((len(cover.tracks), len(cover.tracks)), dtype=np.float32))

    @classmethod
    def of(cls, shards: Iterable[list[Listener]], cover: Cover) -> "Together":
        """One pass over the listeners; beside the matrix it holds the rows of one block of them."""
        together, size = cls.over(cover), max(1, _RATINGS_AT_ONCE // max(1, len(cover.tracks)))
        listeners = chain.from_iterable(shards)
        while block := list(islice(listeners, size)):
            together.add(cover.rows_of([who.liked for who in block], [who.ratings for who in block]))
        return together

    def add(self, rows: np.ndarray) -> None:
        self.gram += rows.T @ rows


def ease(together: Together, ridge: float = RIDGE) -> np.ndarray:
    """The weights B of EASE: a listener's score of track j is the sum over their tracks i of rating i * B[i, j]."""
    size = len(together.cover.tracks)
    if size == 0:
        return np.zeros((0, 0), dtype=np.float32)
    inverse = _inverse(together.gram.astype(np.float64) + ridge * np.eye(size))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def cosine(together: Together) -> np.ndarray:
    """Cosine between tracks, shrunk, each track's NEIGHBOURS nearest kept: the well-known item-kNN."""
    size = len(together.cover.tracks)
    lengths = np.sqrt(np.diag(together.gram))
    alike = together.gram / np.maximum(np.outer(lengths, lengths) + SHRINKAGE, 1e-9)
    np.fill_diagonal(alike, 0.0)
    if size > NEIGHBOURS:
        least = np.partition(alike, size - NEIGHBOURS, axis=0)[size - NEIGHBOURS]
        alike[alike < least] = 0.0
    return alike


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a symmetric positive definite matrix by its quarters (the Schur complement), which is mostly products of
    matrices: twice as fast as NumPy's. In double precision, for the quarters lose some of it."""
    size = len(matrix)
    if size <= _SMALL:
        return np.linalg.inv(matrix)
    half = size // 2
    corner, side, rest = matrix[:half, :half], matrix[:half, half:], matrix[half:, half:]
    of_corner = _inverse(corner)
    across = of_corner @ side
    of_rest = _inverse(rest - side.T @ across)
    upper = across @ of_rest
    whole = np.empty_like(matrix)
    whole[:half, :half] = of_corner + upper @ across.T
    whole[:half, half:], whole[half:, :half], whole[half:, half:] = -upper, -upper.T, of_rest
    return whole
