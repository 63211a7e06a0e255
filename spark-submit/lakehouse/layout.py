"""The layout of a table: its columns, partitions and properties, in the contract and in the lake.

A lake outlives its contract. The next writer makes the changes that `ALTER` can make: it adds columns that may be
empty, and sets properties. All other differences would need a rewrite of the existing rows, which a writer must not
do in passing.
"""

import json
from dataclasses import dataclass

from lakehouse.contracts import Table, table_properties
from lakehouse.delta_rs import open_delta

# Not to be switched on a table that has rows: their columns would be looked for by other names.
_FIXED_PROPERTY = "delta.columnMapping.mode"
_STATS_COLUMNS = "delta.dataSkippingStatsColumns"
# delta-rs tells types as the log has them.
_SPARK_NAMES = {"integer": "int", "long": "bigint"}


@dataclass(frozen=True)
class Layout:
    """How a table is made. `columns`: type (as Spark writes it, in lower case) and whether it must be filled, by name: their
    order says nothing, everything is read and written by name."""

    columns: dict[str, tuple[str, bool]]
    partition_by: tuple[str, ...]
    properties: dict[str, str]

    @classmethod
    def of_contract(cls, table: Table) -> "Layout":
        columns = {column.name: (column.spark_type.lower(), column.required) for column in table.columns}
        properties = {**table_properties(), _STATS_COLUMNS: ",".join(table.stats_columns)}
        return cls(columns, table.partition_by, properties)

    @classmethod
    def of_lake(cls, table: Table, lake_uri: str) -> "Layout":
        """The layout of a table that is there, read from its log."""
        found = open_delta(table, lake_uri)
        fields = json.loads(found.schema().to_json())["fields"]
        columns = {field["name"]: (_spark_type(field["type"]), not field["nullable"]) for field in fields}
        about = found.metadata()
        return cls(columns, tuple(about.partition_columns), dict(about.configuration))


@dataclass(frozen=True)
class Difference:
    """The differences of a table from its contract that `ALTER` can mend, and the remaining differences in words."""

    new_columns: dict[str, str]
    properties: dict[str, str]
    obstacles: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.new_columns or self.properties or self.obstacles)

    @property
    def needs_replacing(self) -> bool:
        """True if the existing rows would have another layout today: a derived table is then made again."""
        return bool(self.new_columns or self.obstacles or _STATS_COLUMNS in self.properties)


def difference(found: Layout, expected: Layout) -> Difference:
    """The differences of the layout `found` from the layout `expected`."""
    missing = {name: column for name, column in expected.columns.items() if name not in found.columns}
    properties = {name: text for name, text in expected.properties.items() if found.properties.get(name) != text}
    return Difference(
        {name: column_type for name, (column_type, is_required) in missing.items() if not is_required},
        properties,
        tuple(
            [
                *(f"{name} is new and must be filled" for name, (_, is_required) in missing.items() if is_required),
                *(f"{name} is gone from the contract" for name in found.columns if name not in expected.columns),
                *_changed_columns(found, expected),
                *_changed_partitions(found, expected),
                *_changed_mapping(found, expected),
            ]
        ),
    )


def _changed_columns(found: Layout, expected: Layout) -> list[str]:
    said = []
    for name in found.columns.keys() & expected.columns.keys():
        (was, was_required), (is_now, is_required) = found.columns[name], expected.columns[name]
        if was != is_now:
            said.append(f"{name} is {was} in the table and {is_now} in the contract")
        if was_required != is_required:
            said.append(f"{name} {_filled(was_required)} in the table and {_filled(is_required)} in the contract")
    return sorted(said)


def _changed_partitions(found: Layout, expected: Layout) -> list[str]:
    if found.partition_by == expected.partition_by:
        return []
    was, is_now = (", ".join(names) or "nothing" for names in (found.partition_by, expected.partition_by))
    return [f"the table is partitioned by {was}, the contract says {is_now}"]


def _changed_mapping(found: Layout, expected: Layout) -> list[str]:
    was, is_now = (layout.properties.get(_FIXED_PROPERTY, "none") for layout in (found, expected))
    return [] if was == is_now else [f"{_FIXED_PROPERTY} is {was} in the table and {is_now} in the contract"]


def _filled(is_required: bool) -> str:
    return "must be filled" if is_required else "may be empty"


def _spark_type(of_log: str | dict) -> str:
    if isinstance(of_log, str):
        return _SPARK_NAMES.get(of_log, of_log)
    if of_log["type"] == "array":
        return f"array<{_spark_type(of_log['elementType'])}>"
    return json.dumps(of_log)
