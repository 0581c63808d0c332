"""How fast the best action and the observation of an environment become unpredictable, by branching.

From a visited state, B branches go k steps on with independent randomness, under the default policy or under a
given one. Two things are asked of where they are then: is the observation the same, and is the same action best? The
first is what p_minimax of the states speaks of, the second what it speaks of over states that share an optimal action
(Riemer et al. 2025, Theorem 1 and the tighter version of Equation 4, App. B.2). And the policy is run with its actions
k steps late: what it still earns is what a delay costs.

A minimum over all states and actions, as p_minimax is, cannot be measured; the mean over the states that a policy
visits can.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from rtsim.delay_curve import DelayCurve, Point
from rtsim.envs.restorable import Policy, Restorable
from rtsim.experiments.branches import (
    BEST,
    BEST_AT_MOST,
    ENDED,
    OBSERVATION,
    OBSERVATION_AT_MOST,
    RUN,
    UNDER,
    Effort,
    at_state,
    seed_of,
)
from rtsim.experiments.effective_p import (
    Effective,
    Floats,
    Share,
    effective_of_runs,
    effective_of_states,
    share,
)
from rtsim.intervals import mean_interval

OnProgress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Ahead:
    """What is predictable k steps ahead, under the default policy or the given one.

    ``ended`` is the share of branches whose episode was over by then: their observation is "ended", and there every
    action is best.
    """

    under: str
    delay_steps: int
    observation: Share
    best_action: Share
    ended: float


class Drift(NamedTuple):
    """A delay at which the second half of the runs earns something else than the first.

    Attributes
    ----------
    delay_steps : int or None
        None: the default policy.
    first, second : float
        Mean reward per step of the halves.
    """

    delay_steps: int | None
    first: float
    second: float


@dataclass(frozen=True)
class Predictability:
    """What :func:`measure` found.

    Attributes
    ----------
    env : str
    fps : float or None
        Environment steps per second, where the environment says so.
    effort : Effort
        What was asked for.
    states, runs : int
        What was done within the time.
    points : tuple of Ahead
    observation, best_action : dict of str to Effective
        By how branches went on: ``"default"``, ``"policy"``.
    rewards : Effective
        From the curve: what a delay leaves of the advantage over the default policy.
    curve : DelayCurve
        Reward per step at delay 0 and each delay, and of the default policy alone; its ``save`` writes what
        ``rtsim plan --delay-curve`` reads.
    interrupted : bool
        A KeyboardInterrupt ended it early.
    drift : Drift or None
        Where the curve depends on the length of the runs most clearly, if it does anywhere.
    """

    env: str
    fps: float | None
    effort: Effort
    states: int
    runs: int
    points: tuple[Ahead, ...]
    observation: dict[str, Effective]
    best_action: dict[str, Effective]
    rewards: Effective
    curve: DelayCurve
    interrupted: bool = False
    drift: Drift | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values of all that was found."""
        seconds = self.effort.seconds
        ahead = [
            {**asdict(p), "observation": p.observation._asdict(), "best_action": p.best_action._asdict()}
            for p in self.points
        ]
        return {
            "env": self.env,
            "fps": self.fps,
            "effort": {**asdict(self.effort), "seconds": None if math.isinf(seconds) else seconds},
            "states": self.states,
            "runs": self.runs,
            "interrupted": self.interrupted,
            "p_effective": self.p_effective(),
            "p_of_rewards_fits": None if self.rewards.value is None else self.misfit is None,
            "predictable": ahead,
            "delay_curve": self.curve.to_json(),
            "drift": None if self.drift is None else self.drift._asdict(),
        }

    def fitted(self, delay: float) -> float | None:
        """Reward per step at a delay by the p of rewards, or None if there is none."""
        base = self.curve.default_reward
        if self.rewards.value is None or base is None:
            return None
        kept: float = self.rewards.value**delay
        return base + (self.curve.points[0].reward_per_step - base) * kept

    @property
    def misfit(self) -> Point | None:
        """The point that p^k is farthest from, if it does not fit the curve; else None.

        It does not where the squared distances, in units of their standard deviations, add up to more than chance
        leaves in 5 % of cases (χ² with one degree of freedom for each delay but one).
        """
        first, *late = self.curve.points
        if self.rewards.value is None or len(late) < 2:
            return None
        away = []
        for point in late:
            fitted, width = self.fitted(point.delay_steps), point.interval
            assert fitted is not None
            assert width is not None
            assert first.interval is not None
            half = math.hypot(width, first.interval * self.rewards.value**point.delay_steps)
            off = abs(point.reward_per_step - fitted)
            away.append(
                stats.norm.ppf(0.975) * off / half if half > 0 else (math.inf if off > 1e-9 * abs(fitted) else 0.0)
            )
        if sum(each**2 for each in away) <= stats.chi2.ppf(0.95, len(late) - 1):
            return None
        return late[int(np.argmax(away))]

    def p_effective(self) -> dict[str, Any]:
        """The effective p of observations, best actions and rewards, as JSON values."""
        return {
            "observation": {under: found._asdict() for under, found in self.observation.items()},
            "best_action": {under: found._asdict() for under, found in self.best_action.items()},
            "rewards": self.rewards._asdict(),
        }


