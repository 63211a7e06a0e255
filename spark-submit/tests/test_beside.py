"""Days beside a query's rows; and that next week's queries are the same code as this week's, so that nothing is compiled anew."""

from contextlib import contextmanager
from datetime import date, timedelta

from lakehouse.beside import beside
from lakehouse.interactions import encounters

EVENT = "user_id string, track_id string, event_type string, event_date date"


def test_every_row_gets_the_days(spark):
    first, second = date(2025, 1, 7), date(2025, 1, 14)
    found = beside(spark.range(2), {"first": first, "second": second})
    assert found.schema.simpleString() == "struct<id:bigint,first:date,second:date>"
    assert sorted(map(tuple, found.collect())) == [(n, first, second) for n in range(2)]
    assert beside(found, {}) is found


def test_the_training_data_of_the_next_week_is_made_by_the_same_code(spark):
    this_week, a_week = date(2025, 1, 7), timedelta(days=7)
    with compiled(spark):
        code = training_code(spark, this_week)
        assert "GeneratedIterator" in code
        assert training_code(spark, this_week + a_week) == code


def training_code(spark, until: date) -> str:
    """The code generated for what was known a week before `until`, and then."""
    cuts = [until - timedelta(days=7), until]
    events = spark.createDataFrame([("u", "t", "like", until)], EVENT)
    met = encounters(events, cuts)
    explained = spark._jvm.PythonSQLUtils.explainString(met._jdf.queryExecution(), "codegen")
    return "\n".join(line for line in explained.splitlines() if line.startswith("/*"))


@contextmanager
def compiled(spark):
    """Queries are compiled, as on the warm server, and planned as a whole."""
    settings = {
        "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK",
        "spark.sql.adaptive.enabled": "false",
    }
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
