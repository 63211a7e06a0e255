"""The parameter document of a job, read once at the edge; what is missing or of the wrong kind is named."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse.errors import BadParameters


def instant(text: str) -> datetime:
    """The moment of an ISO 8601 time; ValueError where it is none. Python before 3.11 does not know Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Params:
    """A JSON object with typed access. Every method raises BadParameters with the name of the field."""

    def __init__(self, values: dict[str, Any], where: str = "parameters"):
        self._values = values
        self._where = where

    @classmethod
    def read(cls, path: Path) -> "Params":
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadParameters(f"the parameter file {path} cannot be read as JSON: {error}") from error
        if not isinstance(values, dict):
            raise BadParameters(f"the parameter file {path} must hold one JSON object")
        return cls(values)

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            raise BadParameters(f"{self._where}: {name} must be a text that is not empty, found {value!r}")
        return value

    def optional_text(self, name: str) -> str | None:
        """The same, or None where the field is missing or null."""
        return None if self._values.get(name) is None else self.text(name)

    def whole(self, name: str, at_least: int = 0) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise BadParameters(f"{self._where}: {name} must be a whole number of at least {at_least}, found {value!r}")
        return value

    def time(self, name: str) -> str:
        """An ISO 8601 time, given back as it stands."""
        value = self.text(name)
        try:
            instant(value)
        except ValueError as error:
            raise BadParameters(f"{self._where}: {name} must be an ISO 8601 time, found {value!r}") from error
        return value

    def optional_time(self, name: str) -> str | None:
        """The same, or None where the field is missing or null."""
        return None if self._values.get(name) is None else self.time(name)

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise BadParameters(f"{self._where}: {name} must be one of {', '.join(allowed)}, found {value!r}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where it is left out."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise BadParameters(f"{self._where}: {name} must be true or false, found {value!r}")
        return value

    def items(self, name: str) -> list["Params"]:
        """A list of objects, at least one."""
        values = self._values.get(name)
        if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
            raise BadParameters(f"{self._where}: {name} must be a list of at least one object")
        return [Params(value, f"{self._where}.{name}[{index}]") for index, value in enumerate(values)]