def measure(
    world: Restorable, policy: Policy, effort: Effort | None = None, on_progress: OnProgress | None = None
) -> Predictability:
    """Estimate how fast an environment becomes unpredictable, and what a delay costs a policy in it.

    Parameters
    ----------
    world : Restorable
        E.g. of :func:`rtsim.envs.restorable.restorable`; left in some state.
    policy : Policy
        Visits the states, acts in branches and rollouts, and is run late; e.g. of
        :func:`rtsim.envs.restorable.policy_of`.
    effort : Effort, optional
    on_progress : callable(what, done, total), optional

    Returns
    -------
    Predictability
        Of at least two states and two runs, also if a KeyboardInterrupt came after two states: then of no more runs.

    Examples
    --------
    >>> from rtsim.envs.restorable import policy_of, restorable
    >>> world = restorable("mdp:jump(n=50, p=0.9)")
    >>> found = measure(world, policy_of("best", world), Effort(delays=(1, 2), visit_steps=20, horizon=1, runs=4))
    >>> low, high = found.best_action["default"].ci95
    >>> low < 0.9 < high
    True
    """
    effort = effort or Effort()
    report = on_progress or (lambda what, done, total: None)
    begun = time.monotonic()

    def at(index: int) -> Floats:
        report("branching", index, effort.states)
        return at_state(world, policy, effort, index)

    def late(run: int) -> Floats:
        report("acting late", run, effort.runs)
        delays = (0, *effort.delays, None)
        return np.array([_late_halves(world, policy, k, effort.steps, (effort.seed, RUN, run)) for k in delays])

    values, stopped = _until(at, effort.states, begun + effort.seconds / 2)
    rewards, stopped_late = _until(late, effort.runs, -math.inf if stopped else begun + effort.seconds)
    found = _result(world, effort, np.stack(values), np.stack(rewards))
    return replace(found, interrupted=stopped or stopped_late)


def _until(item: Callable[[int], Floats], number: int, end: float) -> tuple[list[Floats], bool]:
    """Items 0..number-1: at least two, and none begun after the end or an interruption, which the second part tells."""
    found: list[Floats] = []
    try:
        while len(found) < number and (len(found) < 2 or time.monotonic() < end):
            found.append(item(len(found)))
    except KeyboardInterrupt:
        if len(found) < 2:
            raise
        return found, True
    return found, False


