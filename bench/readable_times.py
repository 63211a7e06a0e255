"""When each row of a streamed table became readable, from the table's log alone: readable_times.py TABLE OUT, AWS_* set.

A row is readable once the commit that added its file is there. For every commit that added data, oldest first: the time the
store has for the commit file (epoch ms), and the event ids of its files, as one JSON line in OUT. No Spark.
"""

import json
import os
import sys
from urllib.parse import unquote, urlparse

import pyarrow.parquet as pq
from pyarrow import fs


def store() -> fs.FileSystem:
    endpoint = urlparse(os.environ["AWS_ENDPOINT_URL"])
    return fs.S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=endpoint.netloc,
        scheme=endpoint.scheme,
    )


def main(table: str, out: str) -> None:
    filesystem, root = store(), f"data/{table}"
    commits = filesystem.get_file_info(fs.FileSelector(f"{root}/_delta_log"))
    with open(out, "w", encoding="utf-8") as lines:
        for commit in sorted((c for c in commits if c.path.endswith(".json")), key=lambda c: c.path):
            with filesystem.open_input_stream(commit.path) as stream:
                actions = [json.loads(line) for line in stream.read().decode().split("\n") if line]
            added = [action["add"] for action in actions if "add" in action and action["add"]["dataChange"]]
            if not added:
                continue
            ids = []
            for file in added:
                rows = pq.read_table(f"{root}/{unquote(file['path'])}", columns=["event_id"], filesystem=filesystem)
                ids += rows["event_id"].to_pylist()
            lines.write(json.dumps({"readableAtMs": commit.mtime_ns // 1_000_000, "eventIds": ids}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
    # The reader's threads abort an interpreter that ends in the ordinary way, now and then.
    sys.stdout.flush()
    os._exit(0)
