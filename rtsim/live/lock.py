"""A lock between processes that the death of its holder opens."""

from __future__ import annotations

import fcntl
from types import TracebackType


class ProcessLock:
    """A record lock on a shared file: the kernel releases it when its holder dies.

    Semaphores in shared memory stay shut when a process is killed while it holds one. Not for
    threads, and not to be entered twice.

    Parameters
    ----------
    fd : int
        A file that all parties have open.
    place : int
        Which lock of that file.
    """

    def __init__(self, fd: int, place: int = 0) -> None:
        self._fd, self._place = fd, place

    def attempt(self) -> bool:
        """Take the lock if it is free now; whoever got it calls :meth:`release`."""
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Open it again."""
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, self._place)

    def __enter__(self) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, self._place)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
