#!/usr/bin/env bash
# Delta Lake 4.4.0 on Spark 4.2.0: an append with txnAppId/txnVersion (an idempotent write) reads the table's whole state each time.
#
# To see whether the append was made before, Delta adds up all actions of the log by a Spark job. The checksum file of the version
# (.crc) lists the transactions already, and Delta wrote it itself, but an append does not look there. So an idempotent append of two
# rows runs four Spark jobs where a plain one runs one.
#
# Seen: "transactions in the .crc: 5", "jobs of plain appends: [1, 1]", "jobs of idempotent appends: [4, 4]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyspark==4.2.0
cat > pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.delta</groupId>
      <artifactId>delta-spark_4.2_2.13</artifactId>
      <version>4.4.0</version>
      <exclusions>
        <exclusion><groupId>org.apache.spark</groupId><artifactId>*</artifactId></exclusion>
      </exclusions>
    </dependency>
  </dependencies>
</project>
XML
mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=jars -DincludeScope=runtime -DincludeGroupIds=io.delta > log || { tail -20 log; exit 1; }
cat > run.py <<'PY'
import glob
import json

from pyspark.sql import SparkSession

builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.extraClassPath", "jars/*")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.ui.enabled", "false")
)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
plays = spark.createDataFrame([("u1", "t1"), ("u2", "t2")], "user_id string, track_id string").coalesce(1)


def append(name: str, **transaction: str) -> int:
    """The Spark jobs of one append."""
    spark.sparkContext.setJobGroup(name, name)
    plays.write.format("delta").mode("append").options(**transaction).save("plays")
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(name))


for number in range(5):
    append(f"first {number}", txnAppId=f"file-{number}", txnVersion="1")
checksum = json.loads(open(sorted(glob.glob("plays/_delta_log/*.crc"))[-1]).read())
print("transactions in the .crc:", len(checksum["setTransactions"]))
print("jobs of plain appends:", [append(f"plain {number}") for number in range(2)])
print("jobs of idempotent appends:", [append(f"once {number}", txnAppId=f"more-{number}", txnVersion="1") for number in range(2)])
spark.stop()
PY
venv/bin/python run.py 2> log | tee out || { tail -20 log; exit 1; }
diff out - <<'SEEN' && echo "as before: Delta 4.4.0 reads the table's whole state for each idempotent append"
transactions in the .crc: 5
jobs of plain appends: [1, 1]
jobs of idempotent appends: [4, 4]
SEEN
