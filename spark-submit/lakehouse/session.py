"""The Spark session of a job: a client of a warm Spark Connect server (SPARK_REMOTE), or a session of spark-submit."""

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
# For short queries: a single thread plans each of them.
SHORT_QUERIES_AT_ONCE = 3


def open_session(name: str, identity: str | None = None) -> SparkSession:
    """A session for a job, with UTC times regardless of the server's settings.

    `identity` names the work that only a single job at a time may do. On a warm server it determines the session's
    id. A job that finds a session with this id ends that session, so that a late job can commit nothing.
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
    """Tags the operations of this thread for Spark's UI. A tag may not have a comma."""
    spark.addTag(identity.replace(",", "_"))


def side_by_side(
    spark: SparkSession, identity: str, at_once: int, work: Callable[[Item], Answer], items: Iterable[Item]
) -> list[Answer]:
    """The results of `work` for all items, in order, with a limit of concurrent calls. Spark operations carry the
    tag `identity`."""
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
    """Stops the session's operations in Spark, in every thread, and ends the session. Safe to call from any thread."""
    if is_connect(spark):
        spark.interruptAll()
        # A session that is released takes no more work: nothing started in between lives on.
        spark.client.release_session()
    else:
        for query in spark.streams.active:
            query.stop()
        spark.sparkContext.cancelAllJobs()
        spark.stop()
