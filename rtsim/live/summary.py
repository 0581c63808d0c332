"""What a recorded run came to, in numbers: pace, schedule, reward, and what the machine did to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.live.virtual import plan_of, recorded
from rtsim.schedule import Schedule
from rtsim.statistics import Statistics

#: A deadline is missed when the environment wakes up for its step later than this, ns.
MISSED_NS = 1_000_000
#: Upper ends of the bins of the lateness histogram, ns; the last bin has none.
BINS_NS = (1_000, 10_000, 100_000, 1_000_000, 5_000_000, 16_000_000)
#: From which share of stolen time, or of missed deadlines, on a run counts as disturbed by the machine.
DISTURBED = 0.01


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
    runtime_p50_s, emulator_p50_s : float, seconds
        What one step cost the environment process: for the runtime itself, and for the emulator.
    hand_over_p50_s, dispatch_p50_s : float or None, seconds
        From the end of an inference to its action lying ready, and from its start to the process taking it up.
    reward, reward_per_s : float
    episodes : int
        Episodes that ended.
    faults : int
    disturbed : bool
        Whether the machine took more than 1 % of the time away, or 1 % of the deadlines were missed.
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
    emulator_p50_s: float
    hand_over_p50_s: float | None
    dispatch_p50_s: float | None
    reward: float
    reward_per_s: float
    episodes: int
    stale_episode: int
    faults: int
    disturbed: bool


def summary(schedule: Schedule) -> LiveSummary:
    """A recorded run in numbers.

    Raises
    ------
    InvalidValue
        If the Schedule was not recorded live.
    """
    live = recorded(schedule)
    spans = schedule.spans or {}
    late = live["late_ns"]
    seconds = float(schedule.steps["time_ns"][-1]) / 1e9
    missed = float((late > MISSED_NS).mean())
    stolen = schedule.header["live"]["machine"].get("steal_fraction") or 0.0
    reward = float(live["reward"].sum())

    def p50(values: NDArray[Any]) -> float | None:
        return float(np.median(values)) / 1e9 if len(values) else None

    return LiveSummary(
        steps=len(schedule),
        seconds=seconds,
        late_p50_s=_at(late, 0.5),
        late_p99_s=_at(late, 0.99),
        late_max_s=_at(late, 1.0),
        drift_s=float(late[-1]) / 1e9,
        missed_fraction=missed,
        histogram=tuple(np.bincount(np.searchsorted(BINS_NS, late), minlength=len(BINS_NS) + 1).tolist()),
        runtime_p50_s=_at(live["runtime_ns"], 0.5),
        emulator_p50_s=_at(live["emulator_ns"], 0.5),
        hand_over_p50_s=p50(spans["posted_ns"] - spans["end_ns"]),
        dispatch_p50_s=p50(spans["began_ns"] - spans["start_ns"]),
        reward=reward,
        reward_per_s=reward / (len(schedule) * plan_of(schedule).scenario.step_mean),
        episodes=int((live["ended"] > 0).sum()),
        stale_episode=schedule.totals["stale_episode"],
        faults=len(schedule.header["live"]["faults"]),
        disturbed=stolen > DISTURBED or missed > DISTURBED,
    )


def settled(schedule: Schedule) -> Statistics:
    """The Schedule's statistics without its first steps, as for a simulation."""
    return schedule.statistics(min(plan_of(schedule).scenario.settling_steps, len(schedule) // 2))


def _at(values: NDArray[Any], q: float) -> float:
    return float(np.quantile(values, q, method="inverted_cdf")) / 1e9
