"""Files outside Spark: the first line of a landing file, a snapshot's files. Local folders and S3 stores alike.

The store's address and credentials come from the environment, as AWS's own tools read them: AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

_S3_SCHEMES = ("s3a", "s3")
_FILES_AT_ONCE = 8


def open_uri(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI (s3a://bucket/key, file:///path or a plain path) and the path in it."""
    parsed = urlparse(uri)
    if parsed.scheme in _S3_SCHEMES:
        return _s3(), f"{parsed.netloc}{parsed.path}"
    return fs.LocalFileSystem(), parsed.path


def list_names(uri: str) -> list[str]:
    """Names of the files right in a folder; none where there is no folder."""
    filesystem, path = open_uri(uri)
    return [entry.base_name for entry in filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))]


def is_file(uri: str) -> bool:
    """Whether there is a file of this name."""
    filesystem, path = open_uri(uri)
    return filesystem.get_file_info(path).type == fs.FileType.File


@dataclass(frozen=True)
class StoredFile:
    """A file of a folder: its path under the folder, its size in bytes, and the time of its last write."""

    path: str
    size: int
    modified_at: datetime


def list_files(uri: str) -> list[StoredFile]:
    """Every file under a folder; none where there is no folder."""
    filesystem, folder = open_uri(uri)
    entries = filesystem.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return [
        StoredFile(entry.path.removeprefix(folder).lstrip("/"), entry.size, entry.mtime)
        for entry in entries
        if entry.is_file
    ]


def write_bytes(uri: str, body: bytes) -> None:
    """Writes a file and replaces an existing file."""
    filesystem, path = open_uri(uri)
    if isinstance(filesystem, fs.LocalFileSystem):
        filesystem.create_dir(path.rsplit("/", 1)[0], recursive=True)
    with filesystem.open_output_stream(path) as stream:
        stream.write(body)


def read_bytes(uri: str) -> bytes | None:
    """The content of a file. None if the file does not exist."""
    filesystem, path = open_uri(uri)
    found = filesystem.get_file_info(path)
    if found.type != fs.FileType.File:
        return None
    with filesystem.open_input_file(path) as file:
        # Told how much, it asks the store once, and not for every quarter of a megabyte.
        return file.read(found.size)


def read_parquet(uris: Iterable[str], columns: list[str] | None, repeated: list[str] | None = None) -> pa.Table:
    """Columns of some Parquet files (None: all columns), in the order of the file names. Columns in `repeated`
    become dictionaries.

    There must be a file: without files the types of the columns are unknown.
    """
    tables = []
    for uri in sorted(uris):
        filesystem, path = open_uri(uri)
        # A folder named `shard=3` is no column of the file.
        of_file = {"filesystem": filesystem, "partitioning": None, "read_dictionary": repeated}
        tables.append(pq.read_table(path, columns=columns, **of_file))
    # Files of a table may differ in the columns that Spark knew.
    return pa.concat_tables(tables, promote_options="default")


def parquet_columns(uri: str) -> set[str]:
    """The columns of a Parquet file."""
    filesystem, path = open_uri(uri)
    return set(pq.read_schema(path, filesystem=filesystem).names)


def write_parquet(uri: str, rows: pa.Table) -> None:
    """Writes a Parquet file and replaces an existing file."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    write_bytes(uri, sink.getvalue())


def remove_file(uri: str) -> None:
    """Removes a file. A missing file is not an error."""
    if is_file(uri):
        filesystem, path = open_uri(uri)
        filesystem.delete_file(path)


def remove_files(uris: list[str]) -> None:
    """Removes files. A missing file is not an error. Several removals run at the same time, because waiting for the
    store dominates."""
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        list(pool.map(remove_file, uris))


def storage_options() -> dict[str, str]:
    """How delta-rs reaches the store, from the same variables."""
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    return {**given, "AWS_ALLOW_HTTP": "true"}


def all_exist(uris: list[str]) -> bool:
    """True if all of these files exist. All files must be in the same store."""
    if not uris:
        return True
    filesystem = open_uri(uris[0])[0]
    found = filesystem.get_file_info([open_uri(uri)[1] for uri in uris])
    return all(entry.type == fs.FileType.File for entry in found)


def remove_folder(uri: str) -> None:
    """Removes a folder with its content. A missing folder is not an error."""
    filesystem, path = open_uri(uri)
    if filesystem.get_file_info(path).type != fs.FileType.NotFound:
        filesystem.delete_dir(path)


def base_name(uri: str) -> str:
    """The last part of a path: the value of `_source_file`."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


@cache
def _s3() -> fs.FileSystem:
    endpoint = urlparse(os.environ.get("AWS_ENDPOINT_URL", ""))
    address = {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme} if endpoint.netloc else {}
    return fs.S3FileSystem(
        access_key=os.environ.get("AWS_ACCESS_KEY_ID"),
        secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY"),
        region=os.environ.get("AWS_REGION", "us-east-1"),
        connect_timeout=10,
        request_timeout=60,
        # A small file takes a single request instead of three.
        allow_delayed_open=True,
        **address,
    )
