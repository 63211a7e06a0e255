"""Every listener's list, shard by shard, each track with the parts of its score and the reason they give.

This process holds the model, and SHARDS_AT_ONCE times one shard of listeners, one block of parts, and one shard's lists.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event, Lock

import numpy as np
import pyarrow as pa

from lakehouse.fallback import filled
from lakehouse.files import open_uri, write_parquet
from lakehouse.listeners import Listener
from lakehouse.model import PARTS, Model, Parts, one_core, weight_vector
from lakehouse.ranking import best_of
from lakehouse.reasons import Reason, reasons_of

# NumPy works on one while Python writes another's lists; more would wait for Python.
SHARDS_AT_ONCE = 2
LISTS_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("track_id", pa.string()),
        ("score", pa.float64()),
        ("reason_type", pa.string()),
        ("reason_track_id", pa.string()),
        *[(f"part_{name}", pa.float32()) for name in PARTS],
    ]
)


def write_lists(
    shards: Iterable[list[Listener]],
    lists_uri: str,
    model: Model,
    weights: dict[str, float] | None,
    chart: list[int],
    size: int,
) -> int:
    """Writes one Parquet file of lists for each shard; returns the number of users with a list.

    `chart` are indexes of tracks, most heard first. They and the rest of lakehouse/fallback.py fill the lists of those who like
    nothing yet, or know too much, and of everybody where there are no `weights`, because the model is worth nothing.
    """
    target, folder = open_uri(lists_uri)
    target.create_dir(folder, recursive=True)
    to_do, numbers, turn, failed = iter(shards), count(), Lock(), Event()

    def write_shard(number: int, shard: list[Listener]) -> int:
        lists = _lists_of(model, weights, shard, chart, size)
        write_parquet(f"{lists_uri}/part-{number:05}.parquet", lists)
        return len(lists.column("user_id").unique())

    def write_shards() -> int:
        users = 0
        try:
            while True:
                with turn:
                    shard = None if failed.is_set() else next(to_do, None)
                    number = next(numbers)
                if shard is None:
                    return users
                users += write_shard(number, shard)
                del shard
        except BaseException:
            # All is for nothing: the other one need not go on.
            failed.set()
            raise

    with one_core(), ThreadPoolExecutor(SHARDS_AT_ONCE) as pool:
        return sum(writing.result() for writing in [pool.submit(write_shards) for _ in range(SHARDS_AT_ONCE)])


def _lists_of(
    model: Model, weights: dict[str, float] | None, shard: list[Listener], chart: list[int], size: int
) -> pa.Table:
    columns: dict[str, list] = {name: [] for name in LISTS_SCHEMA.names}
    for row in _rows(model, weights, shard, chart, size):
        for name, value in zip(LISTS_SCHEMA.names, row, strict=True):
            columns[name].append(value)
    return pa.table(columns, schema=LISTS_SCHEMA)


def _rows(
    model: Model, weights: dict[str, float] | None, shard: list[Listener], chart: list[int], size: int
) -> Iterator[tuple]:
    step = model.block()
    for start in range(0, len(shard), step):
        block = shard[start : start + step]
        parts = model.parts(block)
        for row, who in enumerate(block):
            mine = Parts(parts.values[:, row], parts.scales[:, row])
            yield from _list_of(model, weights, who, mine, chart, size)


def _list_of(
    model: Model, weights: dict[str, float] | None, who: Listener, parts: Parts, chart: list[int], size: int
) -> Iterator[tuple]:
    scored = {} if weights is None else _scored(model, weights, who, parts, size)
    nothing = np.zeros(len(PARTS))
    reasons = filled(model, who, {track: reason for track, (_, reason) in scored.items()}, chart, size)
    for rank, (track, reason) in enumerate(reasons.items(), start=1):
        values = scored[track][0] if track in scored else nothing
        cause = None if reason.track is None else model.tracks.ids[reason.track]
        yield (who.id, rank, model.tracks.ids[track], float(values.sum()), reason.type, cause, *values)


def _scored(
    model: Model, weights: dict[str, float], who: Listener, parts: Parts, size: int
) -> dict[int, tuple[np.ndarray, Reason]]:
    """The best unknown tracks by index, best first, each with the parts of its score and its reason."""
    by_part = weight_vector(weights)
    places = _best_unknown(model, who, by_part @ parts.values, size)
    chosen, mine = model.candidates[places], (parts.values[:, places] * by_part[:, None]).astype(np.float64)
    reasons = reasons_of(model, weights, who, chosen, mine, parts.scales)
    return {int(track): (mine[:, n], reason) for n, (track, reason) in enumerate(zip(chosen, reasons, strict=True))}


def _best_unknown(model: Model, who: Listener, scores: np.ndarray, size: int) -> np.ndarray:
    """Places of the best unknown candidates; none for who likes nothing yet and follows nobody who does."""
    if len(who.liked) == 0 and len(who.followed) == 0:
        return np.array([], dtype=np.int64)
    unknown = model.unknown(who)
    return unknown[best_of(scores[unknown], model.tracks.artists[model.candidates[unknown]], size)]
