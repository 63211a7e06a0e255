"""Updates the tables that are made of silver listening_events: weekly tables by weeks, all other tables whole.

The log of silver listening_events names the new weeks, because the table is partitioned by week. For tables with
data of the catalogue, the changed song rows give further weeks. Each table has its own note, so after a crash
between two tables the next run continues there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from threading import Lock

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.active_users import active_users
from lakehouse.blocks import last_whole_block
from lakehouse.contracts import Table, table
from lakehouse.data_weeks import ACTIVE_USERS, DataWeeks, data_weeks
from lakehouse.events_refresh import EVENTS, SONGS
from lakehouse.few_rows import overwrite_few, rows_if_there, rows_of
from lakehouse.incremental import (
    MOST_WEEKS,
    WEEK,
    Build,
    Recipe,
    changed_rows,
    changes_of,
    former_recipe,
    former_versions,
    in_weeks_sql,
    recipe_of,
    to_weeks,
    weeks_in,
    write_weeks,
    write_whole,
)
from lakehouse.listener_tracks import LISTENER_TRACKS, listener_tracks
from lakehouse.similarity import song_similarity
from lakehouse.songs import catalogue
from lakehouse.table_state import read_small, weeks_of
from lakehouse.trending import CHART_COLUMNS, charts, described

CHARTS = table("silver", "weekly_trending_tracks")
SIMILARITY = table("silver", "song_similarity")
# So many weeks are not yet long over.
PAST_WEEKS = 4
# Stands for the end of a block where there is none.
_BEFORE_ALL = date(1900, 1, 1)
_SONG_COLUMNS = ["track_id", "title", "artist_id", "artist_name", "genre"]
_A_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Written:
    """The written weeks of a table (None: all weeks)."""

    table: Table
    weeks: set[date] | None


class Lake:
    """The shared input of these refreshes: silver's events and the catalogue, at their versions when the run began. The run opens each
    table version once. Spark keeps the catalogue until `close`."""

    def __init__(self, spark: SparkSession, lake_uri: str, run_key: str, build: Build):
        self.spark, self.lake_uri, self.run_key = spark, lake_uri, run_key
        self.build = build
        self._changed_songs: dict[int | None, set[date] | None] = {}
        self._songs: dict[int | None, DataFrame] = {}
        self._songs_lock = Lock()
        self._read: dict[tuple[Table, int | None], DataFrame] = {}
        self._read_lock = Lock()

    def close(self) -> None:
        for songs in self._songs.values():
            songs.unpersist()

    def recipe(self) -> Recipe:
        """The current inputs of a table that is made of events and catalogue."""
        return recipe_of([EVENTS, SONGS], self.lake_uri, self.build)

    def weekly_recipe(self) -> Recipe:
        """The same of a table that ends with the data's last week."""
        return replace(self.recipe(), through=None if self.data is None else self.data.last_week)

    @cached_property
    def data(self) -> DataWeeks | None:
        """From when to when the data goes, as silver/active_users has it; None where there is no event."""
        return data_weeks(self.lake_uri)

    def read(self, source: Table, recipe: Recipe) -> DataFrame:
        version = recipe.versions[source.path]
        with self._read_lock:
            if (source, version) not in self._read:
                self._read[source, version] = rows_if_there(self.spark, source, self.lake_uri, version)
            return self._read[source, version]

    def songs(self, recipe: Recipe) -> DataFrame:
        version = recipe.versions[SONGS.path]
        with self._songs_lock:
            if version not in self._songs:
                self._songs[version] = catalogue(self.read(SONGS, recipe)).persist()
            return self._songs[version]

    def events(self, recipe: Recipe) -> DataFrame:
        """Silver's events up to the recipe's last week."""
        return self.read(EVENTS, recipe).where(F.col(WEEK) <= F.lit(recipe.through or _BEFORE_ALL))

    def new_weeks(self, target: Table, recipe: Recipe) -> set[date] | None:
        """The weeks of `target` that are not as its sources are; None where it must be made whole."""
        former = former_recipe(target, self.lake_uri, recipe)
        if former is None:
            return None
        changes = changes_of(EVENTS, self.lake_uri, former.versions, recipe)
        of_songs = self._weeks_of_songs(former.versions, recipe)
        if changes is None or of_songs is None:
            return None
        # Weeks that were pending may count now, and the other way round: nothing in them need have changed.
        low, high = sorted((former.through or _BEFORE_ALL, recipe.through or _BEFORE_ALL))
        moved = {week for week in self.present_weeks | weeks_of(target, self.lake_uri) if week > low}
        changed = to_weeks(changes.partitions(WEEK)) | of_songs
        weeks = {week for week in changed | moved if week <= high}
        return None if len(weeks) > MOST_WEEKS * max(len(self.present_weeks), 2) else weeks

    @cached_property
    def present_weeks(self) -> set[date]:
        """The weeks silver has events of."""
        return weeks_of(EVENTS, self.lake_uri)

    def _weeks_of_songs(self, former: dict, recipe: Recipe) -> set[date] | None:
        """The weeks with listens of a track whose song row was added, removed or changed. A run looks them up once."""
        before = former[SONGS.path]
        if before == recipe.versions[SONGS.path]:
            return set()
        if before not in self._changed_songs:
            changes = changes_of(SONGS, self.lake_uri, former, recipe)
            changed = changes and changed_rows(self.spark, SONGS, self.lake_uri, changes, _SONG_COLUMNS)
            self._changed_songs[before] = None if changed is None else self._weeks_with(changed, recipe)
        return self._changed_songs[before]

    def _weeks_with(self, tracks: DataFrame, recipe: Recipe) -> set[date]:
        events = self.read(EVENTS, recipe)
        return weeks_in(events.join(tracks.select("track_id").distinct(), on="track_id", how="left_semi"))


