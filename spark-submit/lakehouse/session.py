"""The Spark session of a job: a client of a warm Spark Connect server (SPARK_REMOTE), or one of spark-submit's."""

import os
import sys
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyspark.sql import SparkSession

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Set in a session by the job that works in it.
_OWNER = "spark.segue.owner"
_MOST_SESSIONS = 1_000
# Of queries that are short: each is planned by one thread.
SHORT_QUERIES_AT_ONCE = 3


def open_session(name: str, identity: str | None = None) -> SparkSession:
    """A session for one job; times are UTC, whatever the server was told.

    `identity` names what one job at a time may work on. On a warm server the session's id is made of it: a job that finds
    another one's session there ends it, so that one which wakes up late can commit nothing.
    """
    remote = os.environ.get("SPARK_REMOTE")
    if remote and identity:
        spark = _session_of(remote, identity)
    elif remote:
        spark = SparkSession.builder.remote(remote).getOrCreate()
    else:
        spark = SparkSession.builder.appName(identity or name).getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def tag_operations(spark: SparkSession, identity: str) -> None:
    """Marks what this thread runs from now on, for whoever looks at Spark's UI; a tag may hold no comma."""
    spark.addTag(identity.replace(",", "_"))


def side_by_side(
    spark: SparkSession, identity: str, at_once: int, work: Callable[[Item], Answer], items: Iterable[Item]
) -> list[Answer]:
    """What `work` makes of each item, in their order, so many at once; what it runs in Spark is marked with `identity`."""
    with ThreadPoolExecutor(at_once, initializer=lambda: tag_operations(spark, identity)) as pool:
        return list(pool.map(work, items))


def _session_of(remote: str, identity: str) -> SparkSession:
    """The session of this identity. A server does not open a session again that was closed: each has a number, too."""
    for number in range(_MOST_SESSIONS):
        session_id = uuid.uuid5(uuid.NAMESPACE_URL, f"segue:{identity}/{number}")
        spark = SparkSession.builder.remote(f"{remote}/;session_id={session_id}").create()
        try:
            owner = spark.conf.get(_OWNER, "")
        except Exception as error:  # each way to reach Spark raises a class of its own
            if "SESSION_CLOSED" not in str(error):
                raise
            continue
        if not owner:
            spark.conf.set(_OWNER, str(os.getpid()))
            return spark
        print(f"ending the job that still works on {identity}", file=sys.stderr, flush=True)
        interrupt(spark)
    raise RuntimeError(f"{identity}: {_MOST_SESSIONS} sessions of it were closed; restart the Spark server")


def require_session(spark: SparkSession) -> None:
    """Raises if the session has ended. A job that takes over the work of another job ends that job's session."""
    spark.conf.get(_OWNER, "")


def is_connect(spark: SparkSession) -> bool:
    """Whether the session is a client of a Spark Connect server."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def interrupt(spark: SparkSession) -> None:
    """Stops what the session runs in Spark, in every thread, and ends the session. Safe to call from any thread."""
    if is_connect(spark):
        spark.interruptAll()
        # A session that is released takes no more work: nothing started in between lives on.
        spark.client.release_session()
    else:
        for query in spark.streams.active:
            query.stop()
        spark.sparkContext.cancelAllJobs()
        spark.stop()
