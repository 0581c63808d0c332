"""The memory that the processes of a run share: flat arrays in one anonymous file.

The file has no name, so that nothing can be left behind: it goes with the last process that
has it open.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.live.plan import LivePlan
from rtsim.schedulers.learners import state_size

#: ``control``: when step 0 begins (monotonic ns; 0: not yet), newest step that has begun (-1), 1: all leave,
#: 1: the environment has done its last step, updates landed so far, rows written to
#: the rings of steps and updates, 1: the environment has the real-time class, 1: and a core to itself,
#: rows of updates that the recorder has taken, landings decided so far, and of those landed.
ORIGIN, PUBLISHED, STOP, FINISHED, VERSION, STEPS, UPDATES, REALTIME, PINNED, UPDATES_TAKEN, DECIDED, LANDED = range(12)
CONTROL_SIZE = 16

#: ``workers``, a row per worker, and ``learners``, a row per learner: what it does, and until or since when.
#: BUSY_FROM is the logical start of what is under way, or -1; START_VERSION the updates landed when it was started.
STATUS, STEP, TIME, COUNT, BUSY_FROM, RESTARTS, START_VERSION = range(7)
ACTOR_COLUMNS = 7
#: A worker sleeps until TIME, when anybody may ask the rule for it; waits for the publication of STEP; has been
#: started on observation STEP at TIME; is busy; or its process is gone. What is asleep or waits changes under the
#: lock only; what is started or busy belongs to its process.
ASLEEP, WAITING, STARTED, BUSY, DEAD = range(5)

#: ``computed``, a row per learner: logical start of its update and when its gradient was there (ns; -1: not yet),
#: newest step and version of the parameters it was computed from, how far it is, and 1: its process was lost and it
#: has no gradient.
BEGUN, ENDED, DATA_STEP, READ_VERSION, PHASE, VOID = range(6)
COMPUTED_COLUMNS = 6
#: Of an update: there is none; its gradient is being computed; that is there, and waits for its turn or lands.
NONE, COMPUTING, READY = range(3)

#: A row of an inference, as its worker writes it when it has ended; its actions stand beside it.
INFERENCE = ("inference", "observation", "start", "end", "release", "version", "component", "began", "posted")
#: A row of a step, as the environment writes it.
STEP_ROW = (
    *(
        "time",
        "worker",
        "inference",
        "observation",
        "position",
        "release",
        "released",
        "overwritten",
        "dropped",
        "pending",
    ),
    *("action", "reward_bits", "hash", "ended", "stale", "late", "own", "waking", "emulator"),
)
EMPTY_ROW = (0,) * len(STEP_ROW)
UPDATE = ("learner", "start_ns", "end_ns", "land_ns", "data_step", "read_version", "version", "batch", "loss_bits")

#: Observations kept: a worker that reads one more than four seconds late finds it gone.
FRAMES = 256
STEP_RING, UPDATE_RING = 4096, 8192
#: Steps for which is known what the replay memory held.
STORED = 4096
#: Bytes of a console's work memory that scripted players are shown.
CONSOLE = 8192


@dataclass(frozen=True)
class Array:
    """One array of the shared memory."""

    name: str
    kind: Any
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes, rounded up to a cache line."""
        return -(-math.prod(self.shape) * int(np.dtype(self.kind).itemsize) // 64) * 64


def layout(plan: LivePlan) -> list[Array]:
    """All arrays of a run, in order."""
    workers, learners = plan.scenario.workers, plan.scenario.learner_count
    program = plan.scenario.program()
    ring, learning = inference_ring(workers), plan.learning is not None
    return [
        Array("control", np.int64, (CONTROL_SIZE,)),
        # When the environment, and each of the other processes, last said that it lives (monotonic ns; 0: not yet).
        Array("pulses", np.int64, (1 + len(plan.hosts) + len(plan.learner_hosts),)),
        Array("rule_state", np.int64, (max(len(program.state), 1),)),
        Array("learner_state", np.int64, (state_size(max(learners, 1)),)),
        Array("workers", np.int64, (workers, ACTOR_COLUMNS)),
        Array("learners", np.int64, (max(learners, 1), ACTOR_COLUMNS)),
        Array("computed", np.int64, (max(learners, 1), COMPUTED_COLUMNS)),
        Array("losses", np.float64, (max(learners, 1),)),  # of the gradients, if they are real ones
        # What lands, a row per landing that was decided: who made it so, how many gradients, and whose, in order.
        Array("landings", np.int64, (max(learners, 1), 2 + max(learners, 1)) if learning else (1, 1)),
        # By step: rows of the replay memory, and transitions, that there were when it began.
        Array("stored", np.int64, (STORED if learning else 1, 2)),
        Array("heads", np.int64, (workers,)),
        # Rows of each worker's ring that the recorder has taken, and that the environment has.
        Array("drained", np.int64, (workers,)),
        Array("collected", np.int64, (workers,)),
        Array("inferences", np.int64, (workers, ring, len(INFERENCE))),
        Array("actions", np.int32, (workers, ring, program.chunk)),
        Array("steps", np.int64, (STEP_RING, len(STEP_ROW))),
        Array("updates", np.int64, (UPDATE_RING, len(UPDATE))),
        Array("frames", np.uint8, (FRAMES, plan.frame_bytes)),
        Array("consoles", np.uint8, (FRAMES, CONSOLE if plan.agent == "scripted" else 1)),
    ]


def inference_ring(workers: int) -> int:
    """Rows kept per worker until recorder and environment have taken them; one that fills its ring waits."""
    return max(64, min(1024, 65536 // workers))


#: Arrays that are read and written number by number: one-dimensional memoryviews.
WORDS = ("control", "rule_state")


class Memory:
    """The arrays of :func:`layout` by name, on a shared file.

    Parameters
    ----------
    plan : LivePlan
    fd : int, optional
        The file, if it exists already.
    """

    def __init__(self, plan: LivePlan, fd: int | None = None) -> None:
        self.fd, arrays = share(layout(plan), fd)
        for name, array in arrays.items():
            # Single numbers by way of numpy cost several times as much, and more when its code is not at hand.
            setattr(self, name, array.data.cast("B").cast("q") if name in WORDS else array)

    control: memoryview[int]
    pulses: NDArray[np.int64]
    rule_state: memoryview[int]
    learner_state: NDArray[np.int64]
    workers: NDArray[np.int64]
    learners: NDArray[np.int64]
    computed: NDArray[np.int64]
    losses: NDArray[np.float64]
    landings: NDArray[np.int64]
    stored: NDArray[np.int64]
    heads: NDArray[np.int64]
    drained: NDArray[np.int64]
    collected: NDArray[np.int64]
    inferences: NDArray[np.int64]
    actions: NDArray[np.int32]
    steps: NDArray[np.int64]
    updates: NDArray[np.int64]
    frames: NDArray[np.uint8]
    consoles: NDArray[np.uint8]


def share(arrays: Sequence[Array], fd: int | None = None) -> tuple[int, dict[str, NDArray[Any]]]:
    """Arrays on an anonymous file, by name, and its descriptor; ``fd`` if the file exists already."""
    total = sum(array.size for array in arrays)
    fd = _anonymous_file(total) if fd is None else fd
    whole = mmap.mmap(fd, total)
    found, offset = {}, 0
    for array in arrays:
        view = np.frombuffer(whole, array.kind, math.prod(array.shape), offset)
        found[array.name] = view.reshape(array.shape)
        offset += array.size
    return fd, found


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("rtsim", os.MFD_CLOEXEC)
    else:  # a system without it: an ordinary file whose name is gone at once
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
