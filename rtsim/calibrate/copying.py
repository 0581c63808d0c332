"""How long a worker takes to copy an observation that another process has just written.

``python -m rtsim.calibrate.copying`` is that other process; :func:`copy_times` starts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from rtsim.live import LiveFault, wall
from rtsim.live import memory as m
from rtsim.live.memory import Memory
from rtsim.live.plan import LivePlan

#: Copies that are timed, and how far apart they are, ns.
COPIES, PERIOD = 500, 2_000_000


def copy_times(plan: LivePlan, copies: int = COPIES) -> NDArray[np.int64]:
    """Times of copying observations out of a live run's memory, int64 ns, shape (n,), n <= ``copies``.

    Each is written by another process, which then rings, as the environment does; so it is not
    in the cache of the core that copies, if that is another one.

    Raises
    ------
    LiveFault
        If that process cannot begin.
    """
    memory = Memory(plan)
    bell, lifeline = os.pipe(), os.pipe()
    said = {"plan": plan.to_json(), "memory": memory.fd, "bell": bell[1], "parent": os.getpid(), "copies": copies}
    child = subprocess.Popen(
        [sys.executable, "-m", "rtsim.calibrate.copying", json.dumps(said)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[memory.fd, bell[1]],
    )
    waiting = wall.Lifeline(lifeline[0], bell[0])
    found: list[int] = []
    try:
        seen = 0
        while child.poll() is None and seen < copies:
            waiting.wait(PERIOD)
            if memory.control[m.STEPS] > seen:
                seen = int(memory.control[m.STEPS])
                begin = wall.now_ns()
                frame = memory.frames[(seen - 1) % m.FRAMES].copy()
                found.append(wall.now_ns() - begin)
                assert frame.flags.owndata
    finally:
        child.kill()
        child.wait()
        for fd in (*bell, *lifeline, memory.fd):
            os.close(fd)
    if not found:
        raise LiveFault("the process that writes observations ended before the first one")
    return np.array(found[len(found) // 10 :], np.int64)


def _write(said: dict[str, int], plan: LivePlan) -> None:
    """Publish random observations at a steady pace."""
    wall.prepare_process(said["parent"])
    memory = Memory(plan, said["memory"])
    frames = np.random.default_rng(0).integers(0, 256, (2, plan.frame_bytes), np.uint8)
    for step in range(said["copies"]):
        memory.frames[step % m.FRAMES] = frames[step % 2]
        memory.control[m.STEPS] = step + 1
        wall.ring(said["bell"])
        wall.sleep_until(wall.now_ns() + PERIOD)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    _write(order, LivePlan.from_json(order.pop("plan")))
