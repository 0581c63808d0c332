"""A training in real time: processes that infer, learn and play at once, and the learning curve of what they did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsim.envs import make
from rtsim.errors import InvalidValue
from rtsim.learning.curve import Row, Tally
from rtsim.live.plan import LivePlan
from rtsim.live.run import RunInterrupted, play
from rtsim.live.status import Status
from rtsim.live.virtual import plan_of, recorded
from rtsim.schedule import Schedule


@dataclass(frozen=True)
class LiveTraining:
    """What came of a live training.

    Attributes
    ----------
    schedule : Schedule
        As of any other live run; its updates have a column ``loss``.
    rows : list of Row
        The learning curve of this run, as of a training in virtual time.
    interrupted : bool
        Whether it was stopped by Ctrl-C; the checkpoint is that of the end all the same.
    problem : str
        In a line, why it ended early; empty if it did not. The last checkpoint is as it was then.
    """

    schedule: Schedule
    rows: list[Row]
    interrupted: bool = False
    problem: str = ""


def train(plan: LivePlan, *, row_steps: int = 1_000, on_status: Callable[[Status], None] | None = None) -> LiveTraining:
    """Run a plan that learns, in real time.

    Parameters
    ----------
    plan : LivePlan
        One with a :class:`~rtsim.live.plan.LearningPlan`, which says where the checkpoint goes.
    row_steps : int, >= 1
        Environment steps per row of the curve.
    on_status : callable, optional
        Called some times a second.

    Raises
    ------
    InvalidValue
        If the plan learns nothing.
    FileProblem
        If the checkpoint cannot be begun, or gone on from.
    LiveFault
        If the run could not begin.
    RunInterrupted
        If it was stopped before its first step.
    """
    if plan.learning is None:
        raise InvalidValue("this plan learns nothing; give it a LearningPlan")
    interrupted = False
    try:
        schedule = play(plan, on_status=on_status)
    except RunInterrupted as stop:
        if stop.schedule is None:
            raise
        schedule, interrupted = stop.schedule, True
    problem = "" if interrupted else str(schedule.header["live"]["ended"])
    return LiveTraining(schedule, curve(schedule, row_steps), interrupted, problem)


def curve(schedule: Schedule, row_steps: int = 1_000) -> list[Row]:
    """The learning curve of a recorded run that learnt: a row for every so many steps, the last one for what is left.

    Parameters
    ----------
    schedule : Schedule
    row_steps : int, >= 1

    Raises
    ------
    InvalidValue
        If it was not recorded live.
    """
    live, plan = recorded(schedule), plan_of(schedule)
    with make(plan.game) as emulator:
        noop = emulator.noop
    count, step_s = len(schedule), plan.scenario.step_mean
    per_step = _per_step(schedule, noop)
    ends = np.flatnonzero(live["ended"])
    begins = np.concatenate([np.zeros(1, np.int64), ends + 1])
    scores = [float(live["reward"][a : b + 1].sum()) for a, b in zip(begins, ends, strict=False)]
    per_step["episodes"][ends], per_step["scores"][ends] = 1, scores
    per_step["lengths"][ends] = ends + 1 - begins[:-1]
    rows = []
    for first in range(0, count, row_steps):
        last = min(first + row_steps, count)
        sums = {name: float(column[first:last].sum()) for name, column in per_step.items()}
        rows.append(Tally(since=first * step_s, steps=last - first, **sums).row(last, last * step_s))
    return rows


def _per_step(schedule: Schedule, noop: int) -> dict[str, NDArray[np.float64]]:
    """What each step adds to the sums of a :class:`~rtsim.learning.curve.Tally`, float64, shape (T,) each."""
    live, steps, updates, count = recorded(schedule), schedule.steps, schedule.updates, len(schedule)
    starts, numbers = steps["time_ns"], np.arange(count)
    agent = schedule.acted & (live["stale"] == 0)
    landed = np.concatenate([np.zeros(1, np.int64), updates["version"]])
    newest = landed[np.searchsorted(updates["land_ns"], starts, side="right")]
    # On the step in which it happened, or on the last one before that.
    of_update = np.searchsorted(starts, updates["land_ns"], side="right") - 1
    spans = schedule.spans or {}
    of_decision = np.searchsorted(starts, spans["start_ns"], side="right") - 1

    def sums(where: NDArray[np.int64], values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        return np.bincount(where, values, minlength=count).astype(np.float64)

    zeros = np.zeros(count)
    return {
        "reward": live["reward"],
        "episodes": zeros.copy(),
        "scores": zeros.copy(),
        "lengths": zeros.copy(),
        "agent": agent.astype(np.float64),
        "non_noop": (live["action"] != noop).astype(np.float64),
        "delay": np.where(agent, numbers - steps["observation"], 0.0),
        "staleness": np.where(agent, newest - steps["version"], 0.0),
        "updates": sums(of_update),
        "gradient_staleness": sums(of_update, (updates["version"] - 1 - updates["read_version"]).astype(np.float64)),
        "loss": sums(of_update, updates.get("loss", np.zeros(len(of_update)))),
        "decisions": sums(of_decision),
    }
