"""Counts the records of a Kafka topic as the streaming driver reaches Kafka; called like a job."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spark-submit"))

from pyspark.sql import SparkSession

from lakehouse.kafka_client import source_options

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
params = json.loads(Path(arguments["--params"]).read_text())
spark = SparkSession.builder.getOrCreate()
source = spark.read.format("kafka").options(**source_options(params["servers"])).option("subscribe", params["topic"])
Path(arguments["--result"]).write_text(json.dumps({"records": source.load().count()}))
