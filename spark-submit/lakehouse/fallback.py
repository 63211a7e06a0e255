"""What fills a list for which the model found too few tracks, in this order:

1. the chart of the data's last week, without what the listener knows;
2. the tracks with most listeners, then the newest, without what the listener knows;
3. what the listener liked before: first what they have not met for REST_DAYS, the dearest first; then the others, the longest
   not met first. A listener who knows every track there is hears those again.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from lakehouse.listeners import Listener
from lakehouse.model import Model
from lakehouse.ranking import varied
from lakehouse.reasons import NOT_HEARD_YET, Reason

REST_DAYS = 28
# So many more of the popular tracks than the list is long are looked at, for the artists to vary.
_POOL = 4

_CHART, _LIKED_BEFORE = Reason("trending"), Reason("rediscover")


def filled(model: Model, who: Listener, listed: dict[int, Reason], chart: list[int], size: int) -> dict[int, Reason]:
    """The tracks of a list with their reasons, in order: `listed`, which are the model's, and what fills it up to `size`. Artists are
    varied among the tracks the listener does not know, and among those they know."""
    if len(listed) >= size:
        return listed
    met = set(who.known.tolist())
    unknown = {**listed, **_of((track for track in chart if track not in met and track not in listed), _CHART)}
    if len(unknown) < size:
        others = (track for track in model.popular if track not in met and track not in unknown)
        unknown |= _of(islice(others, size * _POOL), NOT_HEARD_YET)
    artists = model.tracks.artists
    found = {track: unknown[track] for track in varied(unknown, artists, size)[0]}
    if len(found) < size:
        again = (track for track in liked_before(who, model.until) if track not in found)
        found |= _of(varied(again, artists, size - len(found))[0], _LIKED_BEFORE)
    return found


def liked_before(who: Listener, until: float) -> list[int]:
    """The tracks the listener likes, in the order in which they are recommended again on the day `until`."""
    rested = until - who.last_met >= REST_DAYS
    # Of those that have not rested, the day counts before how dear they are.
    day = np.where(rested, 0.0, np.nan_to_num(who.last_met))
    return who.liked[np.lexsort((who.liked, -who.affinities, day, ~rested))].tolist()


def _of(tracks: Iterable[int], reason: Reason) -> dict[int, Reason]:
    return dict.fromkeys(tracks, reason)
