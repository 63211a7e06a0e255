"""Days that differ from run to run, in a row beside a query's rows instead of in its code.

Spark writes days into the code that it generates for a query, so that next week's query would be compiled anew, by Spark and by
the JVM: seconds of processor time for queries that take one. Days that come as a row leave the code as it was.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def beside(rows: DataFrame, days: dict[str, date]) -> DataFrame:
    """Adds a column for each day, the same in every row."""
    if not days:
        return rows
    schema = ", ".join(f"{name} date" for name in days)
    return rows.crossJoin(F.broadcast(rows.sparkSession.createDataFrame([tuple(days.values())], schema)))
