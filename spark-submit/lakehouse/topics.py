"""The topics that are streamed into bronze, read from contracts/topics.json and contracts/events.json."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lakehouse.contracts import Column, Table, table

_CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@dataclass(frozen=True)
class StreamedTopic:
    """A topic, the events on it, the bronze table they fill, and the topic for records that do not fit.

    `fields` are those columns of the table that an event's fields fill.
    """

    name: str
    table: Table
    schema_version: int
    fields: tuple[Column, ...]
    # Fields whose time may lie ahead: an end and not something that happened.
    ends: frozenset[str]
    # A record without a value is no event there but the end of a key.
    is_compacted: bool

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dlq"

    @property
    def event_time(self) -> str:
        """When the event happened, and so its day: its first field of type timestamp that is always there."""
        return next(field.name for field in self.fields if field.type == "timestamp" and field.required)


@cache
def streamed_topics() -> tuple[StreamedTopic, ...]:
    """Every topic with a bronze table, in the contract's order."""
    topics = json.loads((_CONTRACTS / "topics.json").read_text(encoding="utf-8"))
    events = json.loads((_CONTRACTS / "events.json").read_text(encoding="utf-8"))["events"]
    by_topic = {event["topic"]: event for event in events}
    return tuple(_streamed(topic, by_topic[topic["name"]]) for topic in topics if "bronzeTable" in topic)


def _streamed(topic: dict, event: dict) -> StreamedTopic:
    bronze = table("bronze", topic["bronzeTable"])
    given = {field["name"]: field for field in event["fields"]}
    return StreamedTopic(
        name=topic["name"],
        table=bronze,
        schema_version=event["schemaVersion"],
        fields=tuple(column for column in bronze.columns if column.name in given),
        ends=frozenset(name for name, field in given.items() if field.get("isEnd", False)),
        is_compacted=topic.get("cleanupPolicy") == "compact",
    )
