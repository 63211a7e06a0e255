"""Writes the micro-batches of one topic: fitting records to bronze exactly once, the others to the dead letter topic."""

import json
from collections.abc import Callable
from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.acceptance.times import ListenTimes
from lakehouse.files import open_uri
from lakehouse.forgetting import forgotten_hashes, is_forgotten
from lakehouse.kafka_client import kafka_options
from lakehouse.stream_records import dead_letters, parse_records
from lakehouse.tables import append_rows, delete_rows, sql_text
from lakehouse.topics import StreamedTopic

# Rows that one file is worth: a small batch makes one small file, which compaction merges later.
_ROWS_PER_FILE = 100_000
# Kafka refuses a record of over 1 MiB, and a refused letter would stop the stream; what a guest sends can be larger.
_MOST_LETTER_BYTES = 512 * 1024


def cut_to_size(letters: DataFrame) -> DataFrame:
    """The letters with the beginning alone of a key or value that is too large; a header `segue-cut` says how large it was."""
    size = F.greatest(F.length("key"), F.length("value"))
    cut = F.array(F.struct(F.lit("segue-cut").alias("key"), size.cast("string").cast("binary").alias("value")))
    return letters.withColumns(
        {
            "headers": F.when(size > _MOST_LETTER_BYTES, F.concat("headers", cut)).otherwise(F.col("headers")),
            "key": F.substring("key", 1, _MOST_LETTER_BYTES // 2),
            "value": F.substring("value", 1, _MOST_LETTER_BYTES),
        }
    )


class BronzeSink:
    """Takes the batches of one streaming query (`foreachBatch`).

    Exactly once: a batch commits with the query's id and its batch id as Delta's transaction, so that a batch that is done
    again after a crash commits nothing. The query's id lives in the checkpoint: a new checkpoint is a new identity, never
    one whose numbers have been used.
    """

    def __init__(
        self,
        topic: StreamedTopic,
        lake_uri: str,
        checkpoint_uri: str,
        servers: str,
        check_lease: Callable[[], None],
        earliest: str | None = None,
    ):
        self._topic = topic
        self._lake_uri = lake_uri
        self.checkpoint_uri = checkpoint_uri
        self._servers = servers
        self._check_lease = check_lease
        self._earliest = earliest
        self._query_id: str | None = None
        self.rows = 0
        self.refused = 0

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        self._check_lease()
        at = datetime.now(timezone.utc).isoformat()
        events = batch.where(F.col("value").isNotNull()) if self._topic.is_compacted else batch
        hashes = forgotten_hashes(self._lake_uri)
        forgotten = is_forgotten(F.col("user_id"), hashes)
        records = (
            parse_records(events, self._topic, ListenTimes.until(at, self._earliest))
            .where(~F.coalesce(forgotten, F.lit(False)))
            .persist()
        )
        try:
            total, refused = records.agg(F.count("*"), F.count("refusal")).collect()[0]
            if refused:
                self._send_dead_letters(records.where(F.col("refusal").isNotNull()), at)
            if total > refused:
                self._append(records.where(F.col("refusal").isNull()), total - refused, batch_id, at)
                self._forget_since(hashes, batch.sparkSession)
        finally:
            records.unpersist()
        self.rows += total - refused
        self.refused += refused

    def _append(self, good: DataFrame, count: int, batch_id: int, at: str) -> None:
        table = self._topic.table
        ingested = good.withColumn("_ingested_at", F.lit(at).cast("timestamp"))
        rows = ingested.select(*table.column_names).coalesce(-(-count // _ROWS_PER_FILE))
        append_rows(rows, table, self._lake_uri, f"stream/{self._topic.name}/{self._id_of_query()}", batch_id)

    def _forget_since(self, hashes: list[str], spark: SparkSession) -> None:
        """Takes out again who was forgotten while the batch was written: their rows may have gone before it was there."""
        new = sorted(set(forgotten_hashes(self._lake_uri)) - set(hashes))
        if new:
            condition = f"sha2(user_id, 256) IN ({', '.join(map(sql_text, new))})"
            delete_rows(spark, self._topic.table, self._lake_uri, condition)

    def _send_dead_letters(self, refused: DataFrame, at: str) -> None:
        letters = cut_to_size(dead_letters(refused, self._topic, at))
        letters.write.format("kafka").options(**kafka_options(self._servers)).save()

    def _id_of_query(self) -> str:
        """The id that Spark gave the checkpoint when it made it; it is there before the first batch."""
        if self._query_id is None:
            filesystem, path = open_uri(f"{self.checkpoint_uri}/metadata")
            with filesystem.open_input_stream(path) as stream:
                self._query_id = json.loads(stream.read())["id"]
        return self._query_id
