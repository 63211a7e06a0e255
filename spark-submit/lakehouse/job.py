"""How every job runs: arguments, session, progress, cancellation, the result document, exit codes."""

import argparse
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.cancellation import Cancellation
from lakehouse.errors import EXIT_RETRYABLE, exit_code_of
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.session import interrupt, open_session

JobFunction = Callable[[SparkSession, Params, Progress], dict]

_LONGEST_MESSAGE = 2000


def run_job(name: str, job: JobFunction) -> None:
    """Runs `job` on the parameters of --params and writes what it returns to --result; ends the process.

    Exit codes: 0 done, 64 bad parameters, 65 broken data contract, 66 unsafe store, 67 retention too short, 143 cancelled, 1 anything else (a retry may help).
    The last line on stderr of a failure is `{"error": {"type", "message"}}`.
    """
    arguments = _arguments(name)
    cancellation = Cancellation(has_lifeline=arguments.lifeline)
    try:
        result = _run(name, job, arguments, cancellation)
        _write_atomically(arguments.result, json.dumps(result))
    except Exception as error:
        _wait_if_cancelled(cancellation)
        _fail(error)
    _exit(0)


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--params", type=Path, required=True, help="JSON file with the parameters")
    parser.add_argument("--result", type=Path, required=True, help="file the result document is written to")
    parser.add_argument("--identity", help="what one job at a time may work on; another one is ended")
    parser.add_argument("--lifeline", action="store_true", help="stop Spark and exit when stdin ends")
    return parser.parse_args()


def _run(name: str, job: JobFunction, arguments: argparse.Namespace, cancellation: Cancellation) -> dict:
    params = Params.read(arguments.params)
    run_key = params.text("runKey")
    progress = Progress(name)
    with progress.step("session"):
        spark = open_session(f"{name} {run_key}", arguments.identity)
    cancellation.on_cancel(lambda: interrupt(spark))
    progress.watch(spark)
    result = job(spark, params, progress)
    spark.stop()
    return {"job": name, "runKey": run_key, **result, "seconds": progress.seconds}


def _wait_if_cancelled(cancellation: Cancellation) -> None:
    """An interrupted query fails; that failure is no news, and the cancelling thread ends the process."""
    if cancellation.is_cancelled:
        threading.Event().wait()


def _write_atomically(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def _fail(error: Exception) -> None:
    exit_code = exit_code_of(error)
    if exit_code == EXIT_RETRYABLE:
        traceback.print_exception(error)
    message = message_of(str(error))[:_LONGEST_MESSAGE] or "no message"
    document = {"error": {"type": type(error).__name__, "message": message}}
    print(json.dumps(document), file=sys.stderr, flush=True)
    _exit(exit_code)


def message_of(text: str) -> str:
    """The message of a failure without Java's stack trace. The innermost cause stays, because it has the reason."""
    said, _, trace = text.partition("JVM stacktrace:")
    causes = [line.strip() for line in trace.split("\n") if line.startswith("Caused by: ")]
    return "\n".join([said.strip(), *causes[-1:]])


def _exit(code: int) -> None:
    # Not sys.exit: a thread of the Spark client must not keep a finished job alive.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
