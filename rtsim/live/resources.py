"""What a long run holds of the machine: memory, file descriptors, processes, shared memory, over time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsim.errors import MissingExtra
from rtsim.intervals import Interval

#: Where Linux shows named shared memory.
SHARED = Path("/dev/shm")


@dataclass(frozen=True)
class Holding:
    """What this process and its descendants hold at one time.

    Attributes
    ----------
    time_s : float
        Monotonic clock.
    own_bytes, children_bytes : int
        Resident memory of this process (in a live run, the supervisor with the record), and of all others together.
    descriptors, processes : int
        Open files of all of them; how many descendants there are.
    shared : tuple of str
        Names in /dev/shm.
    """

    time_s: float
    own_bytes: int
    children_bytes: int
    descriptors: int
    processes: int
    shared: tuple[str, ...]


def holding() -> Holding:
    """Look now.

    Raises
    ------
    MissingExtra
        Without psutil.
    """
    try:
        import psutil
    except ModuleNotFoundError:
        raise MissingExtra("looking at processes", "psutil", "live") from None
    own = psutil.Process()
    resident = descriptors = 0
    children = own.children(recursive=True)
    for child in children:
        try:
            with child.oneshot():
                resident += child.memory_info().rss
                descriptors += _descriptors(child.pid)
        except psutil.NoSuchProcess:  # it has ended since
            continue
    shared = tuple(sorted(path.name for path in SHARED.iterdir())) if SHARED.is_dir() else ()
    return Holding(
        time_s=time.monotonic(),
        own_bytes=own.memory_info().rss,
        children_bytes=resident,
        descriptors=descriptors + _descriptors(os.getpid()),
        processes=len(children),
        shared=shared,
    )


def _descriptors(pid: int) -> int:
    import psutil

    return int(psutil.Process(pid).num_fds()) if os.name == "posix" else 0


@dataclass(frozen=True)
class Slope:
    """How fast something grew, ``per_s``, with its 99 % interval ``ci99``, and how large it was in the ``mean``."""

    per_s: float
    ci99: Interval
    mean: float

    def flat(self, seconds: float, share: float) -> bool:
        """Whether the growth over a time, at the upper end of the interval, is at most a share of the mean."""
        return self.ci99[1] * seconds <= share * self.mean


def slope(times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """A straight line through what was seen, by least squares; at least three samples.

    The interval takes deviations from the line as independent. A process takes and returns memory in
    jumps, so that it is a little too narrow.

    >>> found = slope([0.0, 1.0, 2.0, 3.0], [5.0, 7.0, 9.0, 11.0])
    >>> round(found.per_s, 9), found.mean
    (2.0, 8.0)
    """
    from scipy.special import stdtrit
    from scipy.stats import linregress

    line = linregress(times_s, values)
    half = float(stdtrit(len(values) - 2, 0.995) * line.stderr)
    return Slope(float(line.slope), (float(line.slope) - half, float(line.slope) + half), float(np.mean(values)))
