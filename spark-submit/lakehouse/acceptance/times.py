"""Times by the grammar of contracts/acceptance/README.md, and the range in which a listen's time lies."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.acceptance.rules import rules

_DAY = "(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOURS_AND_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECONDS = r":[0-5][0-9](?:\.[0-9]{1,9})?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?))?"
# Spark's cast reads these as the grammar means them, and gives null for a day that no calendar has.
WITH_SECONDS = f"{_DAY}[T ]{_HOURS_AND_MINUTES}{_SECONDS}{_ZONE}"
_WITHOUT_SECONDS = f"{_DAY}[T ]{_HOURS_AND_MINUTES}{_ZONE}"
_LAST = "9999-12-31T23:59:59.999999+00:00"
_MINUTE = len("2025-01-07T05:00")


def instant(text: Column) -> Column:
    """The time that a text names; null where it is not written by the grammar or names a day that no calendar has.

    Spark's cast alone would also read a year, a word (`today`), a name of a zone (`BST` as Bangladesh's) and blanks around.
    """
    to_the_minute = F.concat(
        F.substring(text, 1, _MINUTE), F.lit(":00"), F.substring(text, _MINUTE + 1, len("+18:00"))
    ).try_cast("timestamp")
    return F.when(text.rlike(rf"\A{WITH_SECONDS}\z"), text.try_cast("timestamp")).when(
        text.rlike(rf"\A{_WITHOUT_SECONDS}\z"), to_the_minute
    )


@dataclass(frozen=True)
class ListenTimes:
    """The first and the last moment, both included, at which an acceptable listen was played: ISO 8601 texts, UTC."""

    earliest: str
    latest: str

    @classmethod
    def until(cls, now: str, earliest: str | None = None) -> "ListenTimes":
        """The range for what is taken `now` (ISO 8601, UTC unless it has an offset): clocks may be ahead of ours."""
        latest = _in_utc(now) + timedelta(minutes=rules().ahead_minutes)
        return cls(_in_utc(earliest or rules().earliest).isoformat(), latest.isoformat())

    def with_ends(self) -> "ListenTimes":
        """The same for the end of something, which may lie ahead, up to the last moment that other readers can name."""
        return replace(self, latest=_LAST)

    def problem(self, time: Column) -> Column:
        """`too_early`, `too_late`, or null for a time in the range."""
        is_early = time < F.lit(self.earliest).cast("timestamp")
        is_late = time > F.lit(self.latest).cast("timestamp")
        return F.when(is_early, "too_early").when(is_late, "too_late")


def _in_utc(text: str) -> datetime:
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
