"""The topics that are streamed into bronze, read from contracts/topics.json and contracts/events.json."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lakehouse.contracts import Table, table

_CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@dataclass(frozen=True)
class Field:
    """One field of an event, with the rules its values keep."""

    name: str
    type: str
    is_required: bool
    allowed: tuple[str, ...]
    max_length: int | None


@dataclass(frozen=True)
class StreamedTopic:
    """A topic, the events on it, the bronze table they fill, and the topic for records that do not fit."""

    name: str
    table: Table
    schema_version: int
    fields: tuple[Field, ...]
    # A record without a value is no event there but the end of a key.
    is_compacted: bool

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dlq"

    @property
    def event_time(self) -> str:
        """When the event happened, and so its day: its first field of type timestamp that is always there."""
        return next(field.name for field in self.fields if field.type == "timestamp" and field.is_required)


@cache
def streamed_topics() -> tuple[StreamedTopic, ...]:
    """Every topic with a bronze table, in the contract's order."""
    topics = json.loads((_CONTRACTS / "topics.json").read_text(encoding="utf-8"))
    events = json.loads((_CONTRACTS / "events.json").read_text(encoding="utf-8"))["events"]
    by_topic = {event["topic"]: event for event in events}
    return tuple(_streamed(topic, by_topic[topic["name"]]) for topic in topics if "bronzeTable" in topic)


def _streamed(topic: dict, event: dict) -> StreamedTopic:
    bronze = table("bronze", topic["bronzeTable"])
    kept = [field for field in event["fields"] if field["name"] in bronze.column_names]
    fields = (Field(f["name"], f["type"], f["required"], tuple(f.get("allowed", ())), f.get("maxLength")) for f in kept)
    return StreamedTopic(
        topic["name"], bronze, event["schemaVersion"], tuple(fields), topic.get("cleanupPolicy") == "compact"
    )
