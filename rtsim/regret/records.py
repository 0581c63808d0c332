"""What the regret of runs amounts to: one run, one run over time, several runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.intervals import Estimate, mean_ci95
from rtsim.schedule import Schedule
from rtsim.timing.units import whole

Floats = NDArray[np.float64]
Known = Literal["expected", "rollout"]

#: What adds up, and what stands beside it.
PARTS = ("inaction", "delay", "learn", "total", "boundary", "noise", "inaction_on_run")


@dataclass(frozen=True)
class Regret:
    """The regret of one run after T steps, in units of reward.

    ``inaction + delay + learn`` equals ``total + boundary + noise`` up to rounding.

    Attributes
    ----------
    steps : int
        T.
    gain : float
        Optimal gain g of the undelayed MDP, reward per step.
    reference : {"expected", "rollout"}
        Whether ``inaction`` and ``delay`` are expected values or those of one run of the best delayed policy.
    inaction, delay, learn : float
        Parts; ``learn`` can be negative on a single run, and in the mean if the policy is better than the reference.
    total : float
        T g − Σ r_i.
    boundary : float
        h(s_0) − h(s_T): what the last state is worth less than the first.
    noise : float
        Luck of the transitions and rewards, and of the reference's run if its expectation is known; zero in the mean.
    inaction_on_run : float
        Gaps on default steps of the actual run; with ``inaction`` the best delayed policy's.
    """

    steps: int
    gain: float
    reference: Known
    inaction: float
    delay: float
    learn: float
    total: float
    boundary: float
    noise: float
    inaction_on_run: float

    def per_second(self, schedule: Schedule) -> dict[str, float]:
        """All parts per second of a Schedule of as many steps; the last step lasts as long as the others in the mean.

        Raises
        ------
        InvalidValue
            If the Schedule has another number of steps, or takes no time.
        """
        if len(schedule) != self.steps:
            raise InvalidValue(f"the Schedule has {len(schedule)} steps, the regret is one of {self.steps}")
        seconds = float(elapsed(schedule, np.array([self.steps]))[0])
        if not seconds > 0:
            raise InvalidValue("the Schedule has a single step, or takes no time: regret per second is not defined")
        return {part: getattr(self, part) / seconds for part in PARTS}


@dataclass(frozen=True, eq=False)
class RegretCurve:
    """How the regret of one run adds up over time; all arrays have shape (n,).

    Attributes
    ----------
    steps : int64
        Environment steps made, ascending.
    seconds : float64
        Time they took.
    gain, reference
        As of :class:`Regret`.
    inaction, delay, learn, total, boundary, noise, inaction_on_run : float64
        As of :class:`Regret`, up to each number of steps.
    """

    steps: NDArray[np.int64]
    seconds: Floats
    gain: float
    reference: Known
    inaction: Floats
    delay: Floats
    learn: Floats
    total: Floats
    boundary: Floats
    noise: Floats
    inaction_on_run: Floats

    @property
    def last(self) -> Regret:
        """The regret of the whole run."""
        parts = {part: float(getattr(self, part)[-1]) for part in PARTS}
        return Regret(int(self.steps[-1]), self.gain, self.reference, **parts)


@dataclass(frozen=True, eq=False)
class RegretOverSeeds:
    """Regret of several runs.

    Attributes
    ----------
    seeds : tuple of int
    curves : tuple of RegretCurve
        One per seed, all at the same numbers of steps.
    """

    seeds: tuple[int, ...]
    curves: tuple[RegretCurve, ...]

    @property
    def runs(self) -> tuple[Regret, ...]:
        """The regret of each whole run."""
        return tuple(curve.last for curve in self.curves)

    @property
    def means(self) -> dict[str, Estimate]:
        """Mean of each part over seeds with its 95 % Student t interval; none for a single seed."""
        return {part: mean_ci95([getattr(run, part) for run in self.runs]) for part in PARTS}

    @property
    def per_second(self) -> dict[str, Estimate]:
        """:attr:`means` per second; NaN for Schedules of one step."""
        seconds = [float(curve.seconds[-1]) for curve in self.curves]
        return {
            part: mean_ci95([getattr(run, part) / time for run, time in zip(self.runs, seconds, strict=True)])
            for part in PARTS
        }

    def curve(self, part: str) -> tuple[Floats, Floats]:
        """Mean of a part over seeds, shape (n,), and its 95 % interval, shape (n, 2), NaN for a single seed.

        Raises
        ------
        InvalidValue
            If there is no such part.
        """
        if part not in PARTS:
            raise InvalidValue(f"part {part!r} unknown; choose from {', '.join(PARTS)}")
        values = np.array([getattr(curve, part) for curve in self.curves])
        found = [mean_ci95(column) for column in values.T]
        return np.array([mean for mean, _ in found]), np.array([i or (np.nan, np.nan) for _, i in found])


def checkpoints(steps: int, points: int) -> NDArray[np.int64]:
    """Whole numbers of steps, logarithmically spaced up to all, each once.

    >>> checkpoints(1000, 4)
    array([   1,   10,  100, 1000])
    """
    points = whole(points, "points", 1, 10**5)
    if points == 1:
        return np.array([steps])
    return np.unique(np.round(np.geomspace(1, steps, points)).astype(np.int64))


def elapsed(schedule: Schedule, steps: NDArray[np.int64]) -> Floats:
    """Seconds that the first so many steps of a Schedule took; the last step lasts the mean of the others.

    NaN for a Schedule of one step, which does not tell how long it lasts.
    """
    starts = schedule.steps["time_ns"] - schedule.steps["time_ns"][0]
    ends = np.append(starts[1:], float(starts[-1]) * len(starts) / (len(starts) - 1) if len(starts) > 1 else np.nan)
    return np.asarray(ends[steps - 1] / 1e9)
