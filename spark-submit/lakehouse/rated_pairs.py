"""The shards the model reads: what each listener did with each track, in the past and since, added up and rated.

The recommender's process makes them of the files Spark wrote, one shard at a time: whoever's rows are in a file has all of them
there, so nothing is shuffled. Cost: one pass over the pairs; memory: those of one shard.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.affinity import share_left
from lakehouse.files import read_parquet, remove_folder, write_bytes, write_parquet
from lakehouse.listeners import View
from lakehouse.shards import parts_in

# How far one pair may stand out from its user's median, either way.
LEAST_CONFIDENCE = 0.3
MOST_CONFIDENCE = 3.0
# Of each person that others follow, so many tracks count: the dearest.
FOLLOWED_TRACKS = 100
# By Spark, and here.
LAST_WRITTEN = "_SUCCESS"


@dataclass(frozen=True)
class PastParts:
    """Files of silver listener_tracks by shard, and the day (since 1970) at whose start their affinities are."""

    parts: dict[int, list[str]]
    until: int


def track_ids(met_uri: str, past: PastParts | None) -> pa.Array:
    """Every track_id that somebody met, once."""
    files = [
        uri for parts in (parts_in(met_uri), past.parts if past else {}) for uris in parts.values() for uri in uris
    ]
    ids = [pc.unique(read_parquet([uri], ["track_id"], ["track_id"]).column(0)).dictionary_decode() for uri in files]
    return pc.unique(pa.chunked_array(ids, pa.string()))


def write_pairs(met_uri: str, past: PastParts | None, ids: pa.Array, views: list[View], uri: str) -> None:
    """Writes `<uri>/pairs`, one file a shard: user_id, track (its place in `ids`, which has all of them), first_heard, last_met, each
    view's affinity and rating. Beside them `<uri>/dearest`: of each user and view the FOLLOWED_TRACKS
    pairs of most affinity (user_id, track, the rating as the view's `followed`).

    Of what is under `met_uri` (interactions.encounters, by_shard) and of the past, which must lie before every view. Sums are
    rounded, so that the order of summing cannot change a list. What a run that was killed left is removed first.
    """
    folder, dearest, met = f"{uri}/pairs", f"{uri}/dearest", parts_in(met_uri)
    for former in (folder, dearest):
        remove_folder(former)
    for shard in sorted({*met, *(past.parts if past else {})}):
        known = []
        if shard in met:
            affinities = [view.affinity for view in views]
            known.append(read_parquet(met[shard], ["user_id", "track_id", "first_heard", "last_met", *affinities]))
        if past is not None and shard in past.parts:
            known.append(_past(past, shard, views))
        # What Spark knows to be there is marked so in some of the files.
        together = pa.concat_tables(known, promote_options="default")
        pairs = _rated(_added_up(together, ids, views), views)
        write_parquet(f"{folder}/part-{shard:05}-pairs.parquet", pairs.drop_columns("user"))
        write_parquet(f"{dearest}/part-{shard:05}-dearest.parquet", _dearest(pairs, views))
    write_bytes(f"{folder}/{LAST_WRITTEN}", b"")


def ratings(users: np.ndarray, affinities: np.ndarray) -> np.ndarray:
    """The confidence of liked pairs, whose affinity is above 0; NaN for the others. `users` are numbers from 0.

    It is the logarithm of the affinity over the user's own median: who plays a lot says no more with it than who plays
    little. A pair at the median has 1.
    """
    found = np.full(len(users), np.nan, dtype=np.float32)
    liked = np.flatnonzero(affinities > 0)
    if len(liked) == 0:
        return found
    of, values = users[liked], affinities[liked]
    ascending = values[np.lexsort((values, of))]
    counts = np.bincount(of)
    starts = np.cumsum(counts) - counts
    # Of users who like nothing, any place will do.
    middle = np.maximum(counts - 1, 0)
    last = len(ascending) - 1
    low = ascending[np.minimum(starts + middle // 2, last)]
    high = ascending[np.minimum(starts + (middle + 1) // 2, last)]
    confidence = np.log2(1 + values / ((low + high) / 2)[of])
    found[liked] = np.clip(confidence, LEAST_CONFIDENCE, MOST_CONFIDENCE)
    return found


def _past(past: PastParts, shard: int, views: list[View]) -> pa.Table:
    """The rows of a shard of the past as encounters at the views' days."""
    rows = read_parquet(past.parts[shard], ["user_id", "track_id", "first_heard_on", "last_event_at", "affinity"])
    left = {view.affinity: pc.multiply(rows.column("affinity"), share_left(view.until - past.until)) for view in views}
    first_heard = rows.column("first_heard_on").cast(pa.int32())
    last_met = rows.column("last_event_at").cast(pa.date32()).cast(pa.int32())
    return pa.table({**_ids_of(rows), "first_heard": first_heard, "last_met": last_met, **left})


def _ids_of(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: rows.column(name) for name in ("user_id", "track_id")}


def _added_up(rows: pa.Table, ids: pa.Array, views: list[View]) -> pa.Table:
    """One row per user and track, in the order of both; an affinity is null where they had not met."""
    users = pc.unique(rows.column("user_id")).sort()
    numbered = pa.table(
        {
            "user": pc.index_in(rows.column("user_id"), users),
            "track": pc.index_in(rows.column("track_id"), ids),
            **{name: rows.column(name) for name in rows.column_names[2:]},
        }
    )
    sums = [(view.affinity, "sum") for view in views]
    days = [("first_heard", "min"), ("last_met", "max")]
    found = numbered.group_by(["user", "track"], use_threads=False).aggregate([*days, *sums])
    found = found.sort_by([("user", "ascending"), ("track", "ascending")])
    affinities = {view.affinity: pc.round(found.column(f"{view.affinity}_sum"), 6) for view in views}
    return pa.table(
        {
            "user": found.column("user"),
            "user_id": users.take(found.column("user")),
            "track": found.column("track"),
            "first_heard": found.column("first_heard_min"),
            "last_met": found.column("last_met_max"),
            **affinities,
        }
    )


def _rated(pairs: pa.Table, views: list[View]) -> pa.Table:
    """Adds each view's rating."""
    users = pairs.column("user").to_numpy()
    for view in views:
        found = ratings(users, pairs.column(view.affinity).to_numpy())
        pairs = pairs.append_column(view.rating, pa.array(found, mask=np.isnan(found)))
    return pairs


def _dearest(pairs: pa.Table, views: list[View]) -> pa.Table:
    """The dearest of each view; the other views' columns are null in its rows."""
    users, tracks = pairs.column("user").to_numpy(), pairs.column("track").to_numpy()
    found = []
    for view in views:
        affinities = pairs.column(view.affinity).to_numpy()
        liked = np.flatnonzero(affinities > 0)
        ranked = liked[np.lexsort((tracks[liked], -affinities[liked], users[liked]))]
        of = users[ranked]
        rank = np.arange(len(of)) - np.searchsorted(of, of)
        rows = pairs.take(pa.array(ranked[rank < FOLLOWED_TRACKS]))
        found.append(rows.select(["user_id", "track", view.rating]).rename_columns(["user_id", "track", view.followed]))
    return pa.concat_tables(found, promote_options="default")
