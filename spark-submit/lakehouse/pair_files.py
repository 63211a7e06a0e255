"""CSV files of pairs, read strictly: a bad line is named with its file, its number and what to do."""

import csv
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import BadParameters


@dataclass(frozen=True)
class Pairs:
    """Distinct pairs of ids with the sum of their counts (1 where the file counts nothing)."""

    users: list[str]
    items: list[str]
    counts: list[float]

    def by_user(self) -> dict[str, list[int]]:
        """The rows of each user, users in the order of their id."""
        rows: dict[str, list[int]] = {}
        for row, user in enumerate(self.users):
            rows.setdefault(user, []).append(row)
        return dict(sorted(rows.items()))

    def take(self, rows: list[int]) -> "Pairs":
        return Pairs([self.users[r] for r in rows], [self.items[r] for r in rows], [self.counts[r] for r in rows])


def read_pairs(path: Path) -> Pairs:
    """Reads `user_id,item_id[,count]`; BadParameters names the first line that cannot be used."""
    sums: dict[tuple[str, str], float] = {}
    for line, row in _rows(path, ("user_id", "item_id"), ("count",)):
        count = _count(path, line, row[2]) if len(row) > 2 else 1.0
        sums[row[0], row[1]] = sums.get((row[0], row[1]), 0.0) + count
    if not sums:
        raise BadParameters(f"{path}: there is no pair in it; give a file with a header and at least one row")
    ordered = sorted(sums.items())
    return Pairs(
        [user for (user, _), _ in ordered], [item for (_, item), _ in ordered], [count for _, count in ordered]
    )


def read_edges(path: Path) -> list[tuple[str, str]]:
    """Reads `user_id_a,user_id_b`: the first follows the second."""
    return sorted({(row[0], row[1]) for _, row in _rows(path, ("user_id_a", "user_id_b"), ())})


def _rows(path: Path, required: tuple[str, ...], optional: tuple[str, ...]):
    """(line number, fields) of every row but blank ones."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            allowed = [list(required), [*required, *optional]]
            if header is None or [name.lstrip("\ufeff") for name in header] not in allowed:
                raise BadParameters(
                    f"{path}, line 1: the header must be {','.join(allowed[-1])}, found {','.join(header or ['nothing'])}"
                )
            for row in reader:
                if row:
                    yield reader.line_num, _checked(path, reader.line_num, row, header, len(required))
    except OSError as error:
        raise BadParameters(f"{path} cannot be read: {error.strerror}; give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise BadParameters(f"{path} is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from error
    except csv.Error as error:
        raise BadParameters(f"{path}, line {reader.line_num}: {error}; quote fields as RFC 4180 says") from error


def _checked(path: Path, line: int, row: list[str], header: list[str], ids: int) -> list[str]:
    if len(row) != len(header):
        raise BadParameters(f"{path}, line {line}: {len(header)} fields expected, found {len(row)}; correct the line")
    for name, value in zip(header[:ids], row[:ids], strict=True):
        if not value.strip():
            raise BadParameters(f"{path}, line {line}: {name} is empty; give it or remove the line")
    return row


def _count(path: Path, line: int, text: str) -> float:
    try:
        count = float(text)
    except ValueError:
        count = float("nan")
    if not 0 < count < float("inf"):
        raise BadParameters(f"{path}, line {line}: count must be a number above 0, found {text!r}; correct the line")
    return count
