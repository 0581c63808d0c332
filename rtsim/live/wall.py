"""Waiting for the wall clock, and what the operating system grants for it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator

#: How long before a deadline the environment wakes up: sleeping overshoots, and there is something to prepare.
EARLY_NS = 2_000_000
#: The same in the real-time class, where the scheduler wakes a process at once.
EARLY_REALTIME_NS = 700_000

PR_SET_PDEATHSIG, PR_SET_TIMERSLACK = 1, 29

now_ns = time.monotonic_ns


def sleep_until(deadline: int) -> None:
    """Sleep until ``deadline`` (monotonic ns), or a little longer."""
    left = deadline - now_ns()
    if left > 0:
        time.sleep(left / 1e9)


def wait_awake(deadline: int) -> int:
    """Look at the clock until it shows ``deadline`` (monotonic ns); returns what it shows."""
    now = now_ns()
    while now < deadline:
        now = now_ns()
    return now


def prepare_process(parent: int) -> None:
    """Called first in every process of a run: signals are the parent's, sleep is precise, nobody is orphaned."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    gc.disable()  # nothing here makes cycles while it runs, and a collection can take milliseconds


#: Priorities in the real-time class: nothing keeps the environment waiting.
ENVIRONMENT, HOLDING_BACK = 20, 10
#: Cores from which on the environment has one to itself.
CORES_TO_PIN = 3


def realtime_class(priority: int) -> bool:
    """Ask for the real-time scheduling class for this process; False where it is not permitted."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        return True
    return False


def ordinary_class() -> None:
    """Back to the class that all processes are in at first, where that had been left."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def pin(environment: bool) -> bool:
    """Give the environment a core to itself, and the others the rest, where there are enough; whether it was done."""
    with contextlib.suppress(OSError, AttributeError):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) >= CORES_TO_PIN:
            os.sched_setaffinity(0, cores[-1:] if environment else cores[:-1])
            return True
    return False


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """While what was recorded is put together and written, a second Ctrl-C is not heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Lifeline:
    """The reading end of a pipe that only the parent holds open, and the bell of this process.

    Parameters
    ----------
    lifeline, bell : int
        File descriptors: end of file on the first means that the parent has gone; a byte on
        the second, that there is something to look at.
    """

    def __init__(self, lifeline: int, bell: int) -> None:
        self._lifeline, self._bell = lifeline, bell
        os.set_blocking(bell, False)

    def wait(self, timeout_ns: int) -> bool:
        """Sleep for at most ``timeout_ns``, or until the bell rings; False if the parent has gone."""
        ready, _, _ = select.select([self._lifeline, self._bell], [], [], max(timeout_ns, 0) / 1e9)
        if self._bell in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
        return self._lifeline not in ready


def ring(bell: int) -> None:
    """Wake who waits at the other end of the pipe; one that is full has rung enough."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(bell, b"!")
