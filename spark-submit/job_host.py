"""A process that has read in what jobs need and becomes each of them by a fork: to read it in takes longer than many a job works.

    python job_host.py SOCKET        (start_job.py is its caller)

Whoever connects sends one line, a job's script and arguments as a JSON list, with the descriptors of the job's stdin, stdout and
stderr. A child becomes that job; the caller hears its process id and, when it has ended, its exit code, a line each. The job of a
caller who hangs up is killed.

It ends with its own stdin, and after IDLE_SECONDS without a job. A job goes on without it; only its end is not told.
"""

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

IDLE_SECONDS = 60
_JOBS = Path(__file__).resolve().parent / "jobs"
# The modules of a load and a refresh. Other jobs need little more. The streams have a driver of their own.
_PRELOADED = ("load_bronze", "build_silver", "build_features", "evaluate_model", "build_gold", "export_snapshot")
_STANDARD_STREAMS = (0, 1, 2)
_LONGEST_CALL = 1 << 16
_CALL_SECONDS = 5


class JobHost:
    """The only thread of the process, because only a single-threaded process may fork."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._callers: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, ended = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(ended, False)
        self._wakes = (self._ended, ended)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ended)
        for source in (listener, sys.stdin.fileno(), self._ended):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> list[str] | None:
        """Returns None when there is nothing left to do; and in each child the job that it is to become."""
        while found := self._selector.select(None if self._callers else IDLE_SECONDS):
            for key, _ in found:
                if key.fileobj is self._listener:
                    job = self._accept()
                    if job is not None:
                        return job
                elif key.fileobj == self._ended:
                    self._reap()
                elif key.data is None:
                    if not os.read(sys.stdin.fileno(), 1):
                        return None
                elif key.data in self._callers:
                    # The pid of an ended process may belong to a new process.
                    os.kill(key.data, signal.SIGKILL)
                    self._selector.unregister(key.fileobj)
        return None

    def _accept(self) -> list[str] | None:
        caller, _ = self._listener.accept()
        caller.settimeout(_CALL_SECONDS)
        try:
            call, streams, _, _ = socket.recv_fds(caller, _LONGEST_CALL, len(_STANDARD_STREAMS))
        except OSError:
            call, streams = b"", []
        if len(streams) != len(_STANDARD_STREAMS):
            caller.close()
            return None
        child = os.fork()
        if child == 0:
            self._leave(caller)
            for stream, standard in zip(streams, _STANDARD_STREAMS, strict=True):
                os.dup2(stream, standard)
        for stream in streams:
            os.close(stream)
        if child == 0:
            return json.loads(call)
        self._callers[child] = caller
        self._selector.register(caller, selectors.EVENT_READ, child)
        _tell(caller, child)
        return None

    def _leave(self, caller: socket.socket) -> None:
        """Resources of the host do not belong to a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for mine in (self._listener, caller, *self._callers.values()):
            mine.close()
        for mine in self._wakes:
            os.close(mine)

    def _reap(self) -> None:
        os.read(self._ended, _LONGEST_CALL)
        for child in list(self._callers):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended == 0:
                continue
            caller = self._callers.pop(child)
            if caller in self._selector.get_map():
                self._selector.unregister(caller)
            code = os.waitstatus_to_exitcode(status)
            # As a shell says it of a process that a signal ended.
            _tell(caller, code if code >= 0 else 128 - code)
            caller.close()


def _tell(caller: socket.socket, number: int) -> None:
    # The selector reports a closed connection next.
    with suppress(OSError):
        caller.sendall(b"%d\n" % number)


def _preload() -> None:
    sys.path.insert(0, str(_JOBS))
    for job in _PRELOADED:
        importlib.import_module(job)
    # Garbage collection in a child would copy every page of the loaded modules.
    gc.freeze()


def _become(job: list[str]) -> None:
    sys.argv = job
    # As Python does it for a script.
    sys.path[0] = str(Path(job[0]).parent)
    runpy.run_path(job[0], run_name="__main__")


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as listener:
        # Listen first: a caller that connects during the import of the libraries waits.
        listener.bind(sys.argv[1])
        listener.listen()
        _preload()
        job = JobHost(listener).serve()
    if job is not None:
        _become(job)
