"""How a run is going: what the status line shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.memory import Memory
from rtsim.live.plan import LivePlan
from rtsim.live.recorder import Recorder


@dataclass(frozen=True)
class Status:
    """How a run is going, for a status line.

    Attributes
    ----------
    step, steps : int
    elapsed_s : float
        Since step 0.
    late_ns : int64 array
        Lateness of the newest second of steps.
    inaction_fraction, delay_steps : float or None
        Over the newest second; None before the first agent step.
    reward : float
        Sum so far.
    workers : str
        One letter each: ``b`` busy, ``.`` waiting, ``x`` its process is gone.
    faults : int
    updates : int
        Updates that have landed.
    """

    step: int
    steps: int
    elapsed_s: float
    late_ns: Any
    inaction_fraction: float | None
    delay_steps: float | None
    reward: float
    workers: str
    faults: int
    updates: int = 0


def status_of(plan: LivePlan, memory: Memory, recorder: Recorder, faults: int) -> Status:
    """The status of a run, from its record so far."""
    scenario = plan.scenario
    rows = recorder.newest(int(1 / scenario.step_mean) + 1)
    steps = recorder.steps
    acted = np.flatnonzero(rows["worker"] >= 0)
    delays = steps - len(rows["worker"]) + acted - rows["observation"][acted]
    letters = np.array(list("..bbx"))[memory.workers[:, m.STATUS]]
    return Status(
        step=steps,
        steps=scenario.steps,
        elapsed_s=(wall.now_ns() - int(memory.control[m.ORIGIN])) / 1e9,
        late_ns=rows["late"],
        inaction_fraction=1 - len(acted) / len(rows["worker"]) if steps else None,
        delay_steps=float(delays.mean()) if len(acted) else None,
        reward=recorder.reward,
        workers="".join(letters),
        faults=faults,
        updates=int(memory.control[m.VERSION]),
    )
