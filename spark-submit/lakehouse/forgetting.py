"""Where a user's rows are, in every table of the lake."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.contracts import Dataset, Table
from lakehouse.files import list_names
from lakehouse.tables import sql_text

# Columns that hold a user's id.
USER_COLUMNS = ("user_id", "owner_user_id", "user_id_a", "user_id_b")
# What stands in quarantine for a row of a landing file whose user was forgotten: no word of the row itself.
FORGOTTEN = "user_forgotten"
NOBODY: list[str] = []
# Hex digits of a hash that say where it lies in the plan, and that are compared in all: of 128 bits no two users' are alike.
_PLACE_DIGITS = 3
_HASH_DIGITS = 32


def user_condition(table: Table, user_id: str) -> str | None:
    """SQL that is true for the user's rows; None for a table that holds no user."""
    columns = [name for name in USER_COLUMNS if name in table.column_names]
    return " OR ".join(f"`{name}` = {sql_text(user_id)}" for name in columns) or None


def raw_condition(dataset: Dataset, user_id: str) -> str | None:
    """SQL that is true for refused lines (column `raw`) of the user.

    By the position of the user's columns; of a line that has another number of fields, any field counts: rather one refused
    line too many than one too few.
    """
    names = dataset.column_names
    positions = [names.index(name) for name in USER_COLUMNS if name in names]
    if not positions:
        return None
    fields = "transform(split(raw, ','), field -> trim(BOTH '\" ' FROM field))"
    user = sql_text(user_id)
    placed = " OR ".join(f"get({fields}, {position}) = {user}" for position in positions)
    return f"raw IS NOT NULL AND (({placed}) OR (size({fields}) <> {len(names)} AND array_contains({fields}, {user})))"


def forgotten_hashes(lake_uri: str) -> list[str]:
    """SHA-256 of the id of every user who was forgotten, in hex."""
    names = list_names(f"{lake_uri.rstrip('/')}/_control/forgotten")
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def is_forgotten(user_id: Column, hashes: list[str]) -> Column:
    """Whether a user's id is one of those that were forgotten, of whom only hashes are kept; null for no id.

    The hashes lie in the plan as one text, by their first digits: a row looks at the few that begin as its own does. A list of
    literals (`isin`) would make an expression of each, which takes seconds for a thousand of them.
    """
    if not hashes:
        return F.lit(False)
    places = [""] * 16**_PLACE_DIGITS
    for found in hashes:
        places[int(found[:_PLACE_DIGITS], 16)] += f",{found[_PLACE_DIGITS:_HASH_DIGITS]}"
    # Split once, when the plan is optimized: both arguments are literals.
    table = F.split(F.lit("|".join(places)), "[|]")
    own = F.sha2(user_id, 256)
    place = F.conv(F.substring(own, 1, _PLACE_DIGITS), 16, 10).cast("int")
    rest = F.substring(own, _PLACE_DIGITS + 1, _HASH_DIGITS - _PLACE_DIGITS)
    return F.contains(F.get(table, place), F.concat(F.lit(","), rest))
