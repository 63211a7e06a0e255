"""The streaming queries, Kafka → bronze: how each starts, what it tells, and how it is started again when it fails."""

import json
import sys
import time
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.files import list_names
from lakehouse.kafka_client import source_options
from lakehouse.lease import LeaseLost
from lakehouse.stream_sink import BronzeSink
from lakehouse.tables import create_table, has_table, read_table
from lakehouse.topic_identity import KAFKA_PATIENCE, TopicIdentity, TopicLooker, is_topic_id
from lakehouse.topics import StreamedTopic

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# A query that has run this long failed of something new.
_STABLE_SECONDS = 120.0
_TELL_EVERY_SECONDS = 5.0
# How often a running query's topic is looked at, in case it was made anew.
_IDENTIFY_EVERY_SECONDS = 5.0
# The other topics wait meanwhile.
_LOOK_TIMEOUT_MS = 3_000


@dataclass(frozen=True)
class StreamSettings:
    """What an operator may set about the streams; one document for all topics."""

    lake_uri: str
    checkpoints_uri: str
    servers: str
    trigger_seconds: float
    max_offsets: int
    # Where a stream without a checkpoint begins: after the table's last record ('table') or with Kafka's first ('earliest').
    start_from: str
    # The earliest time of a listen that is taken, ISO 8601; the contract's where there is none.
    earliest: str | None = None


