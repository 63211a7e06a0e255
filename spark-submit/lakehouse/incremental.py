"""Tables that a refresh updates by weeks: the inputs of a table, the changes in them, and the writes of these
changes.

Every commit of such a table carries a note (Delta's `userMetadata`): the versions of its source tables and its build
(code and settings). The note is part of the commit, so table and note always agree, even after a crash. The next run
compares the note with the logs of the sources. If it cannot find the changes (no note, a different build, a cleaned-
up log), it makes the table whole.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import WEEK, Table
from lakehouse.delta_log import Changes, changes_between, commit_note, newest_commit
from lakehouse.delta_rs import Commit
from lakehouse.few_rows import are_few, overwrite_table
from lakehouse.files import all_exist
from lakehouse.params import Params
from lakehouse.tables import has_table, sql_text

# Beyond this share of the weeks, the search for unchanged weeks costs more than it saves.
MOST_WEEKS = 0.5


@dataclass(frozen=True)
class Build:
    """Code and settings, with a name that changes with them. A forced build makes every table whole."""

    name: str
    is_forced: bool = False

    @classmethod
    def of(cls, params: Params) -> "Build":
        return cls(params.text("build"), params.flag("force"))

    def with_setting(self, setting: str) -> "Build":
        return Build(f"{self.name}/{setting}", self.is_forced)


@dataclass(frozen=True)
class Recipe:
    """The inputs of a table now: the newest versions of its source tables (None: no such table), and for a table of
    weeks its last week."""

    versions: dict[str, int | None]
    build: Build
    through: date | None = None

    def note(self) -> dict:
        through = {} if self.through is None else {"through": str(self.through)}
        return {"inputs": self.versions, "build": self.build.name, **through}

    def commit(self, run_key: str, table: Table, condition: str | None = None) -> Commit:
        """A commit that carries the recipe. Its id: this run, this table, these inputs. A repeat with newer inputs is another unit of
        work."""
        digest = hashlib.sha256(json.dumps(self.note(), sort_keys=True).encode()).hexdigest()[:16]
        return Commit(f"{run_key}/{table.path}/{digest}", self.note(), condition)


def recipe_of(sources: list[Table], lake_uri: str, build: Build) -> Recipe:
    return Recipe({source.path: newest_commit(source, lake_uri) for source in sources}, build)


def former_recipe(table: Table, lake_uri: str, recipe: Recipe) -> Recipe | None:
    """The former inputs of the table. None if the table must be made whole."""
    if recipe.build.is_forced or not has_table(table, lake_uri):
        return None
    note = commit_note(table, lake_uri)
    if note is None or note.get("build") != recipe.build.name or set(note["inputs"]) != set(recipe.versions):
        return None
    through = note.get("through")
    return Recipe(note["inputs"], recipe.build, None if through is None else date.fromisoformat(through))


def former_versions(table: Table, lake_uri: str, recipe: Recipe) -> dict[str, int | None] | None:
    """The versions the table was made of; None where it must be made whole."""
    former = former_recipe(table, lake_uri, recipe)
    return None if former is None else former.versions


def changes_of(source: Table, lake_uri: str, former: dict, recipe: Recipe) -> Changes | None:
    """The changes in a source since then. None if they are unknown."""
    before, now = former[source.path], recipe.versions[source.path]
    if before == now:
        return Changes((), ())
    if now is None or (before is not None and now < before):
        return None
    return changes_between(source, lake_uri, -1 if before is None else before, now)


def changed_rows(
    spark: SparkSession, source: Table, lake_uri: str, changes: Changes, columns: list[str], only: Column | None = None
) -> DataFrame | None:
    """The rows that were added or removed, each once. A row that only moved to another file is not among them.
    `only` restricts the rows by a condition.

    None if a file is gone from the store (vacuumed), because the rows are unknown then. Reads the changed files
    only.
    """
    moved = moved_rows(spark, source, lake_uri, changes, columns, only)
    return None if moved is None else moved.drop("_sign")


def moved_rows(
    spark: SparkSession, source: Table, lake_uri: str, changes: Changes, columns: list[str], only: Column | None = None
) -> DataFrame | None:
    """The same with `_sign`: how many more there are of a row than before; below 0, how many fewer."""
    uri = source.uri(lake_uri)
    parts = []
    for files, sign in ((changes.added, 1), (changes.removed, -1)):
        paths = [f"{uri}/{file.path}" for file in files]
        if not all_exist(paths):
            return None
        if paths:
            # Use the contract's schema: an old file lacks the columns that the contract gained later.
            rows = spark.read.schema(source.schema).option("basePath", uri).parquet(*paths)
            rows = rows if only is None else rows.where(only)
            parts.append(rows.select(*columns, F.lit(sign).alias("_sign")))
    if not parts:
        return spark.createDataFrame([], f"{source.schema}, _sign INT").select(*columns, "_sign")
    if len(parts) == 1:
        return parts[0]
    moved = parts[0].unionByName(parts[1]).groupBy(*columns).agg(F.sum("_sign").alias("_sign"))
    return moved.where(F.col("_sign") != 0)


def write_whole(rows: DataFrame, table: Table, lake_uri: str, run_key: str, recipe: Recipe) -> None:
    """Replaces the whole table in a single commit that carries the recipe."""
    _save(rows, table, lake_uri, recipe.commit(run_key, table), recipe)


def write_weeks(rows: DataFrame, table: Table, lake_uri: str, run_key: str, recipe: Recipe, weeks: set[date]) -> None:
    """Replaces exactly these weeks of a table that is partitioned by week_end, in a single commit that carries the
    recipe."""
    _save(rows, table, lake_uri, recipe.commit(run_key, table, in_weeks_sql(weeks)), recipe)


def in_weeks_sql(weeks: set[date], column: str = WEEK) -> str:
    """A SQL condition: the column is in this set of days."""
    return f"{column} IN ({', '.join(f'DATE{sql_text(str(week))}' for week in sorted(weeks))})"


def weeks_in(rows: DataFrame) -> set[date]:
    return {row[0] for row in rows.select(WEEK).distinct().collect()}


def to_weeks(values: set[str]) -> set[date]:
    return {date.fromisoformat(value) for value in values}


def _save(rows: DataFrame, table: Table, lake_uri: str, commit: Commit, recipe: Recipe) -> None:
    is_small = are_few(recipe.versions, lake_uri)
    # A file a week, unless it is large: every reader opens all files of the weeks it reads.
    is_spread = WEEK in table.partition_by and not is_small
    overwrite_table(rows.hint("rebalance", WEEK) if is_spread else rows, table, lake_uri, commit, is_small)