def refresh_active_users(lake: Lake) -> Written:
    """Updates active_users: counts the changed weeks again and writes the table as a single file. This comes before
    all tables that go up to the data's last week."""
    recipe = recipe_of([EVENTS], lake.lake_uri, lake.build)
    former = former_versions(ACTIVE_USERS, lake.lake_uri, recipe)
    changes = None if former is None else changes_of(EVENTS, lake.lake_uri, former, recipe)
    weeks = None if changes is None else to_weeks(changes.partitions(WEEK))
    if weeks == set():
        return Written(ACTIVE_USERS, set())
    events, kept = lake.read(EVENTS, recipe), []
    if weeks is not None:
        events = events.where(in_weeks_sql(weeks))
        before = read_small(ACTIVE_USERS, lake.lake_uri, ACTIVE_USERS.column_names).to_pylist()
        kept = [row for row in before if row[WEEK] not in weeks]
    days = sorted([*kept, *active_users(events)], key=lambda row: row["event_date"])
    overwrite_few(lake.spark, days, ACTIVE_USERS, lake.lake_uri, recipe.commit(lake.run_key, ACTIVE_USERS))
    return Written(ACTIVE_USERS, weeks)


def refresh_weekly(lake: Lake, target: Table, make: Callable[[DataFrame, DataFrame], DataFrame]) -> Written:
    """Updates a table whose rows depend on the events of their own week and on the catalogue: `make(events, songs)`.
    The table ends with the data's last week."""
    recipe = lake.weekly_recipe()
    weeks = lake.new_weeks(target, recipe)
    if weeks == set():
        return Written(target, set())
    events, songs = lake.events(recipe), lake.songs(recipe)
    if weeks is None:
        write_whole(make(events, songs), target, lake.lake_uri, lake.run_key, recipe)
    else:
        rows = make(events.where(in_weeks_sql(weeks)), songs)
        write_weeks(rows, target, lake.lake_uri, lake.run_key, recipe, weeks)
    return Written(target, weeks)


def refresh_charts(lake: Lake) -> Written:
    """Updates the charts of the new weeks, and of the weeks after them, whose previous ranks may change. The last
    chart is the chart of the data's last week."""
    recipe = lake.weekly_recipe()
    weeks = lake.new_weeks(CHARTS, recipe)
    if weeks == set():
        return Written(CHARTS, set())
    events, songs = lake.events(recipe), lake.songs(recipe)
    if weeks is None:
        write_whole(described(charts(events), songs), CHARTS, lake.lake_uri, lake.run_key, recipe)
        return Written(CHARTS, None)
    others = rows_of(lake.spark, CHARTS, lake.lake_uri).where(f"NOT {in_weeks_sql(weeks)}")
    after = {week + _A_WEEK for week in weeks} - weeks
    before = {week - _A_WEEK for week in weeks | after} - weeks
    beside = others.where(in_weeks_sql(after | before)).select(*CHART_COLUMNS)
    targets = weeks | (after & weeks_in(beside))
    chart = charts(events.where(in_weeks_sql(weeks))).unionByName(beside)
    rows = described(chart, songs).where(in_weeks_sql(targets))
    write_weeks(rows, CHARTS, lake.lake_uri, lake.run_key, recipe, targets)
    return Written(CHARTS, targets)


def refresh_whole(lake: Lake, target: Table, sources: list[Table], make: Callable[[Recipe], DataFrame]) -> Written:
    """Makes a whole table again if an input has changed, for tables that depend on all events."""
    recipe = recipe_of(sources, lake.lake_uri, lake.build)
    if former_versions(target, lake.lake_uri, recipe) == recipe.versions:
        return Written(target, set())
    write_whole(make(recipe), target, lake.lake_uri, lake.run_key, recipe)
    return Written(target, None)


def refresh_similarity(lake: Lake) -> Written:
    """Makes song_similarity again when four more weeks of the data are complete. Similarity changes slowly and
    depends on all events."""
    through = last_whole_block(lake.data.weeks) if lake.data else None
    return _refresh_by_blocks(lake, SIMILARITY, through, lambda events, _: song_similarity(events))


def refresh_listener_tracks(lake: Lake) -> Written:
    """Makes listener_tracks again when four more weeks of the data are older than PAST_WEEKS. So a model that
    excludes the last weeks can use the table, and it has no data of the recent features."""
    data = lake.data
    long_over = {week for week in data.weeks if week <= data.last_week - PAST_WEEKS * _A_WEEK} if data else set()
    return _refresh_by_blocks(lake, LISTENER_TRACKS, last_whole_block(long_over), listener_tracks)


def _refresh_by_blocks(
    lake: Lake, target: Table, through: date | None, make: Callable[[DataFrame, date], DataFrame]
) -> Written:
    """Makes a table of the events up to `through` again if that day or a week before it has changed.

    The ends of the blocks of four weeks do not depend on the time of loading, so a lake that was built week by week
    equals a lake that was built at once. Without a block the table is empty.
    """
    events = recipe_of([EVENTS], lake.lake_uri, lake.build)
    recipe = Recipe(events.versions, lake.build.with_setting(f"through {through}"))
    former = former_versions(target, lake.lake_uri, recipe)
    changes = None if former is None else changes_of(EVENTS, lake.lake_uri, former, recipe)
    upto = through or _BEFORE_ALL
    if changes is not None and all(week > str(upto) for week in changes.partitions(WEEK)):
        return Written(target, set())
    rows = make(lake.read(EVENTS, events).where(F.col(WEEK) <= F.lit(upto)), upto)
    write_whole(rows, target, lake.lake_uri, lake.run_key, recipe)
    return Written(target, None)
