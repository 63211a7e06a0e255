"""One local Spark session for all tests, over the same settings and jars as the product; local folders stand for the store."""

import os
import sys
import time
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOM), str(ROOM / "jobs"), str(ROOM / "tests")]
# Patience, no promise: `npm test` runs these at the lowest priority, beside a stack that has both cores busy.
WAIT_SECONDS = 600
os.environ.pop("SPARK_REMOTE", None)
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


# A test's rows are few and its queries many: to compile them, in Spark and in the JVM, would cost more than it saves. The
# integration tests run the same jobs compiled. Nobody looks at former queries, nor at the tables of former tests' lakes.
FEW_ROWS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-Xss8m -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseParallelGC "
    "-Ddelta.log.cacheSize=100",
}


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s for {what}"
        time.sleep(0.1)


def defaults() -> dict[str, str]:
    """The settings of conf/spark-defaults.conf."""
    lines = (ROOM / "conf" / "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))


@pytest.fixture(scope="session")
def jars() -> Path:
    """The folder of Delta's jars; a missing one fails the tests, it skips none."""
    folder = os.environ.get("SEGUE_SPARK_JARS", "")
    if not folder or not list(Path(folder).glob("delta-spark_*.jar")):
        pytest.fail(
            f"SEGUE_SPARK_JARS must name the folder with Delta's jars, found {folder!r}; make one with "
            "mvn -f spark-submit/pom.xml dependency:copy-dependencies -DoutputDirectory=FOLDER"
        )
    return Path(folder)


@pytest.fixture(scope="session")
def spark(jars, tmp_path_factory):
    from pyspark.sql import SparkSession

    settings = {
        **defaults(),
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.ui.enabled": "false",
        **FEW_ROWS,
    }
    builder = SparkSession.builder.master("local[2]").appName("segue-tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def lake(tmp_path) -> str:
    """An empty lake of its own for one test."""
    return f"{tmp_path}/lake"
