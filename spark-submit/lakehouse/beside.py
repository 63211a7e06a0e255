"""Values that differ from run to run, in a row beside a query's rows instead of in its code.

Spark writes days and numbers (texts it does not) into the code that it generates for a query, so that next week's query would be
compiled anew, by Spark and by the JVM: seconds of processor time for queries that take one. Values that come as a row leave the
code as it was.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_TYPES = {date: "date", float: "double", int: "int"}


def beside(rows: DataFrame, values: dict[str, date | float | int]) -> DataFrame:
    """Adds a column for each value, the same in every row."""
    if not values:
        return rows
    schema = ", ".join(f"{name} {_TYPES[type(value)]}" for name, value in values.items())
    return rows.crossJoin(F.broadcast(rows.sparkSession.createDataFrame([tuple(values.values())], schema)))
