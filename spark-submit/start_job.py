"""Runs a job in a process that job_host.py forks, and is to its own caller what the job is: the same stdin, stdout and stderr, exit
code, and signals, which it passes on. Where there is no host it becomes the job itself: a host saves time and nothing else.

    python -I -S start_job.py SOCKET SCRIPT [ARGUMENT…]
"""

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress

_PASSED_ON = (signal.SIGTERM, signal.SIGINT)
# A host that was started just now may not listen yet.
_ATTEMPTS = 20
_BETWEEN_SECONDS = 0.05


def main(path: str, *job: str) -> int:
    # Until the process id of the job is known.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    with socket.socket(socket.AF_UNIX) as host:
        answers = _call(host, path, job)
        child = next(answers, None)
        if child is not None:
            for number in _PASSED_ON:
                signal.signal(number, lambda number, _: _pass_on(child, number))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            # Of a host that died nothing is heard; the job sees the end of its stdin when this process is gone.
            return next(answers, 1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    os.execv(sys.executable, [sys.executable, *job])


def _call(host: socket.socket, path: str, job: tuple[str, ...]):
    """The answer of the host. Empty if there is no host."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            host.connect(path)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            if attempt == _ATTEMPTS:
                return
            time.sleep(_BETWEEN_SECONDS)
    try:
        socket.send_fds(host, [json.dumps(job).encode()], [0, 1, 2])
        with host.makefile("r") as lines:
            yield from map(int, lines)
    except (BrokenPipeError, ConnectionResetError):
        return


def _pass_on(child: int, number: int) -> None:
    # If it has just ended, the host says so next.
    with suppress(ProcessLookupError):
        os.kill(child, number)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
