"""Stops Spark when the job is told to stop, or when the process that started it is gone."""

import os
import signal
import sys
import threading
from collections.abc import Callable

from lakehouse.errors import EXIT_CANCELLED

_INTERRUPT_SECONDS = 15


class Cancellation:
    """Watches for SIGTERM, SIGINT and, as a lifeline, the end of stdin; then interrupts Spark and exits with 143.

    The main thread is usually blocked in a call to Spark, where Python runs no signal handler; the wake-up descriptor is
    written by the interpreter's C code at once, and a thread of ours reads it.
    """

    def __init__(self, has_lifeline: bool):
        self._interrupt: Callable[[], None] | None = None
        self._cancelled = threading.Event()
        self._watch_signals()
        if has_lifeline:
            self._start(self._watch_stdin)

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def on_cancel(self, interrupt: Callable[[], None]) -> None:
        """What stops the work; called once, from a thread."""
        self._interrupt = interrupt

    def _watch_signals(self) -> None:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._start(lambda: (os.read(read_end, 1), self._cancel("it was told to stop")))

    def _watch_stdin(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self._cancel("the process that started it is gone")

    def _cancel(self, why: str) -> None:
        if self._cancelled.is_set():
            return
        self._cancelled.set()
        print(f"stopping Spark: {why}", file=sys.stderr, flush=True)
        stopping = self._start(self._interrupt_spark)
        stopping.join(_INTERRUPT_SECONDS)
        os._exit(EXIT_CANCELLED)

    def _interrupt_spark(self) -> None:
        try:
            if self._interrupt:
                self._interrupt()
        except Exception as error:
            # The job ends either way; that Spark may still be working is worth a line.
            print(f"Spark could not be interrupted: {error}", file=sys.stderr, flush=True)

    @staticmethod
    def _start(target: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        return thread
