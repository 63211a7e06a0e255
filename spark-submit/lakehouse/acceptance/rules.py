"""The limits of an acceptable listen, read from contracts/acceptance/rules.json."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_RULES = Path(__file__).resolve().parents[3] / "contracts" / "acceptance" / "rules.json"


@dataclass(frozen=True)
class Rules:
    """The limits that both languages keep; contracts/acceptance/README.md explains them."""

    earliest: str
    ahead_minutes: int
    # Lengths in characters: Unicode code points.
    longest: dict[str, int]
    # Character classes for a regular expression, without their brackets.
    refused: str
    blanks: str
    # A record over several lines that has more bytes counts as never closing.
    longest_record_bytes: int


@cache
def rules() -> Rules:
    document = json.loads(_RULES.read_text(encoding="utf-8"))
    time, text = document["time"], document["text"]
    return Rules(
        earliest=time["earliest"],
        ahead_minutes=time["aheadMinutes"],
        longest={"id": text["idMaxLength"], "name": text["nameMaxLength"]},
        refused="".join(f"\\u{first}-\\u{last}" for first, last in text["refusedRanges"] if not _is_surrogate(first)),
        blanks="".join(f"\\u{code}" for code in text["blanks"]),
        longest_record_bytes=document["csv"]["longestRecordBytes"],
    )


def _is_surrogate(code: str) -> bool:
    """Whether UTF-8 has no bytes for this code: such a text is told by its bytes, not by a character class."""
    return "D800" <= code <= "DFFF"
