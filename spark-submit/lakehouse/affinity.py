"""What events say about liking: the weight of each kind, and how it fades."""

from pyspark.sql import Column
from pyspark.sql import functions as F

# What one event says about liking: a like is meant, a listen may be chance, a skip is a mild no. What somebody said to the
# service itself says more: a love more than a like, and a hate outweighs many a listen.
EVENT_WEIGHTS = {"complete_listen": 1.0, "like": 3.0, "skip": -0.5, "love": 5.0, "hate": -20.0}
NOT_HEARD = ("skip", "hate")
# An event this many days old counts half.
HALF_LIFE_DAYS = 180.0


def contribution(cut: Column) -> Column:
    """What an event (event_type, event_date) adds to the affinity at the start of the day `cut`; null where it is not before that."""
    weight = F.lit(0.0)
    for event_type, value in EVENT_WEIGHTS.items():
        weight = F.when(F.col("event_type") == event_type, value).otherwise(weight)
    age_days = F.datediff(cut, "event_date")
    return F.when(age_days > 0, weight * F.pow(F.lit(0.5), age_days / HALF_LIFE_DAYS))


def share_left(days: int) -> float:
    """The share of an affinity that is left after so many days in which nothing is added."""
    return 0.5 ** (days / HALF_LIFE_DAYS)


def heard_on() -> Column:
    """The day of an event in which the track was heard; null for a skip or hate."""
    return F.when(~F.col("event_type").isin(*NOT_HEARD), F.col("event_date"))
