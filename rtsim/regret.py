r"""Realtime regret and its parts: inaction, delay, learning.

With optimal gain g and bias h of the undelayed MDP, step i of a run has the gap

    gap_i = g + h(s_i) − r(s_i, a_i) − Σ_t p(t|s_i, a_i) h(t)

(the performance-difference identity: Kakade & Langford 2002; for average reward Puterman 1994, Section 8.2), on
default steps with the default policy's own action. Summed over T steps,

    Σ gap_i = (T g − Σ r_i) + (h(s_0) − h(s_T)) + Σ (h(s_{i+1}) − E h(s_{i+1})) + Σ (r_i − E r_i)
            =    total      +     boundary      +               noise

because Σ (h(s_i) − h(s_{i+1})) telescopes. The noise has mean zero: each of its terms has, given the past. The parts
are sums of gaps (Riemer et al. 2025, Equation 1, made exact on every run):

* ``inaction``: on default steps of the best delayed policy's run under the same Schedule, coupled by the seed,
* ``delay``: on agent steps of that run,
* ``learn``: all gaps of the actual run less all gaps of that one,

so that inaction + delay + learn = total + boundary + noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtsim.agents import Oracle, Pending, Policy, Tabular
from rtsim.agents.world import World
from rtsim.agents.world import solved as solution
from rtsim.errors import InvalidValue, NoConvergence
from rtsim.intervals import Interval, mean_ci95
from rtsim.mdps import TabularMDP
from rtsim.rollout import Rollout, rollout
from rtsim.schedule import Schedule
from rtsim.timing.units import whole

if TYPE_CHECKING:
    from rtsim.theory import DelayedPolicy, Optimum

Floats = NDArray[np.float64]

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
    inaction, delay, learn : float
        Parts; ``learn`` can be negative on a single run, and in the mean if the policy is better than the reference.
    total : float
        T g − Σ r_i.
    boundary : float
        h(s_0) − h(s_T): what the last state is worth less than the first.
    noise : float
        Luck of the transitions and rewards, zero in the mean.
    inaction_on_run : float
        Gaps on default steps of the actual run; with ``inaction`` the best delayed policy's.
    """

    steps: int
    gain: float
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
    inaction, delay, learn, total, boundary, noise, inaction_on_run : float64
        As of :class:`Regret`, up to each number of steps.
    gain : float
    """

    steps: NDArray[np.int64]
    seconds: Floats
    inaction: Floats
    delay: Floats
    learn: Floats
    total: Floats
    boundary: Floats
    noise: Floats
    inaction_on_run: Floats
    gain: float

    @property
    def last(self) -> Regret:
        """The regret of the whole run."""
        return Regret(int(self.steps[-1]), self.gain, *(float(getattr(self, f.name)[-1]) for f in fields(Regret)[2:]))


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
    def means(self) -> dict[str, tuple[float, Interval | None]]:
        """Mean of each part over seeds with its 95 % Student t interval; none for a single seed."""
        return {part: mean_ci95([getattr(run, part) for run in self.runs]) for part in PARTS}

    @property
    def per_second(self) -> dict[str, tuple[float, Interval | None]]:
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


def regret(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule,
    seed: int = 0,
    *,
    best: Policy | None = None,
) -> Regret:
    """The realtime regret of one run of a policy under a Schedule, and its parts.

    Parameters
    ----------
    mdp : TabularMDP
    policy : Policy
    schedule : Schedule
    seed : int
        Of the rollouts.
    best : Policy, optional
        The best delayed policy, whose gaps are ``inaction`` and ``delay``. By default what :func:`reference`
        says; the policy itself if it is :class:`~rtsim.agents.Oracle` or :class:`~rtsim.agents.Pending`, which
        know more than any memoryless one and do not learn.

    Returns
    -------
    Regret

    Raises
    ------
    InvalidValue

    Examples
    --------
    Sequential interaction with inferences of 2.5 steps on the inaction worst case: of 9 steps 6 are the default's, each
    loses 1 (Riemer et al. 2025, App. B.2).

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("sequential", 2.5, workers=1, step_time=1.0, steps=9))
    >>> found = regret(mdps.of("inaction"), Tabular([0, 0]), late)
    >>> found.inaction, found.delay, found.learn, found.total, found.boundary
    (6.0, 0.0, 0.0, 6.0, 0.0)
    """
    return regret_curve(mdp, policy, schedule, seed, best=best, points=1).last


def regret_curve(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule,
    seed: int = 0,
    *,
    best: Policy | None = None,
    points: int = 64,
) -> RegretCurve:
    """Regret against time: :func:`regret` after logarithmically spaced numbers of steps.

    Parameters
    ----------
    mdp, policy, schedule, seed, best
        As for :func:`regret`.
    points : int
        At most so many; the last one is the end of the Schedule.
    """
    if best is None:
        best = policy if isinstance(policy, Oracle | Pending) else reference(mdp, schedule)[0]
    run = rollout(mdp, policy, schedule, seed)
    other = run if best is policy else rollout(mdp, best, schedule, seed)
    return decompose(mdp, run, other, schedule, points=points)


def regret_over_seeds(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule | Callable[[int], Schedule],
    seeds: int | Iterable[int] = 16,
    *,
    best: Policy | None = None,
    points: int = 1,
) -> RegretOverSeeds:
    """Regret over independent seeds.

    Parameters
    ----------
    mdp, policy, best
        As for :func:`regret`.
    schedule : Schedule or callable
        One Schedule for all seeds, or a function that makes one of each seed, all of the same number of steps; without
        ``best`` the reference is chosen for the first one.
    seeds : int or iterable of int
        0, 1, … so many, or which.
    points : int
        For the curves.

    Raises
    ------
    InvalidValue

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=2_000))
    >>> found = regret_over_seeds(mdps.of("jump(n=10, p=0.9)"), Tabular(range(10)), late, 20)
    >>> mean, (low, high) = found.means["delay"]
    >>> low < 2_000 * (1 - 0.9**2 - 0.1**2 / 9) < high  # two steps late: 1 - P(same after 2)
    True
    """
    chosen = tuple(range(whole(seeds, "seeds", 1, 10**6)) if isinstance(seeds, int) else seeds)
    if not chosen:
        raise InvalidValue("seeds must name at least one seed")
    curves = []
    for seed in chosen:
        made = schedule if isinstance(schedule, Schedule) else schedule(seed)
        if best is None:
            best = policy if isinstance(policy, Oracle | Pending) else reference(mdp, made)[0]
        curves.append(regret_curve(mdp, policy, made, seed, best=best, points=points))
        if len(curves[-1].steps) != len(curves[0].steps) or curves[-1].steps[-1] != curves[0].steps[-1]:
            raise InvalidValue("all Schedules must have the same number of steps")
    return RegretOverSeeds(chosen, tuple(curves))


def decompose(
    mdp: TabularMDP,
    run: Rollout,
    best: Rollout,
    schedule: Schedule,
    *,
    solved: Optimum | None = None,
    points: int = 64,
) -> RegretCurve:
    """The regret of a run, given the best delayed policy's run under the same Schedule.

    Parameters
    ----------
    mdp : TabularMDP
    run, best : Rollout
    schedule : Schedule
    solved : Optimum, optional
        Gain and bias of the undelayed MDP; by default :func:`rtsim.theory.optimum`.
    points : int

    Raises
    ------
    InvalidValue
        If the runs and the Schedule differ in steps or in who acted.
    """
    from rtsim.theory import gaps

    if not (np.array_equal(run.acted, best.acted) and np.array_equal(run.acted, schedule.acted)):
        raise InvalidValue("both runs must be made under the Schedule given")
    found = solution(mdp) if solved is None else solved
    world, at = World.of(mdp), checkpoints(len(run), points)
    own = mdp.states * mdp.actions
    gap = np.concatenate([part.reshape(-1) for part in gaps(mdp, found)])
    mine, theirs = (_visits(world, which, at) for which in (run, best))
    lost, on_default = mine @ gap, mine[:, own:] @ gap[own:]
    inaction, delay = theirs[:, own:] @ gap[own:], theirs[:, :own] @ gap[:own]
    earned = np.cumsum([part.sum() for part in np.split(run.rewards, at[:-1])])
    ahead = np.concatenate([table.reshape(-1, mdp.states) for table in (mdp.p, mdp.p_default)]) @ found.bias
    arrived = _counts(run.states[1:], at, mdp.states)
    noise = (arrived @ found.bias - mine @ ahead) + (earned - mine @ world.r)
    return RegretCurve(
        at,
        elapsed(schedule, at),
        inaction,
        delay,
        lost - theirs @ gap,
        at * found.gain - earned,
        found.bias[run.states[0]] - found.bias[run.states[at]],
        noise,
        on_default,
        found.gain,
    )


def step_gaps(mdp: TabularMDP, run: Rollout, solved: Optimum | None = None) -> Floats:
    """What each step of a run loses against the optimum, float64, shape (T,), reward.

    g + h(s_i) − r(s_i, a_i) − Σ_t p(t|s_i, a_i) h(t), with the default policy's own action on its steps; their sums are
    the parts of :class:`Regret`. Agent steps have gaps >= 0.

    Parameters
    ----------
    mdp : TabularMDP
    run : Rollout
    solved : Optimum, optional
        By default :func:`rtsim.theory.optimum`.

    >>> from rtsim import mdps
    >>> from rtsim.rollout import undelayed
    >>> mdp = mdps.of("forward(states=3)")
    >>> step_gaps(mdp, rollout(mdp, Tabular([0, 1, 1]), undelayed(4)))  # stays one state short of the goal
    array([0., 1., 1., 1.])
    """
    from rtsim.theory import gaps

    found = gaps(mdp, solution(mdp) if solved is None else solved)
    rows = World.of(mdp).rows(run.states, run.actions, run.acted)
    return np.concatenate([part.reshape(-1) for part in found])[rows]


def reference(mdp: TabularMDP, schedule: Schedule) -> tuple[Policy, DelayedPolicy | None]:
    """The best memoryless policy for the delay a Schedule typically has.

    :func:`rtsim.theory.best_delayed` for the most frequent delay, the most frequent number m of steps from one agent
    step to the next, and the share of those steps on which no action came; where no action moves the state and m = 1,
    for the distribution of delays. The result is exact or the best found, as its ``exact`` and ``method`` say; large
    MDPs with long delays take minutes. If the delayed chain is too large to solve, the undelayed optimal policy,
    acting late, takes its place.

    Parameters
    ----------
    mdp : TabularMDP
    schedule : Schedule

    Returns
    -------
    policy : Tabular
    found : DelayedPolicy or None
        What theory says of it; None if it is the undelayed optimum.

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=100))
    >>> reference(mdps.of("delay(n=4, p=0.1)"), late)[1].policy  # two steps late: most likely two states further
    array([2, 3, 0, 1])
    """
    acted = np.flatnonzero(schedule.acted)
    delays = np.bincount(schedule.delay_steps) if len(acted) else np.ones(1, dtype=np.int64)
    every = int(np.bincount(np.diff(acted)).argmax()) if len(acted) > 1 else 1
    # To three digits, so that Schedules alike share a solution.
    inaction = round(max(0.0, 1.0 - len(acted) * every / len(schedule)), 3)
    moved = bool((mdp.p != mdp.p[:, :1]).any())
    chances = tuple((delays / delays.sum()).tolist()) if every == 1 and not moved else None
    found = _best_delayed(mdp, int(delays.argmax()) if chances is None else chances, every, inaction)
    return Tabular(solution(mdp).policy if found is None else found.policy), found


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


def _visits(world: World, run: Rollout, at: NDArray[np.int64]) -> Floats:
    """How often each row was used up to each checkpoint."""
    return _counts(world.rows(run.states, run.actions, run.acted), at, len(world.r))


def _counts(values: NDArray[np.int64], at: NDArray[np.int64], size: int) -> Floats:
    begins = [0, *at[:-1].tolist()]
    parts = [np.bincount(values[a:b], minlength=size) for a, b in zip(begins, at.tolist(), strict=True)]
    return np.cumsum(parts, axis=0).astype(np.float64)


@lru_cache(maxsize=256)
def _best_delayed(mdp: TabularMDP, delay: int | tuple[float, ...], every: int, inaction: float) -> DelayedPolicy | None:
    from rtsim.theory import best_delayed

    try:
        return best_delayed(mdp, delay, every=every, inaction=inaction, restarts=0)
    except (InvalidValue, NoConvergence):
        return None
