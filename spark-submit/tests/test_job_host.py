"""Jobs' processes that are forked: what their callers, their host and they see of one another's end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOM, WAIT_SECONDS, wait_for

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture
def socket_path(tmp_path):
    return tmp_path / "socket"


@pytest.fixture
def host(socket_path):
    process = subprocess.Popen([sys.executable, str(ROOM / "job_host.py"), str(socket_path)], **PIPES)
    yield process
    process.kill()
    process.communicate()


def started(socket_path, script: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-I", "-S", str(ROOM / "start_job.py"), str(socket_path), str(script), *arguments]
    return subprocess.Popen(command, **PIPES)


def job(tmp_path, text: str) -> Path:
    script = tmp_path / "job.py"
    script.write_text(text)
    return script


def first_line(process: subprocess.Popen):
    return json.loads(process.stdout.readline())


def has_ended(pid: int) -> bool:
    """Gone, or not yet waited for by whoever it was left to."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


SAYS_WHO_IT_IS = """
import json, os, sys
from beside import WORD
import evaluate_model
print(json.dumps([__name__, WORD, sys.argv[1:], os.getppid(), sys.stdin.read()]))
print("alas", file=sys.stderr)
sys.exit(65)
"""

WORKS_ON = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print(json.dumps(os.getpid()), flush=True)
sys.stdin.read()
time.sleep(600 if sys.argv[1:] else 0)
"""


def test_a_job_is_a_child_of_the_host_and_to_its_caller_as_if_it_were_its_own(tmp_path, socket_path, host):
    (tmp_path / "beside.py").write_text("WORD = 'hello'")
    script = job(tmp_path, SAYS_WHO_IT_IS)
    for _ in range(2):
        process = started(socket_path, script, "--params", "a b")
        out, err = process.communicate("told", timeout=WAIT_SECONDS)
        assert (process.returncode, err) == (65, "alas\n")
        assert json.loads(out) == ["__main__", "hello", ["--params", "a b"], host.pid, "told"]


def test_without_a_host_the_caller_becomes_the_job(tmp_path, socket_path):
    script = job(tmp_path, "import os, sys\nprint(os.getpid(), sys.argv[1:])\nsys.exit(65)")
    process = started(socket_path, script, "--params")
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, out, err) == (65, f"{process.pid} ['--params']\n", "")


def test_jobs_run_at_once_and_a_signal_reaches_the_one_it_is_meant_for(tmp_path, socket_path, host):
    script = job(tmp_path, WORKS_ON)
    one, other = started(socket_path, script), started(socket_path, script)
    assert first_line(one) != first_line(other)
    one.send_signal(signal.SIGTERM)
    assert one.wait(WAIT_SECONDS) == 143
    other.stdin.close()
    assert other.wait(WAIT_SECONDS) == 0


def test_a_job_whose_caller_is_killed_is_killed_and_the_host_serves_the_next(tmp_path, socket_path, host):
    script = job(tmp_path, WORKS_ON)
    killed = started(socket_path, script, "for long")
    pid = first_line(killed)
    killed.kill()
    wait_for(lambda: has_ended(pid), "the end of the job")
    following = started(socket_path, script)
    following.communicate(timeout=WAIT_SECONDS)
    assert following.returncode == 0


def test_a_job_that_is_killed_says_so_by_its_exit_code(tmp_path, socket_path, host):
    process = started(socket_path, job(tmp_path, WORKS_ON), "for long")
    os.kill(first_line(process), signal.SIGKILL)
    assert process.wait(WAIT_SECONDS) == 128 + signal.SIGKILL


def test_when_the_host_is_killed_the_caller_says_the_job_failed_and_the_job_hears_that_it_is_alone(
    tmp_path, socket_path, host
):
    process = started(socket_path, job(tmp_path, WORKS_ON))
    pid = first_line(process)
    host.kill()
    assert process.wait(WAIT_SECONDS) == 1
    process.stdin.close()
    wait_for(lambda: has_ended(pid), "the end of the job")


def test_the_host_ends_quietly_with_its_own_stdin(socket_path, host):
    out, err = host.communicate("", timeout=WAIT_SECONDS)
    assert (host.returncode, out, err) == (0, "", "")
