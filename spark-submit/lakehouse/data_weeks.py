"""The first and last week and day of the data: the only definition of the data's last week.

The listens of a single user must not move the last week. Otherwise a device with a wrong clock, or a single import,
would turn an empty week into the last week for all users. So a week counts as the last week only if it has enough
users compared with the largest week before it. The data's last week is the newest week that counts. Later weeks are
pending: their events are in silver and in the users' history, but in no other table until a week as late has enough
users. The first week is the oldest week that counts by the same rule from the other end. Earlier weeks are normal
data, but they do not make the data older. The newest day of the last week and the oldest day of the first week
follow from the same rule for days.
"""

from dataclasses import dataclass
from datetime import date
from math import ceil

from lakehouse.contracts import table
from lakehouse.table_state import read_small

ACTIVE_USERS = table("silver", "active_users")
# A week needs a user for every hundred users of the largest week before it. If a week before it had more than two
# users, a single user is never enough.
USERS_FOR_ONE = 100
FEW_USERS = 2


@dataclass(frozen=True)
class DataWeeks:
    """The data's first and last week (by their last days) and day, every week with an event between them, and the
    contents of the weeks after the last week."""

    first_week: date
    last_week: date
    first_day: date
    last_day: date
    weeks: frozenset[date]
    newest_day: date
    pending_weeks: int
    pending_events: int

    def newest(self, column: str) -> date:
        """The newest `week_end` or `event_date` of an event up to the last week."""
        return self.last_week if column == "week_end" else self.newest_day


def data_weeks(lake_uri: str) -> DataWeeks | None:
    """As silver/active_users has them; None where there is no event."""
    found = read_small(ACTIVE_USERS, lake_uri, ACTIVE_USERS.column_names).to_pylist()
    return weeks_of_days(found) if found else None


def weeks_of_days(days: list[dict]) -> DataWeeks:
    """Like `data_weeks`, for rows of silver/active_users. There must be a row."""
    users = {day["week_end"]: day["week_users"] for day in days}
    events = {day["week_end"]: day["week_events"] for day in days}
    last_week = last_that_counts(users)
    first_week = first_that_counts({week: count for week, count in users.items() if week <= last_week})
    pending = [week for week in users if week > last_week]
    return DataWeeks(
        first_week,
        last_week,
        first_that_counts(_users_by_day(days, first_week)),
        last_that_counts(_users_by_day(days, last_week)),
        frozenset(week for week in users if first_week <= week <= last_week),
        max(day["event_date"] for day in days if day["week_end"] <= last_week),
        len(pending),
        sum(events[week] for week in pending),
    )


def last_that_counts(users: dict[date, int]) -> date:
    """The newest of some weeks (or days) that has enough users beside those before it."""
    return _last_of(sorted(users), users)


def first_that_counts(users: dict[date, int]) -> date:
    """The oldest of some weeks (or days) that has enough users beside those after it."""
    return _last_of(sorted(users, reverse=True), users)


def _last_of(in_order: list[date], users: dict[date, int]) -> date:
    found, most = in_order[0], 0
    for day in in_order:
        if users[day] >= _needed(most):
            found = day
        most = max(most, users[day])
    return found


def _needed(most: int) -> int:
    return 1 if most <= FEW_USERS else max(FEW_USERS, ceil(most / USERS_FOR_ONE))


def _users_by_day(days: list[dict], week: date) -> dict[date, int]:
    return {day["event_date"]: day["users"] for day in days if day["week_end"] == week}
