"""The split by time: what is learnt from, what is tuned on, what is judged by. Nothing after a cut is read before it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.beside import beside
from lakehouse.evaluation import Truth
from lakehouse.listeners import View, day_number

# A week each for tuning and judging, less where there is little data: a part of what there is.
HELD_OUT_DAYS = 7
LEAST_PART = 4
# Judged by so many listeners at most, chosen by a hash of their id: more would narrow the interval, not move the mean.
MOST_LISTENERS = 2000


@dataclass(frozen=True)
class Split:
    """Days: learn before `valid_from`, tune on [valid_from, test_from), judge on [test_from, until)."""

    valid_from: date
    test_from: date
    until: date


def split_by_time(first: date, last: date) -> Split:
    """The split of events from `first` to `last`, both included."""
    until = last + timedelta(days=1)
    days = max(1, min(HELD_OUT_DAYS, (until - first).days // LEAST_PART))
    return Split(until - timedelta(days=2 * days), until - timedelta(days=days), until)


def new_tracks(met: DataFrame, start: date, end: date) -> Truth:
    """What listeners heard on days from `start` until before `end`, did not skip, and had never met before `start`; `met` is of
    interactions.encounters, indexed, whose cuts have `start`.

    Only of listeners who were there before: of the others nothing could be known.
    """
    had_met = F.col(View.at(start).affinity).isNotNull()
    there_before = met.where(had_met).select("user_id").distinct()
    heard = beside(met, {"end": day_number(end)}).where(F.col("first_heard") < F.col("end"))
    new = heard.where(~had_met).join(there_before, on="user_id", how="left_semi")
    judged = new.select("user_id").distinct().orderBy(F.xxhash64("user_id"), "user_id").limit(MOST_LISTENERS)
    indexed = (
        new.join(judged, on="user_id", how="left_semi")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list("track")).alias("tracks"))
        .toArrow()
    )
    return {
        user: np.array(found, dtype=np.int64)
        for user, found in zip(indexed.column("user_id").to_pylist(), indexed.column("tracks").to_pylist(), strict=True)
    }
