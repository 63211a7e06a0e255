#!/usr/bin/env bash
# Sail 0.7.2 (a native server for Spark's API, with Delta Lake built in) and two write options of Delta.
#
# Delta's Spark connector skips an append whose txnAppId/txnVersion a table has already, and refuses an overwrite whose rows lie
# outside replaceWhere. Sail takes both options without an error and applies neither: the second append adds its rows
# again, no commit has a txn action, and a row of week 2 is stored by an overwrite of week 1.
#
# Seen: "rows after the same append twice: 4", "commits with a txn action: 0", "after replaceWhere week = 1: [(2, 'b')]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysail==0.7.2 pyspark-client==4.1.2
cat > "$folder/run.py" <<'PY'
import glob
import json
import sys

from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

folder = sys.argv[1]
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
spark = SparkSession.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate()

events = spark.sql("SELECT 'e1' AS event_id UNION ALL SELECT 'e2'")
for _ in range(2):
    options = {"txnAppId": "week/2025-01-07", "txnVersion": "1"}
    events.write.format("delta").mode("append").options(**options).save(f"{folder}/events")
print("rows after the same append twice:", spark.read.format("delta").load(f"{folder}/events").count())
commits = [[json.loads(line) for line in open(path)] for path in glob.glob(f"{folder}/events/_delta_log/*.json")]
print("commits with a txn action:", sum(any("txn" in action for action in commit) for commit in commits))

charts = f"{folder}/charts"
spark.sql("SELECT 1 AS week, 'a' AS track").write.format("delta").partitionBy("week").save(charts)
other_week = spark.sql("SELECT 2 AS week, 'b' AS track")
other_week.write.format("delta").mode("overwrite").option("replaceWhere", "week = 1").save(charts)
rows = spark.read.format("delta").load(charts).select("week", "track").collect()
print("after replaceWhere week = 1:", sorted(map(tuple, rows)))
PY
timeout 120 "$folder/venv/bin/python" "$folder/run.py" "$folder" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
# The server logs to the same stream.
grep -E '^(rows|commits|after) ' "$folder/log" | tee "$folder/out"
diff "$folder/out" - <<'SEEN' && echo "as before: pysail 0.7.2 applies neither option"
rows after the same append twice: 4
commits with a txn action: 0
after replaceWhere week = 1: [(2, 'b')]
SEEN
