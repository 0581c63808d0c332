"""The best policy that sees only one old observation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtsim.mdps import TabularMDP
from rtsim.theory.average_reward import Actions, optimum
from rtsim.theory.chains import Floats
from rtsim.theory.delayed import Blocks, Delay, blocks, gains_by_start, late_rewards, start_weights

#: Most deterministic policies that are all tried.
ENUMERATED = 4_096
#: What evaluating a policy takes beside the states of its chain, in such states.
PER_POLICY = 1_000


@dataclass(frozen=True)
class DelayedPolicy:
    """The best memoryless delayed policy, or the best that was found.

    Attributes
    ----------
    gain : float
        Average reward per environment step.
    policy : int64, shape (S,)
        Action chosen in each observed state.
    exact : bool
        Whether no deterministic memoryless policy gains more. If not, the best found is a lower bound.
    method : {"structure", "enumeration", "search"}
        With "structure", no stochastic one gains more either; with "enumeration" one may.
    tried : int
        Policies evaluated.
    complete : bool
        False if a search was stopped before no change of a single state's action helps.
    """

    gain: float
    policy: Actions
    exact: bool
    method: str
    tried: int
    complete: bool = True


def best_delayed(
    mdp: TabularMDP,
    delay: Delay,
    *,
    every: int = 1,
    inaction: float = 0.0,
    start: int | str | None = None,
    limit: int = ENUMERATED,
    restarts: int = 4,
    seed: int = 0,
    most_work: float = math.inf,
) -> DelayedPolicy:
    """The best deterministic policy that maps one delayed observation to an action.

    The optimal policy "that acts with k step lag" of Riemer et al. 2025, App. B.2. Where no action changes where the
    state goes, each observed state has its own best guess: exact for any size. Else all A**S policies are tried, up
    to ``limit``; above it policies are improved one state at a time until no single change helps, or ``most_work`` is
    done, from the undelayed optimum and from random ones.

    Parameters
    ----------
    mdp : TabularMDP
    delay, every, inaction, start
        As for :func:`delayed_gain`.
    limit : int
        Most policies tried by enumeration.
    restarts, seed : int
        Random beginnings of the search and their seed.
    most_work : float
        Augmented states (of :func:`delayed_gain`) that may be solved, over all policies tried, 1,000 more for each;
        a hundred thousand take about a second. What is found does not depend on the machine.

    Examples
    --------
    Deterministic worlds have delay regret too, for policies that do not know what is under way: on a cycle of
    k + 1 states with a goal, none halts there from everywhere, and going round gains 1/(k + 1) (ours).

    >>> from rtsim import mdps
    >>> for k in (1, 2, 3):
    ...     found = best_delayed(mdps.forward(k + 1), k, start="worst")
    ...     print(round(found.gain, 6), found.exact)
    0.5 True
    0.333333 True
    0.25 True
    """
    world = blocks(mdp, delay, every, inaction)
    value = start_weights(mdp, start)
    if world.free:
        policy = late_rewards(world).argmax(axis=1).astype(np.int64)
        return DelayedPolicy(_Judge(world, value)(policy), policy, True, "structure", 1)
    judge = _Judge(world, value)
    policies = mdp.actions**mdp.states
    largest = mdp.states * mdp.actions**world.depth
    if policies <= limit and policies * (PER_POLICY + largest) <= most_work:
        every_one = [np.array(p, dtype=np.int64) for p in itertools.product(range(mdp.actions), repeat=mdp.states)]
        gains = [judge(policy) for policy in every_one]
        best = int(np.argmax(gains))
        return DelayedPolicy(gains[best], every_one[best], True, "enumeration", judge.tried)
    random = np.random.default_rng(seed)
    beginnings = [optimum(mdp).policy, *random.integers(mdp.actions, size=(restarts, mdp.states))]
    found = [_climb(judge, policy, random, most_work) for policy in beginnings]
    gain, policy = max(found, key=lambda each: each[0])
    return DelayedPolicy(gain, policy, False, "search", judge.tried, judge.work < most_work)


class _Judge:
    """The gain of deterministic policies; counts what computing them took."""

    def __init__(self, world: Blocks, value: Callable[[Floats], float]) -> None:
        self.world, self.value = world, value
        self.tried, self.work = 0, 0

    def __call__(self, policy: Actions) -> float:
        gains, states = gains_by_start(self.world, np.eye(self.world.actions)[policy])
        self.tried += 1
        self.work += states + PER_POLICY
        return float(self.value(gains))


def _climb(judge: _Judge, policy: Actions, random: np.random.Generator, most_work: float) -> tuple[float, Actions]:
    """Coordinate ascent: the best action of one state after the other, until a round changes nothing."""
    if judge.tried and judge.work >= most_work:
        return -math.inf, policy
    policy = np.array(policy, dtype=np.int64)
    gain = judge(policy)
    changed = True
    while changed:
        changed = False
        for s, a in itertools.product(random.permutation(len(policy)), range(judge.world.actions)):
            if a == policy[s]:
                continue
            if judge.work >= most_work:
                return gain, policy
            other = policy.copy()
            other[s] = a
            reached = judge(other)
            if reached > gain + 1e-12:
                gain, policy, changed = reached, other, True
    return gain, policy
