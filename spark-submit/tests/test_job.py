"""A job as a process: against a Spark Connect server of its own and under spark-submit."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pyspark
import pytest
from conftest import ROOM, WAIT_SECONDS, defaults, wait_for
from worlds import bronze_params, events_file, rows, songs_file

from lakehouse.job import message_of

SPARK_HOME = Path(pyspark.__file__).parent

# A job that works in Spark for ever, as far as a test is concerned.
ENDLESS_JOB = f"""
import sys
sys.path.insert(0, {str(ROOM)!r})
from lakehouse.job import run_job

def endless(spark, params, progress):
    with progress.step("endless"):
        spark.range(0, 10**15, 1, 2).selectExpr("sum(hash(id) % 7)").collect()
    return {{}}

run_job("endless", endless)
"""


@pytest.fixture(scope="module")
def server(jars, tmp_path_factory):
    """A Spark Connect server on free ports: the address of its clients and that of its UI."""
    folder = tmp_path_factory.mktemp("connect")
    port, ui_port = free_port(), free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.port": ui_port,
        "spark.sql.shuffle.partitions": 2,
    }
    log = (folder / "server.log").open("w")
    command = [
        *spark_submit(jars, settings),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment())
    try:
        wait_for(lambda: is_listening(port), f"the Spark Connect server (see {log.name})")
        yield f"sc://127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
        log.close()


def spark_submit(jars: Path, settings: dict) -> list[str]:
    given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    return [
        str(SPARK_HOME / "bin" / "spark-submit"),
        *("--properties-file", str(ROOM / "conf" / "spark-defaults.conf")),
        *("--master", "local[2]", "--driver-class-path", f"{jars}/*"),
        *given,
    ]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    return {**kept, "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def running_jobs(ui: str) -> int:
    """How many jobs Spark itself says it is working on."""
    with urllib.request.urlopen(f"{ui}/api/v1/applications") as answer:
        application = json.load(answer)[0]["id"]
    with urllib.request.urlopen(f"{ui}/api/v1/applications/{application}/jobs?status=running") as answer:
        return len(json.load(answer))


def write_params(folder: Path, values: object) -> list[str]:
    (folder / "params.json").write_text(json.dumps(values))
    return ["--params", str(folder / "params.json"), "--result", str(folder / "result.json")]


def run_script(job: str, folder: Path, values: object, remote: str = "sc://127.0.0.1:1") -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOM / "jobs" / f"{job}.py"), *write_params(folder, values)]
    return subprocess.run(
        command, env=environment(SPARK_REMOTE=remote), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )


def last_error(process: subprocess.CompletedProcess) -> dict:
    return json.loads(process.stderr.splitlines()[-1])["error"]


def test_a_failure_of_spark_is_told_by_its_cause_and_not_by_a_stack_trace():
    trace = "SparkException\n\tat X\nCaused by: java.io.IOException: a\n\tat Y\nCaused by: the disk is full\n\tat Z"
    assert message_of(f"Task failed.\n\nJVM stacktrace:\n{trace}") == "Task failed.\nCaused by: the disk is full"
    assert message_of(" no such table ") == "no such table"


def test_settings_hold_no_address_and_no_secret():
    assert not [name for name in defaults() if re.search(r"endpoint|access\.key|secret", name)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "must hold one JSON object"),
        ({}, "runKey must be a text that is not empty, found None"),
        ({"runKey": 7}, "runKey must be a text that is not empty, found 7"),
    ],
)
def test_bad_parameters_end_with_64_before_spark_is_asked(tmp_path, values, said):
    process = run_script("load_bronze", tmp_path, values)
    assert process.returncode == 64
    assert last_error(process)["type"] == "BadParameters"
    assert said in last_error(process)["message"]
    assert not (tmp_path / "result.json").exists()


def test_a_job_on_spark_connect_tells_its_progress_and_answers_with_a_document(server, lake, tmp_path):
    files = [
        events_file(tmp_path, ["1,u,t,like,2025-01-01T00:00:00Z", "2,,,,"]),
        songs_file(tmp_path, ["t,One,a,Ann,,,,"]),
    ]
    process = run_script("load_bronze", tmp_path, bronze_params(lake, files, run_key="a/b"), remote=server[0])

    assert process.returncode == 0, process.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["job"], result["runKey"]) == ("load_bronze", "a/b")
    assert [(file["bronze"], file["quarantined"]) for file in result["files"]] == [(1, 1), (1, 0)]
    assert rows(lake, "quarantine/fact_listening_events", "line_number", "reason") == [(3, "missing_user_id")]
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    assert {line["segue"] for line in lines} == {"progress"}
    assert {line["job"] for line in lines} == {"load_bronze"}
    assert "load fact_listening_events_2024.csv" in {line["step"] for line in lines}


def test_a_broken_contract_ends_with_65(server, lake, tmp_path):
    file = events_file(tmp_path, ["1,u,t,like,2025-01-01T00:00:00Z"])
    Path(file["uri"]).write_text("event_id,track_id,user_id,event_type,timestamp\n")
    process = run_script("load_bronze", tmp_path, bronze_params(lake, [file]), remote=server[0])
    assert process.returncode == 65
    assert last_error(process)["type"] == "BrokenContract"
    assert "found event_id,track_id,user_id" in last_error(process)["message"]


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGINT", "lifeline"])
def test_a_job_that_is_told_to_stop_stops_its_work_in_spark(server, tmp_path, ending):
    remote, ui = server
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS_JOB)
    process = subprocess.Popen(
        [sys.executable, str(script), *write_params(tmp_path, {"runKey": "r1"}), "--lifeline"],
        env=environment(SPARK_REMOTE=remote),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: running_jobs(ui) == 1, "the job to work in Spark")

    if ending == "lifeline":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, ending))

    assert process.wait(WAIT_SECONDS) == 143
    assert "stopping Spark" in process.stderr.read()
    process.stderr.close()
    wait_for(lambda: running_jobs(ui) == 0, "Spark to stop working")
    assert not (tmp_path / "result.json").exists()


def test_the_same_script_runs_under_spark_submit(jars, lake, tmp_path):
    files = [events_file(tmp_path, ["1,u,t,like,2025-01-01T00:00:00Z"])]
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.sql.shuffle.partitions": 2}
    command = [
        *spark_submit(jars, settings),
        str(ROOM / "jobs" / "load_bronze.py"),
        *write_params(tmp_path, bronze_params(lake, files)),
    ]
    env = environment(PYSPARK_PYTHON=sys.executable)
    process = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=2 * WAIT_SECONDS, check=False
    )
    assert process.returncode == 0, process.stderr[-3000:]
    assert json.loads((tmp_path / "result.json").read_text())["files"][0]["bronze"] == 1
    assert rows(lake, "bronze/fact_listening_events", "event_id") == [("1",)]
