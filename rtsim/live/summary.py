"""What a recorded run came to, in numbers: pace, schedule, reward, and what the machine did to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks.draws import DrawnDurations
from rtsim.live.virtual import plan_of, recorded
from rtsim.schedule import Schedule
from rtsim.statistics import Statistics

#: A deadline is missed when the environment wakes up for its step later than this, ns.
MISSED_NS = 1_000_000
#: Upper ends of the bins of the lateness histogram, ns; the last bin has none.
BINS_NS = (1_000, 10_000, 100_000, 1_000_000, 5_000_000, 16_000_000)
#: From which share of stolen time, missed deadlines or overrun inferences on a run counts as disturbed by the machine.
DISTURBED = 0.01


@dataclass(frozen=True)
class Times:
    """How long something took, over a run: mean, median, 0.99 quantile and longest, seconds.

    >>> Times.of(np.array([1, 2, 6]) * 10**9)
    Times(mean_s=3.0, p50_s=2.0, p99_s=6.0, max_s=6.0)
    """

    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, values: NDArray[np.int64]) -> Times | None:
        """Of durations in ns, int64, shape (n,); None of none."""
        if not len(values):
            return None
        return cls(float(values.mean()) / 1e9, *(_at(values, q) for q in (0.5, 0.99, 1.0)))


@dataclass(frozen=True)
class LiveSummary:
    """A live run in numbers.

    Attributes
    ----------
    steps : int
    seconds : float
        From step 0 to the last deadline.
    late_p50_s, late_p99_s, late_max_s : float, seconds
        From a deadline to the environment's waking up for it.
    drift_s : float, seconds
        Lateness of the last step: deadlines are absolute, so it does not add up.
    missed_fraction : float
        Share of steps later than 1 ms.
    histogram : tuple of int
        Steps by lateness: up to 1 µs, 10 µs, 100 µs, 1 ms, 5 ms, 16 ms, and beyond.
    runtime_p50_s, waking_p50_s, emulator_p50_s : float, seconds
        What one step cost the environment process: for the runtime itself (publication, mailbox, record), for waking
        workers that begin with the step, which is the kernel's work, and for the emulator.
    inferences : int
        Those that ended.
    inference : Times or None
        From the start that the rule gave an inference to its end; None if none ended.
    drawn : Times or None
        What the scenario's law said these same inferences should take; None with real inference,
        and for pipelines, whose inferences also wait for those before them.
    forward : Times or None
        With real inference: the forward pass alone.
    overran : int
        Inferences that took longer than was drawn by more than a step: the machine was too slow.
    hand_over, dispatch : Times or None
        From the end of an inference to its action lying ready, and from its start to the process taking it up.
    busy_fraction : float or None
        Share of the CPU time of the whole machine that was not idle.
    reward, reward_per_s : float
    episodes : int
        Episodes that ended.
    stale_episode : int
        Actions replaced by the default policy because their episode had ended.
    faults : int
    disturbed : bool
        Whether the machine took more than 1 % of the time away, or more than 1 % of the deadlines
        were missed, or more than 1 % of the inferences overran.
    """

    steps: int
    seconds: float
    late_p50_s: float
    late_p99_s: float
    late_max_s: float
    drift_s: float
    missed_fraction: float
    histogram: tuple[int, ...]
    runtime_p50_s: float
    waking_p50_s: float
    emulator_p50_s: float
    inferences: int
    inference: Times | None
    drawn: Times | None
    forward: Times | None
    overran: int
    hand_over: Times | None
    dispatch: Times | None
    busy_fraction: float | None
    reward: float
    reward_per_s: float
    episodes: int
    stale_episode: int
    faults: int
    disturbed: bool

    @property
    def overran_fraction(self) -> float:
        """Share of inferences that overran."""
        return self.overran / max(self.inferences, 1)


def summary(schedule: Schedule) -> LiveSummary:
    """A recorded run in numbers.

    Raises
    ------
    InvalidValue
        If the Schedule was not recorded live.
    """
    live, plan = recorded(schedule), plan_of(schedule)
    spans = schedule.spans or {}
    taken, drawn = spans["end_ns"] - spans["start_ns"], drawn_ns(schedule)
    overran = 0 if drawn is None else int((taken - drawn > plan.scenario.step_mean * 1e9).sum())
    machine = schedule.header["live"]["machine"]
    late = live["late_ns"]
    seconds = float(schedule.steps["time_ns"][-1]) / 1e9
    missed = float((late > MISSED_NS).mean())
    stolen = machine.get("steal_fraction") or 0.0
    reward = float(live["reward"].sum())
    return LiveSummary(
        steps=len(schedule),
        seconds=seconds,
        late_p50_s=_at(late, 0.5),
        late_p99_s=_at(late, 0.99),
        late_max_s=_at(late, 1.0),
        drift_s=float(late[-1]) / 1e9,
        missed_fraction=missed,
        histogram=tuple(np.bincount(np.searchsorted(BINS_NS, late), minlength=len(BINS_NS) + 1).tolist()),
        runtime_p50_s=_at(live["runtime_ns"] - live["waking_ns"], 0.5),
        waking_p50_s=_at(live["waking_ns"], 0.5),
        emulator_p50_s=_at(live["emulator_ns"], 0.5),
        inferences=len(taken),
        inference=Times.of(taken),
        drawn=None if drawn is None else Times.of(drawn),
        forward=Times.of(spans["end_ns"] - spans["began_ns"]) if plan.inference == "real" else None,
        overran=overran,
        hand_over=Times.of(spans["posted_ns"] - spans["end_ns"]),
        dispatch=Times.of(spans["began_ns"] - spans["start_ns"]),
        busy_fraction=machine.get("busy_fraction"),
        reward=reward,
        reward_per_s=reward / (len(schedule) * plan.scenario.step_mean),
        episodes=int((live["ended"] > 0).sum()),
        stale_episode=schedule.totals["stale_episode"],
        faults=len(schedule.header["live"]["faults"]),
        disturbed=max(stolen, missed, overran / max(len(taken), 1)) > DISTURBED,
    )


def drawn_ns(schedule: Schedule) -> NDArray[np.int64] | None:
    """What the law said each inference of a timed run should take, ns, int64, one for each span.

    The j-th draw of a worker depends on the seed, the worker and j alone, so it is drawn again
    and need not be recorded. None with real inference, and for pipelines.

    Raises
    ------
    InvalidValue
        If the Schedule was not recorded live.
    """
    plan = plan_of(schedule)
    if plan.inference == "real" or plan.scenario.program().stages > 1:
        return None
    spans = schedule.spans or {}
    index, started = spans["inference"], spans["start_ns"]
    found = np.zeros(len(index), np.int64)
    draws = DrawnDurations(plan.scenario)
    for worker in np.unique(spans["worker"]).tolist():
        stream, drawn = draws.inference(worker), -1
        own = np.flatnonzero(spans["worker"] == worker)
        for row in own[np.argsort(index[own])].tolist():
            while drawn < index[row]:  # inferences that were lost with their process have no row
                duration, _ = stream.draw(int(started[row]))
                drawn += 1
            found[row] = duration
    return found


def warmup_steps(schedule: Schedule) -> int:
    """The first steps of a recorded run that :func:`settled` leaves out."""
    return min(plan_of(schedule).scenario.settling_steps, len(schedule) // 2)


def settled(schedule: Schedule) -> Statistics:
    """The Schedule's statistics without its first steps, as for a simulation."""
    return schedule.statistics(warmup_steps(schedule))


def _at(values: NDArray[Any], q: float) -> float:
    return float(np.quantile(values, q, method="inverted_cdf")) / 1e9
