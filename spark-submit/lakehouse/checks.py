"""Checks of a table against its contract: run on every refresh, on what is new in it; each result is a row.

From the contract's columns and key come: the key is unique, required columns are never null, columns hold allowed values
only. `checks` adds ranges, referential shares and freshness. A hard check that fails stops the refresh, and keeps failing
until the table has passed: what was checked and passed is known by the table's version in gold/table_checks.
"""

from dataclasses import dataclass
from datetime import date
from itertools import chain

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Check, Table, table
from lakehouse.delta_log import changes_between, newest_commit
from lakehouse.errors import FailedChecks
from lakehouse.freshness import newest_that_counts
from lakehouse.incremental import WEEK, in_weeks_sql, to_weeks
from lakehouse.table_state import range_of, read_small, rows_in
from lakehouse.tables import create_table, has_table, read_table, retry_conflicts, writer_of

RESULTS = table("gold", "table_checks")
_LONGEST_SCOPE = 8
_FEW_ROWS = 1_000_000


@dataclass(frozen=True)
class Result:
    """One check of one table: `observed` is what was counted or measured, `expected` says when it passes."""

    table: Table
    version: int
    scope: str
    check: str
    is_hard: bool
    is_passed: bool
    observed: float
    expected: str

    def __str__(self) -> str:
        return f"{self.table.path} version {self.version}: {self.check} is {self.observed:g}, expected {self.expected}"


class Checks:
    """The checks of one run: tables are checked one by one, from any thread; `conclude` records what was found."""

    def __init__(self, spark: SparkSession, lake_uri: str, run_key: str, checked_at: str):
        self._spark, self._lake_uri, self._run_key, self._checked_at = spark, lake_uri, run_key, checked_at
        self._passed = _last_passed(lake_uri)
        self._results: dict[str, list[Result]] = {}

    def check(self, checked: Table) -> None:
        """Checks a table as it is now."""
        self._results[checked.path] = check_table(self._spark, checked, self._lake_uri, self._passed.get(checked.path))

    def conclude(self) -> dict:
        """Writes the results to gold/table_checks; raises FailedChecks if a hard check failed."""
        results = list(chain.from_iterable(self._results[path] for path in sorted(self._results)))
        if results:
            _write(self._spark, results, self._lake_uri, self._run_key, self._checked_at)
        failed = [result for result in results if not result.is_passed]
        hard = [result for result in failed if result.is_hard]
        if hard:
            raise FailedChecks(f"{'; '.join(map(str, hard))}. See gold/table_checks; nothing was published")
        return {"checked": len(results), "warnings": [str(result) for result in failed]}


def check_table(spark: SparkSession, checked: Table, lake_uri: str, passed: int | None = None) -> list[Result]:
    """The results for one table: of the weeks that are new since version `passed`, which passed; else of all its rows.

    Of a table without anything new only the freshness is looked at: its sources may have gone on without it.
    """
    version = newest_commit(checked, lake_uri)
    weeks = _new_weeks(checked, lake_uri, version, passed)
    fresh = [check for check in checked.checks if check.kind == "freshness"]
    found = [_freshness(spark, check, checked, version, lake_uri) for check in fresh]
    if weeks != set():
        everything = read_table(spark, checked, lake_uri, version)
        rows = everything if weeks is None else everything.where(in_weeks_sql(weeks))
        counts_keys = bool(checked.key) and (weeks is not None or rows_in(checked, lake_uri, version) <= _FEW_ROWS)
        is_in_any_week = bool(weeks) and bool(checked.key) and WEEK not in checked.key
        results, seen = _row_checks(checked, rows, counts_keys, is_in_any_week)
        others = everything.where(f"NOT {in_weeks_sql(weeks)}") if is_in_any_week else None
        found += [*results, *_unique(checked, rows, others, seen)]
        found += [_references(spark, check, rows, lake_uri) for check in checked.checks if check.kind == "references"]
    return [Result(checked, version, _describe(weeks), *each) for each in found]