def _result(world: Restorable, effort: Effort, found: Floats, sums: Floats) -> Predictability:
    """``found`` (states, default or policy, delays, numbers of a branch) and ``sums`` (runs, delays + 2, halves)."""
    rewards = sums.sum(axis=2) / effort.steps
    points = [
        Ahead(
            under,
            delay,
            share(found[:, mode, k, OBSERVATION], found[:, mode, k, OBSERVATION_AT_MOST]),
            share(found[:, mode, k, BEST], found[:, mode, k, BEST_AT_MOST]),
            float(found[:, mode, k, ENDED].mean()),
        )
        for mode, under in enumerate(UNDER)
        for k, delay in enumerate(effort.delays)
    ]

    def effective(column: int) -> dict[str, Effective]:
        return {
            under: effective_of_states(found[:, mode, :, column], effort.delays) for mode, under in enumerate(UNDER)
        }

    found_p = effective_of_runs(rewards, effort.delays)
    *late, default = (_mean(rewards[:, j]) for j in range(rewards.shape[1]))
    curve = DelayCurve(
        tuple(Point(k, *mean) for k, mean in zip((0, *effort.delays), late, strict=True)),
        world.name,
        world.fps,
        *default,
        details={"runs": len(rewards), "steps": effort.steps, "seed": effort.seed},
    )
    return Predictability(
        env=world.name,
        fps=world.fps,
        effort=effort,
        states=len(found),
        runs=len(rewards),
        points=tuple(points),
        observation=effective(OBSERVATION),
        best_action=effective(BEST),
        rewards=found_p,
        curve=curve,
        drift=_drift(sums, effort, [width for _, width in (*late, default)]),
    )


def _drift(sums: Floats, effort: Effort, widths: list[float]) -> Drift | None:
    """The delay whose halves differ by the most standard errors, if they clearly do.

    That is: by more than ``widths``, half the widths of the curve's intervals, and by more than chance leaves at any of
    the delays in 5 % of cases. Where all runs are alike nothing is known of chance.
    """
    half = effort.steps // 2
    if not half:
        return None
    halves = sums / [half, effort.steps - half]
    changes = halves[..., 1] - halves[..., 0]
    mean, error = changes.mean(axis=0), changes.std(axis=0, ddof=1) / math.sqrt(len(changes))
    away = np.divide(np.abs(mean), error, out=np.zeros_like(mean), where=error > 0)
    away[np.abs(mean) <= widths] = 0.0
    j = int(away.argmax())
    if away[j] <= stats.t.ppf(1 - 0.025 / len(mean), len(changes) - 1):
        return None
    first, second = halves[:, j].mean(axis=0).tolist()
    return Drift((0, *effort.delays, None)[j], first, second)


def _mean(rewards: Floats) -> tuple[float, float]:
    """Mean over the runs, and half the width of its 95 % interval."""
    mean, interval = mean_interval(rewards.tolist())
    assert interval is not None  # at least two runs
    return mean, interval[1] - mean


def late_reward(world: Restorable, policy: Policy, delay: int | None, steps: int, key: tuple[int, ...]) -> float:
    """Reward per step of a policy whose actions all come k steps late, one for every step; None: the default policy's.

    Before the first action of an episode comes, the default policy acts; the first k steps of the run do not count.

    Examples
    --------
    The mean of 0/1 rewards in the delay worst case, beside the exact gain:

    >>> from rtsim import mdps, theory
    >>> from rtsim.envs.restorable import policy_of, restorable
    >>> world = restorable("mdp:jump(n=10, p=0.9)")
    >>> found = late_reward(world, policy_of("best", world), 2, 4000, (0,))
    >>> exact = theory.delayed_gain(mdps.of("jump(n=10, p=0.9)"), range(10), 2)
    >>> round(found, 1), round(exact, 1)
    (0.8, 0.8)
    """
    return float(_late_halves(world, policy, delay, steps, key).sum()) / steps


def _late_halves(world: Restorable, policy: Policy, delay: int | None, steps: int, key: tuple[int, ...]) -> Floats:
    """The rewards of :func:`late_reward` summed over the first steps // 2 steps, and over the others."""
    seed = seed_of(*key)
    random = np.random.default_rng([seed, 1])
    world.reset(seed)
    pending: deque[int | None] = deque()
    totals, before = np.zeros(2), delay or 0
    for step in range(steps + before):
        if world.ended:
            world.next_episode()
            pending.clear()
        action = None
        if delay is not None:
            pending.append(policy(world, random))
            action = pending.popleft() if len(pending) > delay else None
        reward = world.step(action)
        if step >= before:
            totals[int(step - before >= steps // 2)] += reward
    return totals
