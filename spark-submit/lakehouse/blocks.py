"""Blocks of four weeks of the data: what costs most of a refresh is made anew when one is over, all of it in the same refresh."""

from collections.abc import Collection
from datetime import date, timedelta

BLOCK_WEEKS = 4
# Blocks are counted from here; only weekdays and distances matter.
_FIRST_BLOCK = date(2024, 1, 2)
_A_WEEK = timedelta(days=7)


def last_whole_block(weeks: Collection[date]) -> date | None:
    """The last day of the last block of four weeks that is over; the last week where no block is; None without a week."""
    if not weeks:
        return None
    last = max(weeks)
    through = last - (((last - _FIRST_BLOCK).days // 7 + 1) % BLOCK_WEEKS) * _A_WEEK
    return through if through >= min(weeks) else last
