"""Kafka topics → bronze, for as long as it is let run. Parameters and the lines it prints: contracts/schemas/streams.ts."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession

from lakehouse.job import run_job
from lakehouse.lease import Lease
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.streams import StreamSettings, TopicStream
from lakehouse.topics import streamed_topics

_LOOK_EVERY_SECONDS = 1.0


def stream_events(spark: SparkSession, params: Params, progress: Progress) -> dict:
    """Runs until it is cancelled or loses its lease; a query that fails is started again with growing pauses."""
    settings = StreamSettings(
        lake_uri=params.text("lakeUri"),
        checkpoints_uri=params.text("checkpointsUri"),
        servers=params.text("servers"),
        trigger_seconds=params.whole("triggerMs", at_least=1) / 1000,
        max_offsets=params.whole("maxOffsetsPerTrigger", at_least=1),
        start_from=params.one_of("startFrom", ("table", "earliest")),
        earliest=params.optional_time("earliest"),
    )
    lease = Lease(params.text("leaseUri"), params.text("leaseOwner"))
    streams = [TopicStream(spark, topic, settings, lease.check) for topic in streamed_topics()]
    with ThreadPoolExecutor(len(streams)) as pool:
        # A young JVM takes seconds for the first read of a table: the topics need not wait for each other.
        list(pool.map(TopicStream.look_after, streams))
    while True:
        for stream in streams:
            stream.look_after()
            stream.tell()
        time.sleep(_LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    run_job("stream_events", stream_events)
