"""Progress as JSON lines on stdout: the step a job is at and the tasks of the query that runs."""

import json
import sys
import threading
import time

from pyspark.sql import SparkSession

from lakehouse.session import is_connect

_LEAST_SECONDS_BETWEEN_LINES = 0.5


class Progress:
    """Prints one line at every step, and while a query runs at most two a second; measures each step's seconds."""

    def __init__(self, job: str, out=sys.stdout):
        self._job = job
        self._out = out
        self._step = "start"
        self._lock = threading.Lock()
        self._last_line = 0.0
        self.seconds: dict[str, float] = {}

    def watch(self, spark: SparkSession) -> None:
        """Follows the tasks of the session's queries, where Spark tells (Spark Connect)."""
        if is_connect(spark):
            spark.registerProgressHandler(self._on_query)

    def step(self, name: str) -> "_Step":
        """A context manager around one step: `with progress.step('write dim_songs'): …`."""
        return _Step(self, name)

    def started(self, name: str) -> None:
        self._step = name
        self._print(0, 0)

    def ended(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)

    def _on_query(self, stages, inflight_tasks, operation_id, done) -> None:
        if not stages or time.monotonic() - self._last_line < _LEAST_SECONDS_BETWEEN_LINES:
            return
        self._print(sum(s.num_completed_tasks for s in stages), sum(s.num_tasks for s in stages))

    def _print(self, tasks_done: int, tasks_total: int) -> None:
        line = {
            "segue": "progress",
            "job": self._job,
            "step": self._step,
            "tasksDone": tasks_done,
            "tasksTotal": tasks_total,
        }
        with self._lock:
            self._last_line = time.monotonic()
            print(json.dumps(line), file=self._out, flush=True)


class _Step:
    def __init__(self, progress: Progress, name: str):
        self._progress = progress
        self._name = name

    def __enter__(self) -> None:
        self._start = time.monotonic()
        self._progress.started(self._name)

    def __exit__(self, *_) -> None:
        self._progress.ended(self._name, time.monotonic() - self._start)
