"""The regret of runs, split into its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtsim.agents import Oracle, Pending, Policy
from rtsim.agents.world import World
from rtsim.agents.world import solved as solution
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.regret.best import reference
from rtsim.regret.expected import expected_gaps
from rtsim.regret.records import Floats, Regret, RegretCurve, RegretOverSeeds, checkpoints, elapsed
from rtsim.rollout import Rollout, rollout
from rtsim.schedule import Schedule
from rtsim.timing.units import whole

if TYPE_CHECKING:
    from rtsim.theory import Optimum


def regret(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule,
    seed: int = 0,
    *,
    best: Policy | None = None,
    expected: bool = True,
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
    expected : bool
        Whether ``inaction`` and ``delay`` are to be expected values where :func:`expected_gaps` has them;
        False simulates them everywhere.

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
    >>> from rtsim.agents import Tabular
    >>> late = rtsim.simulate(rtsim.Scenario("sequential", 2.5, workers=1, step_time=1.0, steps=9))
    >>> found = regret(mdps.of("inaction"), Tabular([0, 0]), late)
    >>> found.inaction, found.delay, found.learn, found.total, found.boundary
    (6.0, 0.0, 0.0, 6.0, 0.0)
    """
    return regret_curve(mdp, policy, schedule, seed, best=best, expected=expected, points=1).last


def regret_curve(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule,
    seed: int = 0,
    *,
    best: Policy | None = None,
    expected: bool = True,
    points: int = 64,
) -> RegretCurve:
    """Regret against time: :func:`regret` after logarithmically spaced numbers of steps.

    Parameters
    ----------
    mdp, policy, schedule, seed, best, expected
        As for :func:`regret`.
    points : int
        At most so many; the last one is the end of the Schedule.
    """
    if best is None:
        best = _held_against(mdp, policy, schedule)
    run = rollout(mdp, policy, schedule, seed)
    other = run if best is policy else rollout(mdp, best, schedule, seed)
    known = expected_gaps(mdp, best, schedule) if expected else None
    return decompose(mdp, run, other, schedule, expected=known, points=points)


def regret_over_seeds(
    mdp: TabularMDP,
    policy: Policy,
    schedule: Schedule | Callable[[int], Schedule],
    seeds: int | Iterable[int] = 16,
    *,
    best: Policy | None = None,
    expected: bool = True,
    points: int = 1,
) -> RegretOverSeeds:
    """Regret over independent seeds.

    Parameters
    ----------
    mdp, policy, best, expected
        As for :func:`regret`.
    schedule : Schedule or callable
        One Schedule for all seeds, or a function that makes one of each seed, all of the same number of steps; without
        ``best`` each has a reference of its own.
    seeds : int or iterable of int
        0, 1, … so many, or which.
    points : int
        For the curves.

    Raises
    ------
    InvalidValue

    >>> import rtsim
    >>> from rtsim import mdps
    >>> from rtsim.agents import Tabular
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=2_000))
    >>> found = regret_over_seeds(mdps.of("jump(n=10, p=0.9)"), Tabular(range(10)), late, 20, expected=False)
    >>> mean, (low, high) = found.means["delay"]
    >>> low < 2_000 * (1 - 0.9**2 - 0.1**2 / 9) < high  # two steps late: 1 - P(same after 2)
    True
    """
    chosen = tuple(range(whole(seeds, "seeds", 1, 10**6)) if isinstance(seeds, int) else seeds)
    if not chosen:
        raise InvalidValue("seeds must name at least one seed")
    if best is None and isinstance(schedule, Schedule):
        best = _held_against(mdp, policy, schedule)
    curves = []
    for seed in chosen:
        made = schedule if isinstance(schedule, Schedule) else schedule(seed)
        curves.append(regret_curve(mdp, policy, made, seed, best=best, expected=expected, points=points))
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
    expected: Floats | None = None,
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
    expected : float64, shape (T,), optional
        Expected gap of the best delayed policy on each step, for ``inaction`` and ``delay``; by default its run's.
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
    learn, luck = lost - theirs @ gap, np.zeros(len(at))
    if expected is not None:
        luck = -inaction - delay
        inaction, delay = (_sums(np.where(which, expected, 0.0), at) for which in (~run.acted, run.acted))
        luck += inaction + delay
    earned = _sums(run.rewards, at)
    ahead = np.concatenate([table.reshape(-1, mdp.states) for table in (mdp.p, mdp.p_default)]) @ found.bias
    arrived = _counts(run.states[1:], at, mdp.states)
    luck += (arrived @ found.bias - mine @ ahead) + (earned - mine @ world.r)
    return RegretCurve(
        steps=at,
        seconds=elapsed(schedule, at),
        gain=found.gain,
        reference="rollout" if expected is None else "expected",
        inaction=inaction,
        delay=delay,
        learn=learn,
        total=at * found.gain - earned,
        boundary=found.bias[run.states[0]] - found.bias[run.states[at]],
        noise=luck,
        inaction_on_run=on_default,
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
    >>> from rtsim.agents import Tabular
    >>> from rtsim.rollout import undelayed
    >>> mdp = mdps.of("forward(states=3)")
    >>> step_gaps(mdp, rollout(mdp, Tabular([0, 1, 1]), undelayed(4)))  # stays one state short of the goal
    array([0., 1., 1., 1.])
    """
    from rtsim.theory import gaps

    found = gaps(mdp, solution(mdp) if solved is None else solved)
    rows = World.of(mdp).rows(run.states, run.actions, run.acted)
    return np.concatenate([part.reshape(-1) for part in found])[rows]


def _held_against(mdp: TabularMDP, policy: Policy, schedule: Schedule) -> Policy:
    """Whose gaps are inaction and delay: the policy itself if it knows more than any memoryless one."""
    return policy if isinstance(policy, Oracle | Pending) else reference(mdp, schedule).policy


def _visits(world: World, run: Rollout, at: NDArray[np.int64]) -> Floats:
    """How often each row was used up to each checkpoint."""
    return _counts(world.rows(run.states, run.actions, run.acted), at, len(world.r))


def _sums(values: Floats, at: NDArray[np.int64]) -> Floats:
    """Of the first values up to each checkpoint, to the bit whatever other checkpoints there are."""
    return np.cumsum(values)[at - 1]


def _counts(values: NDArray[np.int64], at: NDArray[np.int64], size: int) -> Floats:
    begins = [0, *at[:-1].tolist()]
    parts = [np.bincount(values[a:b], minlength=size) for a, b in zip(begins, at.tolist(), strict=True)]
    return np.cumsum(parts, axis=0).astype(np.float64)
