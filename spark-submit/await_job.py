"""A job's process that is started before its job is known: it reads in what every job needs, then waits on stdin for one line,
the job's script and arguments as a JSON list, and becomes that job. It ends without a word when stdin does.
"""

import json
import runpy
import sys
from pathlib import Path

import pyspark.sql.connect.session  # noqa: F401  most of the half second that a job's process takes to start

sys.path.insert(0, str(Path(__file__).resolve().parent))

import lakehouse.bronze
import lakehouse.job  # noqa: F401


def become_job(line: str) -> None:
    sys.argv = json.loads(line)
    script = sys.argv[0]
    # As Python does it for a script.
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__" and (line := sys.stdin.readline()):
    become_job(line)