class TopicStream:
    """One topic's query: running, or waiting to be started again after a failure.

    The checkpoint lies in a folder named by the topic's id: a topic that was deleted and made again has another id, and so a
    new checkpoint, a new identity for Delta, and is read from its first record. Offsets alone would not tell: once the new
    topic has outgrown the old checkpoint, Spark goes on there without a word.
    """

    def __init__(self, spark: SparkSession, topic: StreamedTopic, settings: StreamSettings, check_lease):
        self._spark = spark
        self._topic = topic
        self._settings = settings
        self._check_lease = check_lease
        self._checkpoints_uri = f"{settings.checkpoints_uri.rstrip('/')}/{topic.name}"
        self._looker = TopicLooker(spark, settings.servers)
        self._identity: TopicIdentity | None = None
        self._identified_at = 0.0
        self._made_anew = 0
        self._sink: BronzeSink | None = None
        self._rows = 0
        self._refused = 0
        self._query: StreamingQuery | None = None
        self._started_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._error: str | None = None
        self._told: dict | None = None
        self._told_at = 0.0

    def look_after(self) -> None:
        """Starts the query when it is not running; notes its failure. Raises LeaseLost: nobody may start it again."""
        now = time.monotonic()
        if self._query is not None and not self._query.isActive:
            self._note_failure(str(self._query.exception() or "it ended by itself"), now)
        if self._query is not None and self._was_made_anew(now):
            self._query.stop()
            self._query = None
        if self._query is None and now >= self._retry_at:
            try:
                self._start()
            except Exception as error:  # Kafka or the store away: the same as a failure of the running query
                self._note_failure(str(error), now)

    def tell(self) -> None:
        """Prints where the stream is: at every change, and now and then without one."""
        line = self._describe()
        now = time.monotonic()
        if line == self._told and now - self._told_at < _TELL_EVERY_SECONDS:
            return
        self._told, self._told_at = line, now
        print(json.dumps(line), flush=True)

    def stop(self) -> None:
        if self._query is not None:
            self._query.stop()

    def _was_made_anew(self, now: float) -> bool:
        """Whether the topic has another id than the running query's; where Kafka cannot say, the query's own failure will."""
        if now - self._identified_at < _IDENTIFY_EVERY_SECONDS:
            return False
        self._identified_at = now
        try:
            return self._looker.look(self._topic.name, _LOOK_TIMEOUT_MS).topic_id != self._identity.topic_id
        except Exception as error:
            print(f"{self._topic.name}: Kafka does not say what it is: {error}", file=sys.stderr, flush=True)
            return False

    def _start(self) -> None:
        table, settings = self._topic.table, self._settings
        create_table(self._spark, table, settings.lake_uri)
        checkpoint_uri = self._identify()
        source = (
            self._spark.readStream.format("kafka")
            .options(**source_options(settings.servers))
            .option("subscribe", self._topic.name)
            .option("startingOffsets", self._starting_offsets(checkpoint_uri))
            .option("maxOffsetsPerTrigger", settings.max_offsets)
            # Records that Kafka no longer has must be an error that is seen, never a silent gap.
            .option("failOnDataLoss", "true")
        )
        for name, value in KAFKA_PATIENCE.items():
            source = source.option(name, value)
        self._query = (
            source.load()
            .select("key", "value", "topic", "partition", "offset")
            .writeStream.queryName(self._topic.name)
            .option("checkpointLocation", checkpoint_uri)
            .trigger(processingTime=f"{settings.trigger_seconds} seconds")
            .foreachBatch(self._sink)
            .start()
        )
        self._started_at = self._identified_at = time.monotonic()

    def _identify(self) -> str:
        """Looks which topic it is, and where its checkpoint lies; the sink takes that checkpoint's identity."""
        self._identity = self._looker.look(self._topic.name)
        former = {name for name in list_names(self._checkpoints_uri) if is_topic_id(name)} - {self._identity.topic_id}
        if len(former) > self._made_anew or (former and self._sink is None):
            print(
                f"{self._topic.name}: the topic was deleted and made again (now {self._identity.topic_id}, before "
                f"{', '.join(sorted(former))}): it is read from its first record, with a checkpoint of its own",
                file=sys.stderr,
                flush=True,
            )
        self._made_anew = len(former)
        checkpoint_uri = f"{self._checkpoints_uri}/{self._identity.topic_id}"
        if self._sink is None or self._sink.checkpoint_uri != checkpoint_uri:
            self._count_sink()
            settings = self._settings
            self._sink = BronzeSink(
                self._topic, settings.lake_uri, checkpoint_uri, settings.servers, self._check_lease, settings.earliest
            )
        return checkpoint_uri

    def _count_sink(self) -> None:
        if self._sink is not None:
            self._rows += self._sink.rows
            self._refused += self._sink.refused

    def _starting_offsets(self, checkpoint_uri: str) -> str:
        """Used only where there is no checkpoint: what the table holds decides, so that a lost checkpoint doubles nothing.

        The table's offsets are those of a former topic where there is another id's checkpoint: they say nothing of this one.
        """
        has_checkpoint = "metadata" in list_names(checkpoint_uri)
        if has_checkpoint or self._made_anew or self._settings.start_from == "earliest":
            return "earliest"
        table = self._topic.table
        if not has_table(table, self._settings.lake_uri):
            return "earliest"
        rows = read_table(self._spark, table, self._settings.lake_uri)
        return offsets_after(rows, self._topic.name, self._identity.partitions)

    def _note_failure(self, error: str, now: float) -> None:
        if "LeaseLost" in error:
            raise LeaseLost(error.partition("\n")[0])
        self._failures = 1 if now - self._started_at > _STABLE_SECONDS else self._failures + 1
        self._retry_at = now + min(_FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE_SECONDS)
        self._query = None
        self._error = error[:1000]
        print(
            f"{self._topic.name}: the query failed ({self._failures} in a row): {error[:2000]}",
            file=sys.stderr,
            flush=True,
        )

    def _describe(self) -> dict:
        progress = self._query.lastProgress if self._query is not None else None
        source = progress["sources"][0] if progress else {}
        offsets = _offsets(source.get("endOffset"), self._topic.name)
        latest = _offsets(source.get("latestOffset"), self._topic.name)
        is_running = self._query is not None
        if is_running and progress:
            self._error = None
        return {
            "segue": "stream",
            "topic": self._topic.name,
            "state": "running" if is_running and progress else "starting" if is_running else "waiting",
            "batchId": progress["batchId"] if progress else -1,
            "offsets": offsets,
            "lag": sum(max(0, latest[part] - offsets.get(part, 0)) for part in latest),
            "batchRows": progress["numInputRows"] if progress else 0,
            "batchMs": progress["durationMs"].get("triggerExecution", 0) if progress else 0,
            "rows": self._rows + (self._sink.rows if self._sink else 0),
            "refused": self._refused + (self._sink.refused if self._sink else 0),
            "topicId": self._identity.topic_id if self._identity else None,
            "madeAnew": self._made_anew,
            "error": self._error,
        }


def offsets_after(rows: DataFrame, topic: str, partitions: int) -> str:
    """Where to begin after what the table's rows hold, as the Kafka source takes it; 'earliest' where they hold nothing.

    Partitions without a row begin at their first record. Refused records right after the last good one are refused again.
    """
    last = rows.where(F.col("_topic") == topic).groupBy("_partition").agg(F.max("_offset")).collect()
    if not last:
        return "earliest"
    # -2 is the Kafka source's word for a partition's first record.
    every = {str(partition): -2 for partition in range(partitions)}
    return json.dumps({topic: {**every, **{str(row[0]): row[1] + 1 for row in last}}})


def _offsets(text: str | dict | None, topic: str) -> dict[str, int]:
    if not text:
        return {}
    document = json.loads(text) if isinstance(text, str) else text
    return {partition: int(offset) for partition, offset in document.get(topic, {}).items()}
