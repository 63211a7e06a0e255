"""A load_bronze job that falls asleep before its commit: tells `ready`, waits for a line on stdin, then tries to commit.

Usage: zombie_job.py SPARK_ROOM IDENTITY FILE. Prints `committed` or `refused: why`.
"""

import sys

spark_room, identity, file = sys.argv[1:]
sys.path.insert(0, spark_room)

from lakehouse.contracts import table  # noqa: E402
from lakehouse.session import open_session  # noqa: E402
from lakehouse.tables import read_table, replace_file  # noqa: E402

EVENTS = table("bronze", "fact_listening_events")

spark = open_session("zombie", identity)
rows = read_table(spark, EVENTS, "s3a://data").limit(1)
rows.collect()
print("ready", flush=True)
sys.stdin.readline()
try:
    replace_file(rows, EVENTS, "s3a://data", "_source_file", file, f"{identity}/by-the-zombie")
    print("committed", flush=True)
except Exception as error:
    print(f"refused: {str(error)[:300]}", flush=True)
