"""Top-N lists from factors, in NumPy: the best tracks a user does not know, no artist crowding the first places.

Pure functions over arrays; a user is a row, a track a column.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

# The places in which an artist may stand only so often.
VARIED_PLACES = 20
MOST_PER_ARTIST = 2
# How many more tracks than asked for are looked at before all of them are.
_POOL = 4


def best_unknown(
    user_factors: np.ndarray, track_factors: np.ndarray, known: list[np.ndarray], artists: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each user the tracks (columns of `track_factors`) and scores of the best `size` that are not in `known`."""
    scores = user_factors @ track_factors.T
    for row, known_tracks in zip(scores, known, strict=True):
        row[known_tracks] = -np.inf
        tracks = _best_of(row, artists, size)
        yield tracks, row[tracks]


def varied(tracks: Iterable[int], artists: np.ndarray, size: int) -> tuple[list[int], bool]:
    """`tracks` in order, but those of an artist who already has two of the first 20 places come after those places.

    The answer's second part says whether the first 20 places (or `size`, if less) could be filled under that rule.
    """
    places = min(VARIED_PLACES, size)
    first: list[int] = []
    later: list[int] = []
    per_artist: Counter = Counter()
    for track in tracks:
        if len(first) < places and per_artist[artists[track]] < MOST_PER_ARTIST:
            per_artist[artists[track]] += 1
            first.append(track)
        else:
            later.append(track)
    return (first + later)[:size], len(first) == places


def _best_of(row: np.ndarray, artists: np.ndarray, size: int) -> np.ndarray:
    pool = min(len(row), size * _POOL)
    tracks, is_filled = varied(_highest(row, pool), artists, size)
    if not is_filled and pool < len(row):
        tracks, is_filled = varied(_highest(row, len(row)), artists, size)
    return np.array(tracks, dtype=np.int64)


def _highest(row: np.ndarray, count: int) -> np.ndarray:
    """Columns of the `count` highest finite values, best first; equal values in the order of columns."""
    chosen = np.arange(len(row)) if count >= len(row) else np.argpartition(-row, count - 1)[:count]
    chosen = chosen[np.isfinite(row[chosen])]
    return chosen[np.lexsort((chosen, -row[chosen]))]
