"""What is acceptable, said a second time, slowly and without Spark: the doors' tests compare both over generated rows.

contracts/acceptance/README.md is the text; its lists of times and texts are run over this, too.
"""

import json
import re
from datetime import date
from pathlib import Path

CONTRACT = Path(__file__).parents[2] / "contracts" / "acceptance"
RULES = json.loads((CONTRACT / "rules.json").read_text(encoding="utf-8"))
REFUSED = [(int(first, 16), int(last, 16)) for first, last in RULES["text"]["refusedRanges"]]
BLANKS = {chr(int(code, 16)) for code in RULES["text"]["blanks"]}
LONGEST = {"id": RULES["text"]["idMaxLength"], "name": RULES["text"]["nameMaxLength"]}
LONGEST_RECORD_BYTES = RULES["csv"]["longestRecordBytes"]
DAY_MICROS = 86_400_000_000
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)

DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Spark trims these off a number.
_TRIMMED = "".join(map(chr, [*range(0x21), 0x7F]))


def conformance(name: str) -> list[dict]:
    return json.loads((CONTRACT / f"{name}.json").read_text(encoding="utf-8"))


def micros(text: str) -> int | None:
    """Microseconds since the day before 0001-01-01 of a time in the grammar; no datetime, which ends with the year 9999."""
    found = TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    second, fraction = int(found[6] or 0), (found[7] or "").ljust(6, "0")[:6]
    offset = int(found[9] or 0) * 60 + int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 59 or int(found[10] or 0) > 59 or offset > 18 * 60:
        return None
    try:
        days = date(year, month, day).toordinal()
    except ValueError:
        return None
    minutes = hour * 60 + minute - (offset if found[8] != "-" else -offset)
    return days * DAY_MICROS + (minutes * 60 + second) * 1_000_000 + int(fraction)


def text_problem(text: str, kind: str) -> str | None:
    if any(first <= ord(character) <= last for character in text for first, last in REFUSED):
        return "control_character"
    if set(text) <= BLANKS:
        return "missing"
    return "too_long" if len(text) > LONGEST[kind] else None


def is_blank(text: str | None) -> bool:
    return text is None or set(text) <= BLANKS


def time_problem(text: str, earliest: str, latest: str) -> str | None:
    found = micros(text)
    if found is None:
        return "bad"
    if found < micros(earliest):
        return "too_early"
    return "too_late" if found > micros(latest) else None


def is_readable(kind: str, text: str) -> bool:
    """Whether a text is a value of a type that is neither a text nor a time."""
    if kind == "date":
        return _is_date(text)
    number = text.strip(_TRIMMED)
    if kind == "long":
        return WHOLE_NUMBER.fullmatch(number) is not None and -(2**63) <= int(number) < 2**63
    return NUMBER.fullmatch(number) is not None and abs(float(number)) < float("inf")


def _is_date(text: str) -> bool:
    """A year, a month, a day, or a time, of which the day counts."""
    found = DATE.fullmatch(text)
    if not found:
        return micros(text) is not None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def lines_of(text: str) -> list[tuple[str, str]]:
    """The lines of a file, each with the break that ends it ('' at the end of the file)."""
    lines, line, at = [], "", 0
    while at < len(text):
        ending = "\r\n" if text.startswith("\r\n", at) else text[at]
        if ending in ("\n", "\r", "\r\n"):
            lines.append((line, ending))
            line = ""
            at += len(ending)
        else:
            line += text[at]
            at += 1
    return [*lines, (line, "")] if line else lines


def fields_of(text: str, at: int = 0, spans_lines: bool = False) -> tuple[list[str], int] | None:
    """The fields of the record that starts at a place, and where it ends; None where a quote closes wrongly or never."""
    breaks = "\r\n" if spans_lines else ""
    fields = []
    while True:
        value = ""
        if text[at : at + 1] == '"':
            at += 1
            while True:
                if at >= len(text):
                    return None
                if text[at : at + 2] == '""':
                    value += '"'
                    at += 2
                elif text[at] == '"':
                    at += 1
                    break
                else:
                    value += text[at]
                    at += 1
            if at < len(text) and text[at] != "," and text[at] not in breaks:
                return None
        else:
            while at < len(text) and text[at] != "," and text[at] not in breaks:
                value += text[at]
                at += 1
        fields.append(value)
        if at >= len(text) or text[at] != ",":
            return fields, at
        at += 1


def records_of(text: str, columns: int, spans_lines: bool) -> list[tuple[int, str, list[str] | None]]:
    """Line, text and fields of every record that is not blank, the header's too."""
    lines = lines_of(text)
    starts = [0]
    for line, ending in lines:
        starts.append(starts[-1] + len(line) + len(ending))
    records, index = [], 0
    while index < len(lines):
        line, number = lines[index][0], index + 1
        index += 1
        if all(ord(character) <= 0x20 for character in line):
            continue
        alone = fields_of(line)
        if alone is None and spans_lines:
            found = fields_of(text[starts[number - 1] :], spans_lines=True)
            raw = found and text[starts[number - 1] : starts[number - 1] + found[1]]
            if found and len(found[0]) == columns and len(raw.encode()) <= LONGEST_RECORD_BYTES:
                records.append((number, raw, found[0]))
                index += len(lines_of(raw)) - 1
                continue
        records.append((number, line, alone and alone[0]))
    return records


def row_reason(fields: list[str] | None, columns, earliest: str, latest: str):
    """The first reason to refuse a record."""
    if fields is None:
        return "unclosed_quote"
    if len(fields) != len(columns):
        return "wrong_column_count"
    for column, text in zip(columns, fields, strict=True):
        if column.required and is_blank(text):
            return f"missing_{column.name}"
    for column, text in zip(columns, fields, strict=True):
        problem = value_problem(column, text, earliest, latest)
        if problem:
            return f"{problem}_{column.name}"
    return None


def value_problem(column, text: str, earliest: str, latest: str) -> str | None:
    if column.text:
        problem = text_problem(text, column.text)
        return None if problem == "missing" else problem
    if column.allowed:
        return None if text in column.allowed else "unknown"
    if column.type == "timestamp":
        return time_problem(text, earliest, latest)
    return None if is_blank(text) or is_readable(column.type, text) else "bad"
