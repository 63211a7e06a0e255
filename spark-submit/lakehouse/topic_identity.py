"""What Kafka says of a topic: its id, which a topic that was deleted and made again does not share, and its partitions."""

import re
from dataclasses import dataclass

from pyspark.sql import SparkSession

from lakehouse.kafka_client import kafka_options

# Kafka is asked at every look; a broker that is away must fail the question in seconds, not in a minute.
KAFKA_PATIENCE = {"kafka.request.timeout.ms": "10000", "kafka.default.api.timeout.ms": "15000"}


@dataclass(frozen=True)
class TopicIdentity:
    """A topic as it is now. `topic_id` is 22 characters of base64url, which can be part of a path."""

    topic_id: str
    partitions: int


def is_topic_id(name: str) -> bool:
    """Whether a folder's name is a topic's id."""
    return re.fullmatch(r"[A-Za-z0-9_-]{22}", name) is not None


class TopicLooker:
    """Asks Kafka about topics through the Kafka source's own client, over one connection that ends with the process."""

    def __init__(self, spark: SparkSession, servers: str):
        self._jvm = spark._jvm
        self._servers = servers
        self._admin = None

    def look(self, topic: str, timeout_ms: int = 15_000) -> TopicIdentity:
        """Raises the client's error, which names the topic, where Kafka is away or has no such topic."""
        if self._admin is None:
            self._admin = self._connect()
        options = self._jvm.org.apache.kafka.clients.admin.DescribeTopicsOptions().timeoutMs(timeout_ms)
        topics = self._admin.describeTopics(self._jvm.java.util.List.of(topic), options).allTopicNames().get()
        described = topics.get(topic)
        return TopicIdentity(described.topicId().toString(), described.partitions().size())

    def _connect(self):
        settings = self._jvm.java.util.HashMap()
        for name, value in {**kafka_options(self._servers), **KAFKA_PATIENCE}.items():
            settings.put(name.removeprefix("kafka."), value)
        return self._jvm.org.apache.kafka.clients.admin.AdminClient.create(settings)
