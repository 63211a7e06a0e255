"""The header of a landing file."""

import io

from lakehouse.contracts import Dataset
from lakehouse.errors import BrokenContract
from lakehouse.files import open_uri
from lakehouse.landing.records import fields_of

_LONGEST_HEADER_BYTES = 64 * 1024
# A line of nothing else is no record.
BLANK = "".join(map(chr, range(0x21)))


def check_header(dataset: Dataset, uri: str) -> int:
    """The line the header stands on (from 1). BrokenContract when the file is missing or its header is another."""
    filesystem, path = open_uri(uri)
    try:
        with filesystem.open_input_stream(path) as stream:
            head = stream.read(_LONGEST_HEADER_BYTES)
    except FileNotFoundError as error:
        raise BrokenContract(f"{uri}: there is no such file; upload it again") from error
    # Universal newlines: \n, \r\n and \r, and none of the others at which str.splitlines would split.
    lines = io.StringIO(head.decode("utf-8-sig", errors="replace"), newline=None)
    for number, line in enumerate(lines, start=1):
        if line.strip(BLANK):
            _refuse_other_header(dataset, uri, line.removesuffix("\n"))
            return number
    raise BrokenContract(f"{uri}: the file is empty; expected the header {','.join(dataset.column_names)}")


def _refuse_other_header(dataset: Dataset, uri: str, line: str) -> None:
    if fields_of(line) != dataset.column_names:
        expected = ",".join(dataset.column_names)
        raise BrokenContract(f"{uri}: expected the header {expected}, found {line}; mend the file")
