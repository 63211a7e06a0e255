"""The rules of ids and names: contracts/acceptance/README.md, "Texts"."""

from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.acceptance.rules import rules

Kind = Literal["id", "name"]


def holds_refused_character(text: Column) -> Column:
    """Whether a text holds a control or separator character, or bytes that are no UTF-8, as of an unpaired surrogate."""
    return text.rlike(f"[{rules().refused}]") | ~F.is_valid_utf8(text)


def is_missing(text: Column) -> Column:
    """Whether there is no text, or blanks alone."""
    return text.isNull() | text.rlike(rf"\A[{rules().blanks}]*+\z")


def problem(text: Column, kind: Kind, is_required: bool) -> Column:
    """`control_character`, `missing`, `too_long`, or null for an acceptable id or name. One that is not required may be absent,
    or blanks alone, however many."""
    is_long = F.length(text) > rules().longest[kind]
    found = F.when(holds_refused_character(text), "control_character")
    if is_required:
        return found.when(is_missing(text), "missing").when(is_long, "too_long")
    return found.when(is_long & ~is_missing(text), "too_long")


def problem_of_items(items: Column, kind: Kind) -> Column:
    """The problem of the first bad text of a list; an item that is null is missing."""
    problems = F.transform(items, lambda item: problem(item, kind, is_required=True))
    return F.get(F.filter(problems, lambda found: found.isNotNull()), F.lit(0))
