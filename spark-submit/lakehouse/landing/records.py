"""Records of a CSV by RFC 4180 as contracts/acceptance/README.md has it, in this process: those that span several lines.

Spark reads lines. A record whose quotes hold line breaks is found here, in one pass over the file and in bounded memory.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lakehouse.acceptance.rules import rules
from lakehouse.files import open_uri

LONGEST_RECORD_BYTES = rules().longest_record_bytes

_QUOTED = '"[^"]*(?:""[^"]*)*"'
_BARE = r'(?:[^",\r\n][^,\r\n]*)?'
_FIELD = f"(?:{_QUOTED}|{_BARE})"
_FIELDS = re.compile(f",({_FIELD})")
_WHOLE = re.compile(rf"{_FIELD}(?:,{_FIELD})*\Z")
_BREAK = re.compile(r"\r\n|\n|\r")
_CHARACTERS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class SpanningRecord:
    """A record over several lines: its text, its fields as they stand there, and its first and last line (from 1)."""

    raw: str
    fields: list[str]
    first_line: int
    last_line: int


def fields_of(record: str) -> list[str] | None:
    """The fields of one record's text; None where a quote closes wrongly or never."""
    return [_unquoted(field) for field in _split(record)] if _WHOLE.match(record) else None


def spanning_records(uri: str, columns: int) -> Iterator[SpanningRecord]:
    """The records of a file that span several lines and have `columns` fields, in their order."""
    filesystem, path = open_uri(uri)
    with (
        filesystem.open_input_stream(path) as stream,
        io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="replace", newline="") as text,
    ):
        yield from _spanning(text, columns)


def _spanning(text: io.TextIOBase, columns: int) -> Iterator[SpanningRecord]:
    record = re.compile(rf"{_FIELD}(?:,{_FIELD}){{{columns - 1}}}(?=[\r\n]|\Z)")
    held, at, number, is_all = "", 0, 1, False
    while True:
        line_end = _BREAK.search(held, at)
        # A break at the very end may be the first half of \r\n.
        is_short = len(held) - at <= LONGEST_RECORD_BYTES + 1 or line_end is None or line_end.end() == len(held)
        if is_short and not is_all:
            more = text.read(_CHARACTERS_AT_ONCE)
            held, at, is_all = held[at:] + more, 0, not more
            continue
        if line_end is None:
            return
        found = record.match(held, at, at + LONGEST_RECORD_BYTES + 1) if '"' in held[at : line_end.start()] else None
        if found and found.end() > line_end.start() and len(found[0].encode()) <= LONGEST_RECORD_BYTES:
            last_line = number + len(_BREAK.findall(found[0]))
            yield SpanningRecord(found[0], _split(found[0]), number, last_line)
            number, line_end = last_line, _BREAK.search(held, found.end())
            if line_end is None:
                return
        at, number = line_end.end(), number + 1


def _split(record: str) -> list[str]:
    return _FIELDS.findall(f",{record}")


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if field.startswith('"') else field
