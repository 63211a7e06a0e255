"""The lake's contract, read from contracts/lake.json: the only definition of tables and landing files."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lakehouse.errors import BadParameters

_CONTRACT = Path(__file__).resolve().parents[2] / "contracts" / "lake.json"

# Tables of weeks are partitioned by the week's last day.
WEEK = "week_end"

SPARK_TYPES = {
    "string": "STRING",
    "int": "INT",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "array<string>": "ARRAY<STRING>",
}


@dataclass(frozen=True)
class Column:
    """A column of a table. `allowed` lists the only allowed values; None allows all values. `text` marks a text from
    outside as an id or a name (contracts/acceptance)."""

    name: str
    type: str
    required: bool = False
    allowed: tuple[str, ...] | None = None
    text: str | None = None

    @property
    def spark_type(self) -> str:
        return SPARK_TYPES[self.type]


@dataclass(frozen=True)
class Check:
    """A check of a table beyond the rules of its columns; see `checks` in contracts/lake.ts."""

    kind: str
    column: str
    is_hard: bool
    least: float | None = None
    most: float | None = None
    other: tuple[str, str] | None = None
    other_column: str | None = None

    @property
    def other_table(self) -> "Table":
        return table(*self.other)


@dataclass(frozen=True)
class Table:
    """A Delta table, `<layer>/<name>` under the lake's folder."""

    layer: str
    name: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...]
    stats_columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.layer}/{self.name}"

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def schema(self) -> str:
        """The columns and their types as Spark reads a schema from text; any of them may be null."""
        return ", ".join(f"`{column.name}` {column.spark_type}" for column in self.columns)

    def uri(self, lake_uri: str) -> str:
        return f"{lake_uri.rstrip('/')}/{self.path}"


@dataclass(frozen=True)
class Dataset:
    """The form of a landing CSV: the columns in order, each with the type and rules of its bronze table."""

    table: Table
    columns: tuple[Column, ...]
    is_multi_line: bool

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


@cache
def _lake() -> dict:
    return json.loads(_CONTRACT.read_text(encoding="utf-8"))


def table_properties() -> dict[str, str]:
    """The properties of every table of the lake. With them, Delta and delta-rs keep files and logs for the promised
    time."""
    promised = maintenance()
    return {
        **_lake()["tableProperties"],
        "delta.deletedFileRetentionDuration": f"interval {promised['timeTravelHours']} hours",
        "delta.logRetentionDuration": f"interval {promised['logRetentionHours']} hours",
    }


def maintenance() -> dict[str, int]:
    """The promises of maintenance and the thresholds for its work."""
    return _lake()["maintenance"]


def table(layer: str, name: str) -> Table:
    """The contract of `<layer>/<name>`. Quarantine has a table for each bronze table."""
    if layer == "quarantine":
        return _table({**_lake()["quarantine"], "name": name})
    for entry in _lake()["tables"]:
        if (entry["layer"], entry["name"]) == (layer, name):
            return _table(entry)
    raise BadParameters(f"there is no table {layer}/{name} in contracts/lake.json")


def lake_tables() -> list[Table]:
    """Every table of the lake but quarantine."""
    return [_table(entry) for entry in _lake()["tables"]]


def landing_tables() -> list[str]:
    """Names of the bronze tables that landing files fill; each may have a quarantine table."""
    return [entry["table"] for entry in _lake()["datasets"]]


def dataset(table_name: str) -> Dataset:
    """The contract of the files that fill bronze/`table_name`."""
    for entry in _lake()["datasets"]:
        if entry["table"] == table_name:
            bronze = table("bronze", table_name)
            by_name = {column.name: column for column in bronze.columns}
            columns = tuple(by_name[name] for name in entry["columns"])
            return Dataset(bronze, columns, entry["multiLine"])
    raise BadParameters(f"no landing file fills a table {table_name}: see datasets in contracts/lake.json")


def _table(entry: dict) -> Table:
    columns = tuple(
        Column(
            c["name"],
            c["type"],
            c.get("required", False),
            tuple(c["allowed"]) if "allowed" in c else None,
            c.get("text"),
        )
        for c in entry["columns"]
    )
    return Table(
        entry["layer"],
        entry["name"],
        columns,
        tuple(entry.get("partitionBy", ())),
        tuple(entry.get("statsColumns", ())),
        tuple(entry.get("key", ())),
        tuple(_check(check) for check in entry.get("checks", ())),
    )


def _check(entry: dict) -> Check:
    other = tuple(entry["table"].split("/")) if "table" in entry else None
    return Check(
        entry["check"],
        entry["column"],
        entry.get("isHard", True),
        entry.get("min"),
        entry.get("max"),
        other,
        entry.get("tableColumn", entry["column"]),
    )
