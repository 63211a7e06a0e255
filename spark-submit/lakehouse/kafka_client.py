"""How Spark reaches Kafka: the brokers are a parameter of the job; who we are there comes from the environment, as secrets do."""

import json
import os

# A JSON object of properties of Kafka's Java client (security.protocol, sasl.jaas.config …).
_PROPERTIES = "SEGUE_KAFKA_PROPERTIES"


def kafka_options(servers: str) -> dict[str, str]:
    """Options of Spark's Kafka source and sink, of which a source needs more: source_options."""
    properties = {"bootstrap.servers": servers, **json.loads(os.environ.get(_PROPERTIES) or "{}")}
    return {f"kafka.{name}": value for name, value in properties.items()}


def source_options(servers: str) -> dict[str, str]:
    """Options of every Kafka source of ours: records of a transaction that was aborted, or is still open, are none."""
    return {**kafka_options(servers), "kafka.isolation.level": "read_committed"}
