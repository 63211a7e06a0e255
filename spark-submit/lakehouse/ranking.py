"""Top-N lists from scores, in NumPy, no artist crowding the first places. Pure functions over arrays."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

# The places in which an artist may stand only so often.
VARIED_PLACES = 20
MOST_PER_ARTIST = 2
# How many more tracks than asked for are looked at before all of them are.
_POOL = 4


def best_of(scores: np.ndarray, artists: np.ndarray, size: int) -> np.ndarray:
    """Places of the best `size` scores, best first, artists varied; `artists` is the artist of each place."""
    pool = min(len(scores), size * _POOL)
    chosen, is_filled = varied(highest(scores, pool), artists, size)
    if not is_filled and pool < len(scores):
        chosen, is_filled = varied(highest(scores, len(scores)), artists, size)
    return np.array(chosen, dtype=np.int64)


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


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` highest finite values, best first; equal values in the order of places."""
    count = min(count, len(scores))
    if count == 0:
        return np.array([], dtype=np.int64)
    chosen = np.arange(len(scores))
    if count < len(scores):
        # Everything that ties with the last chosen value, so that ties are settled by place and not by the partition.
        least = scores[np.argpartition(-scores, count - 1)[count - 1]]
        chosen = np.flatnonzero(scores >= least)
    chosen = chosen[np.isfinite(scores[chosen])]
    return chosen[np.lexsort((chosen, -scores[chosen]))][:count]
