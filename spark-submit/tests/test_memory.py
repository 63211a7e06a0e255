"""What a query holds of the driver's memory."""

from pyspark.sql import functions as F


def test_a_broadcast_of_few_rows_holds_few_megabytes(spark):
    session = spark.newSession()
    session.conf.set("spark.sql.adaptive.enabled", "false")
    few = session.createDataFrame([("u1", "Ann"), ("u2", "Bob")], "user_id string, name string")
    listens = session.createDataFrame([("u1", "t1"), ("u3", "t1")], "user_id string, track_id string")
    joined = listens.join(F.broadcast(few), "user_id")
    assert joined.collect() == [("u1", "t1", "Ann")]
    [broadcast] = nodes(joined._jdf.queryExecution().executedPlan(), "BroadcastExchange")
    assert 0 < broadcast.metrics().apply("dataSize").value() < 4 * 2**20


def nodes(plan, name: str) -> list:
    """The nodes of a physical plan that have this name."""
    children = plan.children()
    below = [node for place in range(children.size()) for node in nodes(children.apply(place), name)]
    return [plan, *below] if plan.nodeName() == name else below