@dataclass(frozen=True)
class Keys:
    """What one pass saw of the rows' keys: whether one may occur twice, and the least and greatest of the key's first column where
    that was asked for."""

    may_repeat: bool
    bounds: tuple | None


def _row_checks(checked: Table, rows: DataFrame, counts_keys: bool, bounds_keys: bool) -> tuple[list[tuple], Keys]:
    """Rows that break a rule of their own, and shares of rows; and what is seen of their keys. All in one pass: what few rows cost is
    the queries. To count the keys of many in it would shuffle all counters with every row."""
    rules = _rules(checked)
    shares = [check for check in checked.checks if check.kind == "share"]
    counts = [F.count_if(rule).alias(f"r{place}") for place, rule in enumerate(rules.values())]
    means = [F.avg(F.col(check.column).cast("double")).alias(f"s{place}") for place, check in enumerate(shares)]
    keys = (
        [F.count(F.lit(1)).alias("rows"), F.count_distinct(_hash_of_key(checked)).alias("keys")] if counts_keys else []
    )
    bounds = [F.min(checked.key[0]).alias("least"), F.max(checked.key[0]).alias("greatest")] if bounds_keys else []
    found = rows.agg(*counts, *means, *keys, *bounds).collect()[0].asDict()
    broken = [found[f"r{place}"] for place in range(len(counts))]
    observed = [found[f"s{place}"] for place in range(len(means))]
    results = [
        *((name, True, count == 0, float(count), "0 rows") for name, count in zip(rules, broken, strict=True)),
        *(_share(check, share) for check, share in zip(shares, observed, strict=True)),
    ]
    may_repeat = not counts_keys or found["keys"] < found["rows"]
    return results, Keys(may_repeat, (found["least"], found["greatest"]) if bounds_keys else None)


def _rules(checked: Table) -> dict[str, Column]:
    """What is wrong with a row, by name."""
    rules: dict[str, Column] = {}
    for column in checked.columns:
        if column.required:
            rules[f"{column.name} is null"] = F.col(column.name).isNull()
        if column.allowed:
            rules[f"{column.name} is not allowed"] = ~F.col(column.name).isin(*column.allowed)
    for check in checked.checks:
        if check.kind == "range":
            rules[f"{check.column} is out of range"] = _out_of_range(check)
    return rules


def _share(check: Check, share: float | None) -> tuple:
    """The share of rows in which a boolean column is true; of no rows, all."""
    observed = 1.0 if share is None else share
    name, expected = f"{check.column} is true", f"a share of at least {check.least:g}"
    return name, check.is_hard, observed >= check.least, observed, expected


def _out_of_range(check: Check) -> Column:
    value = F.col(check.column)
    too_small = value < check.least if check.least is not None else F.lit(False)
    too_large = value > check.most if check.most is not None else F.lit(False)
    return too_small | too_large


def _unique(checked: Table, rows: DataFrame, others: DataFrame | None, seen: Keys) -> list[tuple]:
    """Keys that occur more than once among the rows; and beside them in `others`, where those may have them. Of the others Delta skips
    the files whose keys are all less than the rows' least, or greater than their greatest."""
    if not checked.key:
        return []
    key, hashed = list(checked.key), _hash_of_key(checked).alias("_hash")
    doubled = 0
    # Different keys may share a hash: only where hashes meet are keys compared as they are.
    repeated = rows.groupBy(hashed).count().where(F.col("count") > 1).select("_hash")
    if seen.may_repeat and not repeated.isEmpty():
        suspects = rows.withColumn("_hash", hashed).join(repeated, on="_hash", how="left_semi")
        doubled = suspects.groupBy(*key).count().where(F.col("count") > 1).count()
    if others is not None:
        near = others.where(F.col(key[0]).between(*seen.bounds))
        if not near.select(hashed).join(rows.select(hashed), on="_hash", how="left_semi").isEmpty():
            doubled += near.join(rows.select(*key).distinct(), on=key, how="left_semi").count()
    return [(f"{', '.join(key)} is not unique", True, doubled == 0, float(doubled), "0 keys")]


