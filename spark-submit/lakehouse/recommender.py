"""The recommender: implicit ALS in Spark, then each user's list from the factors, shard by shard.

Memory of this process: the factors of all tracks and users, one shard of interactions, and one block of scores. Shards and
lists pass through Parquet files of the run's own work folder, never whole through this process.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame

from lakehouse.files import open_uri
from lakehouse.ranking import best_unknown, varied

# Chosen on Last.fm's listening histories; Spark multiplies regParam by each user's and track's number of ratings.
RANK = 48
ITERATIONS = 10
REGULARISATION = 0.5
ALPHA = 7.0
_BLOCKS = 8

_SCORES_AT_ONCE = 16_000_000

LISTS_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("track_id", pa.string()),
        ("score", pa.float64()),
        ("is_filled", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Factors:
    """ALS factors. Row i belongs to the user or track with index i; a row of zeros to one without ratings."""

    users: np.ndarray
    tracks: np.ndarray


@dataclass(frozen=True)
class Tracks:
    """What lists need of each track, by its index: its id and its artist. `chart` holds indexes, most heard first."""

    ids: np.ndarray
    artists: np.ndarray
    chart: list[int]


def train(rated: DataFrame, seed: int) -> ALSModel:
    """Fits implicit ALS on (user, track, rating). Deterministic for one seed but for the order of floating sums."""
    als = ALS(
        userCol="user",
        itemCol="track",
        ratingCol="rating",
        implicitPrefs=True,
        rank=RANK,
        maxIter=ITERATIONS,
        regParam=REGULARISATION,
        alpha=ALPHA,
        numUserBlocks=_BLOCKS,
        numItemBlocks=_BLOCKS,
        seed=seed,
    )
    return als.fit(rated)


def factors_of(model: ALSModel, users: int, tracks: int) -> Factors:
    """The factors as arrays: (users + tracks) * RANK * 4 bytes in this process."""
    return Factors(_dense(model.userFactors, users), _dense(model.itemFactors, tracks))


def write_lists(shards_uri: str, lists_uri: str, factors: Factors, tracks: Tracks, size: int) -> int:
    """Writes one Parquet file of lists for each file of interactions; returns the number of users.

    A shard has the columns user, user_id, track and holds each of its users whole.
    """
    shards, path = open_uri(shards_uri)
    target, folder = open_uri(lists_uri)
    target.create_dir(folder, recursive=True)
    users = 0
    for number, shard in enumerate(_parquet_files(shards, path)):
        pairs = pq.read_table(shard, columns=["user", "user_id", "track"], filesystem=shards)
        with pq.ParquetWriter(f"{folder}/part-{number:05}.parquet", LISTS_SCHEMA, filesystem=target) as writer:
            for lists, listed in _lists_of(pairs, factors, tracks, size):
                writer.write_table(lists)
                users += listed
    return users


def _dense(factors: DataFrame, rows: int) -> np.ndarray:
    found = factors.toArrow()
    dense = np.zeros((rows, RANK), dtype=np.float32)
    if found.num_rows:
        values = found.column("features").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        dense[found.column("id").to_numpy()] = values.reshape(-1, RANK)
    return dense


def _parquet_files(filesystem: fs.FileSystem, folder: str) -> list[str]:
    entries = filesystem.get_file_info(fs.FileSelector(folder))
    return sorted(entry.path for entry in entries if entry.path.endswith(".parquet"))


def _lists_of(pairs: pa.Table, factors: Factors, tracks: Tracks, size: int) -> Iterator[tuple[pa.Table, int]]:
    users, ids, known = _by_user(pairs)
    block = max(1, _SCORES_AT_ONCE // max(1, len(tracks.ids)))
    for start in range(0, len(users), block):
        part = slice(start, start + block)
        best = best_unknown(factors.users[users[part]], factors.tracks, known[part], tracks.artists, size)
        lists = [
            _list_of(user_id, chosen, scores, is_trained, known_tracks, tracks, size)
            for user_id, (chosen, scores), is_trained, known_tracks in zip(
                ids[part], best, factors.users[users[part]].any(axis=1), known[part], strict=True
            )
        ]
        yield pa.concat_tables(lists), len(lists)


def _by_user(pairs: pa.Table) -> tuple[np.ndarray, list[str], list[np.ndarray]]:
    """Index, id and known tracks of each user of a shard."""
    user, track = pairs.column("user").to_numpy(), pairs.column("track").to_numpy()
    order = np.argsort(user, kind="stable")
    users, starts = np.unique(user[order], return_index=True)
    ids = pairs.column("user_id").take(pa.array(order[starts])).to_pylist()
    return users, ids, np.split(track[order], starts[1:]) if len(users) else []


def _list_of(
    user_id: str,
    chosen: np.ndarray,
    scores: np.ndarray,
    is_trained: bool,
    known: np.ndarray,
    tracks: Tracks,
    size: int,
) -> pa.Table:
    """One user's list. Who has no factors (only skips so far), or too few unknown tracks, gets this week's chart."""
    listed = list(chosen) if is_trained else []
    score_of = dict(zip(chosen, scores, strict=True)) if is_trained else {}
    if len(listed) < size:
        taken = {*known.tolist(), *listed}
        filled = [track for track in tracks.chart if track not in taken]
        listed, _ = varied([*listed, *filled], tracks.artists, size)
    return pa.table(
        {
            "user_id": [user_id] * len(listed),
            "rank": list(range(1, len(listed) + 1)),
            "track_id": [tracks.ids[track] for track in listed],
            "score": [float(score_of.get(track, 0.0)) for track in listed],
            "is_filled": [track not in score_of for track in listed],
        },
        schema=LISTS_SCHEMA,
    )
