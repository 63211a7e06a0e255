"""Lakes of every small shape for the tests, each told in a few lines: who heard what when, and what is known of users and tracks.

Bronze is written as the jobs that fill it leave it, but without Spark: it is what a refresh makes of it that is tested.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from deltalake import write_deltalake

from lakehouse.contracts import table as contract

LAST_DAY = date(2025, 1, 6)
# A week is a file of each weekly table.
_DAYS_HEARD = 30
Event = tuple[str, str, str, date]
_AT = datetime(2025, 2, 1, tzinfo=UTC)
_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Song:
    """A row of dim_songs; nothing but the title and the artist's name need be known."""

    track_id: str
    artist_id: str = ""
    genre: str | None = None
    release_date: date | None = None

    def row(self) -> dict:
        artist = self.artist_id or f"artist of {self.track_id}"
        about = {"genre": self.genre, "release_date": self.release_date}
        return {"track_id": self.track_id, "title": f"Title of {self.track_id}", "artist_id": artist, **about}


@dataclass(frozen=True)
class Listens:
    """Events (user, track, type, day), in files or from the stream."""

    events: list[Event]
    # None: there never was a file of them.
    songs: list[Song] | None = None
    users: list[str] | None = None
    follows: list[tuple[str, str]] = field(default_factory=list)
    is_streamed: bool = False

    @property
    def user_ids(self) -> set[str]:
        """Everybody there is: with an event, or with a row of dim_users."""
        return {user for user, *_ in self.events} | set(self.users or [])

    @property
    def track_ids(self) -> set[str]:
        return {track for _, track, *_ in self.events} | {song.track_id for song in self.songs or []}


def of_files(events: list[Event]) -> Listens:
    """The events with a catalogue of exactly their tracks and users, as an import makes it."""
    songs = [Song(track) for track in sorted({track for _, track, *_ in events})]
    return Listens(events, songs, sorted({user for user, *_ in events}))


def plays(users: Iterable[str], tracks: int, days: int, each: int) -> list[Event]:
    """So many listens of each user, on at most _DAYS_HEARD of the days up to LAST_DAY; every user begins at another track."""
    found = []
    for number, user in enumerate(users):
        for n in range(each):
            day = LAST_DAY - timedelta(days=(_DAYS_HEARD - 1 - n * _DAYS_HEARD // each) * days // _DAYS_HEARD)
            found.append((user, f"t{(number * 7 + n * n + n // 11) % tracks}", "complete_listen", day))
    return found


def write_bronze(lake: str, listens: Listens) -> None:
    """The lake's bronze tables; those of which there was no file are missing."""
    if listens.songs is not None:
        _write(lake, "dim_songs", [{**song.row(), "artist_name": "Artist"} for song in listens.songs], "dim_songs.csv")
    if listens.users is not None:
        users = [{"user_id": user, "user_name": user} for user in listens.users]
        _write(lake, "dim_users", users, "dim_users.csv")
    if listens.follows:
        edges = [{"user_id_a": one, "user_id_b": other} for one, other in listens.follows]
        _write(lake, "graph_user_follows", edges, "graph_user_follows.csv")
    if listens.is_streamed:
        _write(lake, "listening_events_stream", [_record(n, event) for n, event in enumerate(listens.events)])
    else:
        _write(lake, "fact_listening_events", [_row(n, event) for n, event in enumerate(listens.events)], "fact.csv")


def add_events(lake: str, events: list[Event], first: int) -> None:
    """More events of files, numbered from `first`, as one more file."""
    rows = [_row(first + n, event) for n, event in enumerate(events)]
    _write(lake, "fact_listening_events", rows, f"fact_{first}.csv", mode="append")


def _row(number: int, event: Event) -> dict:
    user, track, kind, day = event
    at = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    names = {"event_id": f"e{number}", "user_id": user, "track_id": track, "event_type": kind, "timestamp": at}
    return {**names, "event_date": day, "year": day.year, "month": day.month}


def _record(number: int, event: Event) -> dict:
    row = _row(number, event)
    told = {"title": f"Title of {event[1]}", "artist_name": "Artist", "received_at": row["timestamp"]}
    return {**row, **told, "_topic": "listens", "_partition": 0, "_offset": number}


def _write(lake: str, name: str, rows: list[dict], source_file: str | None = None, mode: str = "error") -> None:
    target = contract("bronze", name)
    schema = pa.schema([(c.name, _TYPES.get(c.type, pa.string()), not c.required) for c in target.columns])
    every = {"_source_file": source_file, "_ingested_at": _AT}
    values = [{**every, **row} for row in rows]
    columns = [pa.array([row.get(column.name) for row in values], column.type) for column in schema]
    partitions = list(target.partition_by) or None
    write_deltalake(target.uri(lake), pa.table(columns, schema=schema), partition_by=partitions, mode=mode)
