"""Silver active_users: how many users had an event on each day and in each week. lakehouse/data_weeks.py reads it."""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_WEEK_DAYS = 7


def active_users(events: DataFrame) -> list[dict]:
    """Rows of silver/active_users from events of silver listening_events. Grain: a day with an event. The events
    must be whole weeks.

    Cost: a single shuffle with a row per user and week. The user's active days are the bits of a number, because
    counting each day's users separately would shuffle several times as many rows.
    """
    day = F.expr("shiftleft(1, datediff(week_end, event_date))")
    by_user = events.groupBy("week_end", "user_id").agg(F.bit_or(day).alias("days"), F.count(F.lit(1)).alias("events"))
    on_day = [F.count_if(F.getbit("days", F.lit(day)) == 1).alias(f"d{day}") for day in range(_WEEK_DAYS)]
    by_week = by_user.groupBy("week_end").agg(
        F.count(F.lit(1)).alias("users"), F.sum("events").alias("events"), *on_day
    )
    return [row for week in by_week.collect() for row in _days_of(week.asDict())]


def _days_of(week: dict) -> list[dict]:
    shared = {"week_end": week["week_end"], "week_users": week["users"], "week_events": week["events"]}
    return [
        {"event_date": _day(week["week_end"], back), "users": week[f"d{back}"], **shared}
        for back in range(_WEEK_DAYS)
        if week[f"d{back}"]
    ]


def _day(week_end: date, back: int) -> date:
    return week_end - timedelta(days=back)
