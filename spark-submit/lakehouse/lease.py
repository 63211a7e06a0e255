"""The lease of the streaming driver: of two drivers, the one that came later writes."""

import json

from pyarrow import fs

from lakehouse.files import open_uri


class LeaseLost(Exception):
    """Another driver has taken over; this one must not write any more."""


class Lease:
    """Who may write the streams: an object that names the owner. A new driver puts its own name there before it starts."""

    def __init__(self, uri: str, owner: str):
        self._uri = uri
        self._owner = owner

    def check(self) -> None:
        """Returns while the lease is ours; raises LeaseLost once it is somebody else's."""
        found = self._read()
        if found != self._owner:
            raise LeaseLost(f"the streams belong to driver {found or 'nobody'} now, not to {self._owner}")

    def _read(self) -> str | None:
        filesystem, path = open_uri(self._uri)
        if filesystem.get_file_info(path).type == fs.FileType.NotFound:
            return None
        with filesystem.open_input_stream(path) as stream:
            return json.loads(stream.read())["owner"]
