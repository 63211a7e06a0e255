"""Listeners and tracks as the recommender's arrays, read shard by shard."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.als import Ratings, keys_of
from lakehouse.files import read_parquet
from lakehouse.shards import parts_in

# Released before anything that has a date.
ALWAYS_THERE = -np.inf


@dataclass(frozen=True)
class Tracks:
    """Every track, by its index. A track without an artist counts as an artist of its own. A track without a genre
    is in genre 0."""

    ids: np.ndarray
    artists: np.ndarray
    genres: np.ndarray
    # Days since 1970; ALWAYS_THERE where the catalogue says nothing.
    released: np.ndarray


@dataclass(frozen=True)
class View:
    """The knowledge at the start of a day, `until` (a day number; None: all data). Shards have three columns of each
    view: the user's affinity to the track (null before the first event), its rating, and the rating by the users
    that the user follows."""

    name: str
    until: int | None = None

    @classmethod
    def at(cls, day: date) -> "View":
        return cls(f"{day:%Y%m%d}", day_number(day))

    @property
    def affinity(self) -> str:
        return f"affinity_{self.name}"

    @property
    def rating(self) -> str:
        return f"rating_{self.name}"

    @property
    def followed(self) -> str:
        return f"followed_{self.name}"


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


@dataclass(frozen=True)
class Listener:
    """A user with the indexes of the known tracks, of the liked tracks, and of the tracks that followed users like."""

    id: str
    known: np.ndarray
    liked: np.ndarray
    ratings: np.ndarray
    affinities: np.ndarray
    # Day numbers of the liked, NaN where unknown: of the first listen, and of the last event of any kind that there is.
    first_heard: np.ndarray
    last_met: np.ndarray
    followed: np.ndarray
    followed_ratings: np.ndarray


def every_track(songs: pa.Table, met: pa.Array) -> pa.Table:
    """Every track of the catalogue `songs` (track_id, artist_id, genre, released) and of the ids `met`. Grain: a
    track. Sorted by id."""
    listed = songs.column("track_id")
    ids = pc.unique(pa.chunked_array([*listed.chunks, met], pa.string())).sort()
    described = songs.take(pc.index_in(ids, listed)).drop_columns("track_id")
    return described.add_column(0, "track_id", ids)


def tracks_of(found: pa.Table) -> Tracks:
    """The rows of `every_track` as arrays, some hundred bytes each."""
    ids = found.column("track_id")
    artist = pc.coalesce(found.column("artist_id"), pc.binary_join_element_wise("?", ids, ""))
    _, artists = np.unique(artist.to_numpy().astype(str), return_inverse=True)
    genre = np.array([name or "" for name in found.column("genre").to_pylist()], dtype=str)
    # "" sorts first: genre 0 has the tracks without a genre. It is empty if all tracks have a genre.
    names = np.unique(np.append(genre, ""))
    released = found.column("released").to_numpy().astype(np.float64)
    return Tracks(
        ids.to_numpy(),
        artists.astype(np.int64),
        np.searchsorted(names, genre),
        np.where(np.isnan(released), ALWAYS_THERE, released),
    )


def read_shards(uri: str, view: View) -> Iterator[list[Listener]]:
    """The listeners of each shard as the view knows them, in the order of their id; the files are as rated_pairs and
    followed_tracks have them."""
    pairs, followed = parts_in(f"{uri}/pairs"), parts_in(f"{uri}/followed")
    for part in sorted(pairs):
        known = read_parquet(pairs[part], ["user_id", "track", "first_heard", "last_met", view.affinity, view.rating])
        known = known.filter(pc.is_valid(known.column(view.affinity)))
        if part in followed:
            liked = read_parquet(followed[part], ["user_id", "track", view.followed])
            liked = liked.filter(pc.is_valid(liked.column(view.followed)))
        else:
            liked = pa.table({view.followed: pa.array([], pa.float32())})
        yield _listeners(pa.concat_tables([known, liked], promote_options="default"), view)


@dataclass(frozen=True)
class Counts:
    """The counts of a view: how many users like each track, by its index, and how many users know any track."""

    listeners_of: np.ndarray
    users: int


def count_shards(uri: str, views: list[View], track_count: int) -> list[Counts]:
    """Counts the pairs of each view in a single pass over the shards. Memory holds a single shard."""
    columns = ["user_id", "track", *(name for view in views for name in (view.affinity, view.rating))]
    listeners_of = [np.zeros(track_count) for _ in views]
    users = [0 for _ in views]
    for uris in parts_in(f"{uri}/pairs").values():
        shard = read_parquet(uris, columns)
        for place, view in enumerate(views):
            liked = shard.column("track").filter(pc.is_valid(shard.column(view.rating)))
            listeners_of[place] += np.bincount(liked.to_numpy(), minlength=track_count)
            known = shard.column("user_id").filter(pc.is_valid(shard.column(view.affinity)))
            users[place] += len(pc.unique(known))
    return [Counts(*found) for found in zip(listeners_of, users, strict=True)]


def read_ratings(uri: str, view: View) -> Ratings:
    """Every rating of the view, of all shards; users are numbered in the order of shards and ids."""
    shards, keys = [], []
    for _, uris in sorted(parts_in(f"{uri}/pairs").items()):
        shard = read_parquet(uris, ["user_id", "track", view.rating])
        shard = shard.filter(pc.is_valid(shard.column(view.rating)))
        shard = shard.sort_by([("user_id", "ascending"), ("track", "ascending")])
        ids = pc.unique(shard.column("user_id"))
        user = pc.index_in(shard.column("user_id"), ids).to_numpy() + len(keys)
        shards.append((user, shard.column("track").to_numpy(), shard.column(view.rating).to_numpy()))
        keys.extend(keys_of(ids.to_pylist()))
    user, track, rating = (np.concatenate(column) for column in zip(*shards, strict=True))
    return Ratings(user, track, rating, np.array(keys, dtype=np.uint64))


def _listeners(shard: pa.Table, view: View) -> list[Listener]:
    if shard.num_rows == 0:
        return []
    ids = sorted(pc.unique(shard.column("user_id")).to_pylist())
    user = pc.index_in(shard.column("user_id"), pa.array(ids, pa.string()))
    shard = shard.append_column("user", user).sort_by([("user", "ascending"), ("track", "ascending")])
    _, starts = np.unique(shard.column("user").to_numpy(), return_index=True)
    column = {
        name: shard.column(of_view).to_numpy(zero_copy_only=False).astype(np.float64)
        for name, of_view in (
            ("affinity", view.affinity),
            ("rating", view.rating),
            ("first_heard", "first_heard"),
            ("last_met", "last_met"),
            ("followed", view.followed),
        )
    }
    if view.until is not None:
        column["first_heard"][column["first_heard"] >= view.until] = np.nan
    tracks = shard.column("track").to_numpy().astype(np.int64)
    ends = [*starts[1:], shard.num_rows]
    found = [
        _listener(user_id, tracks, column, slice(start, end))
        for user_id, start, end in zip(ids, starts, ends, strict=True)
    ]
    # A user who knew no track yet does not count as a listener, even if the user follows users.
    return [who for who in found if len(who.known)]


def _listener(user_id: str, tracks: np.ndarray, column: dict[str, np.ndarray], rows: slice) -> Listener:
    of = {name: values[rows] for name, values in column.items()}
    track = tracks[rows]
    liked, followed = ~np.isnan(of["rating"]), ~np.isnan(of["followed"])
    return Listener(
        id=user_id,
        known=track[~np.isnan(of["affinity"])],
        liked=track[liked],
        ratings=of["rating"][liked],
        affinities=of["affinity"][liked],
        first_heard=of["first_heard"][liked],
        last_met=of["last_met"][liked],
        followed=track[followed],
        followed_ratings=of["followed"][followed],
    )
