"""The split by time: what is learnt from, what is tuned on, what is judged by. Nothing after a cut is read before it."""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b

import numpy as np
import pyarrow.compute as pc

from lakehouse.evaluation import Truth
from lakehouse.files import read_parquet
from lakehouse.listeners import View, day_number
from lakehouse.shards import parts_in

# A week each for tuning and judging, less where there is little data: a part of what there is.
HELD_OUT_DAYS = 7
LEAST_PART = 4
# Judged by so many listeners at most, chosen by a hash of their id: more would narrow the interval, not move the mean.
MOST_LISTENERS = 2000


@dataclass(frozen=True)
class Split:
    """Days: learn before `valid_from`, tune on [valid_from, test_from), judge on [test_from, until)."""

    valid_from: date
    test_from: date
    until: date


def split_by_time(first: date, last: date) -> Split:
    """The split of events from `first` to `last`, both included."""
    until = last + timedelta(days=1)
    days = max(1, min(HELD_OUT_DAYS, (until - first).days // LEAST_PART))
    return Split(until - timedelta(days=2 * days), until - timedelta(days=days), until)


def new_tracks(uri: str, start: date, end: date) -> Truth:
    """What listeners heard on days from `start` until before `end`, did not skip, and had never met before `start`; of the shards
    under `uri` (rated_pairs.write_pairs), which know `start`. One of them is held at a time, and the listeners judged.

    Only of listeners who were there before: of the others nothing could be known.
    """
    affinity, judged = View.at(start).affinity, {}
    for parts in parts_in(f"{uri}/pairs").values():
        shard = read_parquet(parts, ["user_id", "track", "first_heard", affinity])
        had_met, is_heard = pc.is_valid(shard.column(affinity)), pc.less(shard.column("first_heard"), day_number(end))
        there_before = pc.unique(shard.column("user_id").filter(had_met))
        is_old = pc.is_in(shard.column("user_id"), there_before)
        # Without a day they did not hear it.
        new = shard.filter(pc.and_(pc.and_(pc.invert(had_met), pc.fill_null(is_heard, False)), is_old))
        by_user = new.group_by("user_id").aggregate([("track", "list")])
        tracks_of = zip(by_user.column("user_id").to_pylist(), by_user.column("track_list").to_pylist(), strict=True)
        judged |= {user: np.sort(np.array(tracks, dtype=np.int64)) for user, tracks in tracks_of}
        judged = {user: judged[user] for user in sorted(judged, key=_by_chance)[:MOST_LISTENERS]}
    return judged


def _by_chance(user_id: str) -> tuple[bytes, str]:
    """Orders users by a hash of their id."""
    return blake2b(user_id.encode(), digest_size=8).digest(), user_id
