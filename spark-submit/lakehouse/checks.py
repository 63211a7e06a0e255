"""Checks of a table against its contract, on every refresh, for the new rows. Each result is a row.

The contract's columns and key give the checks of a unique key, of required columns and of allowed values. `checks`
adds ranges, referential shares and freshness. A failed hard check stops the refresh, and keeps failing until the
table passes. gold/table_checks records which table versions have passed.
"""

from dataclasses import dataclass
from datetime import date
from itertools import chain

from pyspark.sql import SparkSession

from lakehouse.acceptance.rules import rules
from lakehouse.contracts import Check, Table, table
from lakehouse.delta_log import changes_between, newest_commit
from lakehouse.delta_rs import Commit
from lakehouse.errors import FailedChecks
from lakehouse.few_rows import append_few
from lakehouse.freshness import newest_that_counts
from lakehouse.incremental import WEEK, to_weeks
from lakehouse.params import instant
from lakehouse.row_checks import Rows, check_reference, check_rows
from lakehouse.table_state import range_of, read_small
from lakehouse.tables import has_table

RESULTS = table("gold", "table_checks")
_LONGEST_SCOPE = 8


@dataclass(frozen=True)
class Result:
    """The result of a check of a table. `observed` is the counted or measured value, and `expected` describes a
    pass."""

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
    """The checks of a run. Any thread may check a table, and `conclude` records the results. `earliest` is the
    earliest time of an acceptable listen (default: the contract's)."""

    def __init__(self, spark: SparkSession, lake_uri: str, run_key: str, checked_at: str, earliest: str | None = None):
        self._spark, self._lake_uri, self._run_key, self._checked_at = spark, lake_uri, run_key, checked_at
        self._earliest = earliest
        self._passed = _last_passed(lake_uri)
        self._results: dict[str, list[Result]] = {}

    def check(self, checked: Table) -> None:
        """Checks a table as it is now."""
        passed = self._passed.get(checked.path)
        self._results[checked.path] = check_table(self._spark, checked, self._lake_uri, passed, self._earliest)

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


def check_table(
    spark: SparkSession, checked: Table, lake_uri: str, passed: int | None = None, earliest: str | None = None
) -> list[Result]:
    """The results for a table. If version `passed` has passed, only the weeks since then are checked; otherwise all
    rows.

    A table without new rows still has its freshness checked, because its sources may have new rows.
    """
    version = newest_commit(checked, lake_uri)
    weeks = _new_weeks(checked, lake_uri, version, passed)
    fresh = [check for check in checked.checks if check.kind == "freshness"]
    found = [_freshness(spark, check, checked, version, lake_uri, earliest or rules().earliest) for check in fresh]
    if weeks != set():
        rows = Rows.of(checked, lake_uri, version, weeks)
        found += check_rows(rows)
        found += [check_reference(rows, check, lake_uri) for check in checked.checks if check.kind == "references"]
    return [Result(checked, version, _describe(weeks), *each) for each in found]


def _freshness(spark: SparkSession, check: Check, checked: Table, version: int, lake_uri: str, earliest: str) -> tuple:
    """Days by which the newest value lies behind the newest of the other table; of a table that is not there, none."""
    found = range_of(spark, checked, lake_uri, check.column, version)
    newest = found[1] if found else None
    expected = newest_that_counts(spark, check.other_table, lake_uri, check.other_column, newest, earliest)
    behind = 0 if expected is None else (expected - (newest or date.min)).days
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
    rows = [
        {
            "run_key": run_key,
            "checked_at": instant(checked_at),
            "table": result.table.path,
            "table_version": result.version,
            "scope": result.scope,
            "check": result.check,
            "is_hard": result.is_hard,
            "is_passed": result.is_passed,
            "observed": result.observed,
            "expected": result.expected,
        }
        for result in results
    ]
    versions = ",".join(sorted({f"{result.table.path}@{result.version}" for result in results}))
    append_few(spark, rows, RESULTS, lake_uri, Commit(f"{run_key}/checks/{versions}"))
