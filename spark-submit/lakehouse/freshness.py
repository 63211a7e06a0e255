"""Up to which day a table has something that the tables made of it are to have, too."""

from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contracts import Table
from lakehouse.data_weeks import data_weeks
from lakehouse.events_refresh import EVENTS
from lakehouse.listening_events import FILES, STREAM
from lakehouse.refused_events import accepted
from lakehouse.table_state import range_of
from lakehouse.tables import has_table, read_table


def newest_that_counts(
    spark: SparkSession, source: Table, lake_uri: str, column: str, than: date | None, earliest: str
) -> date | None:
    """The newest day in a column of a table; None where there is none, or no table. Of silver's events those of pending weeks count
    for nothing, of bronze's those that are refused (listens before `earliest` among them). `than` is the newest day that is known to be there, None where there is none."""
    if not has_table(source, lake_uri):
        return None
    if source == EVENTS:
        data = data_weeks(lake_uri)
        return None if data is None else data.newest(column)
    days = range_of(spark, source, lake_uri, column)
    if days is None or source not in (FILES, STREAM) or (than is not None and days[1] <= than):
        return None if days is None else days[1]
    rows = read_table(spark, source, lake_uri)
    later = rows if than is None else rows.where(F.col(column) > F.lit(than))
    return accepted(later, earliest).agg(F.max(column)).collect()[0][0]