def _hash_of_key(checked: Table) -> Column:
    return F.xxhash64(*checked.key)


def _references(spark: SparkSession, check: Check, rows: DataFrame, lake_uri: str) -> tuple:
    """The share of distinct values that the other table has."""
    values = rows.where(F.col(check.column).isNotNull()).select(F.col(check.column).alias("_value")).distinct()
    others = read_table(spark, check.other_table, lake_uri).select(F.col(check.other_column).alias("_value")).distinct()
    known = values.join(others.withColumn("_known", F.lit(1)), on="_value", how="left")
    found, total = known.agg(F.count("_known"), F.count(F.lit(1))).collect()[0]
    share = 1.0 if total == 0 else found / total
    name = f"{check.column} in {check.other_table.path}"
    return name, check.is_hard, share >= check.least, share, f"a share of at least {check.least:g}"


def _freshness(spark: SparkSession, check: Check, checked: Table, version: int, lake_uri: str) -> tuple:
    """Days by which the newest value lies behind the newest of the other table; of a table that is not there, none."""
    found = range_of(spark, checked, lake_uri, check.column, version)
    newest = found[1] if found else date.min
    expected = newest_that_counts(spark, check.other_table, lake_uri, check.other_column, newest)
    behind = 0 if expected is None else (expected - newest).days
    return f"days behind {check.other_table.path}", check.is_hard, behind <= 0, float(behind), "0 days"


def _new_weeks(checked: Table, lake_uri: str, version: int, passed: int | None) -> set[date] | None:
    """Weeks that are new since the version that passed last; None for all rows."""
    if passed == version:
        return set()
    if passed is None or passed > version or WEEK not in checked.partition_by:
        return None
    changes = changes_between(checked, lake_uri, passed, version)
    return None if changes is None else to_weeks(changes.partitions(WEEK))


def _last_passed(lake_uri: str) -> dict[str, int]:
    """The newest version of each table that passed all its hard checks."""
    if not has_table(RESULTS, lake_uri):
        return {}
    columns = ["run_key", "table", "table_version", "is_hard", "is_passed"]
    passed: dict[tuple[str, str, int], bool] = {}
    results = read_small(RESULTS, lake_uri, columns)
    for *checked, is_hard, is_passed in zip(*(results.column(name).to_pylist() for name in columns), strict=True):
        passed[tuple(checked)] = passed.get(tuple(checked), True) and (is_passed or not is_hard)
    newest: dict[str, int] = {}
    for (_, path, version), is_good in passed.items():
        if is_good:
            newest[path] = max(version, newest.get(path, version))
    return newest


def _describe(weeks: set[date] | None) -> str:
    if weeks is None:
        return "all rows"
    if not weeks:
        return "nothing new"
    listed = ", ".join(str(week) for week in sorted(weeks)[-_LONGEST_SCOPE:])
    return f"weeks {listed}" if len(weeks) <= _LONGEST_SCOPE else f"{len(weeks)} weeks, the last {listed}"


def _write(spark: SparkSession, results: list[Result], lake_uri: str, run_key: str, checked_at: str) -> None:
    create_table(spark, RESULTS, lake_uri)
    values = [
        (run_key, r.table.path, r.version, r.scope, r.check, r.is_hard, r.is_passed, r.observed, r.expected)
        for r in results
    ]
    schema = (
        "run_key string, `table` string, table_version bigint, scope string, `check` string, "
        "is_hard boolean, is_passed boolean, observed double, expected string"
    )
    rows = spark.createDataFrame(values, schema).withColumn("checked_at", F.lit(checked_at).cast("timestamp"))
    versions = ",".join(sorted({f"{r.table.path}@{r.version}" for r in results}))
    writer = writer_of(rows.coalesce(1), RESULTS, f"{run_key}/checks/{versions}").mode("append")
    retry_conflicts(lambda: writer.save(RESULTS.uri(lake_uri)))
