"""The best policy that sees only one old observation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from rtsim.mdps import TabularMDP
from rtsim.theory.average_reward import Actions, optimum
from rtsim.theory.delayed import Blocks, Delay, blocks, chain_states, gains_by_start, late_rewards, start_weights

#: Most deterministic policies that are all tried.
ENUMERATED = 4_096
#: Most states of delayed chains that a search may evaluate in all: a minute or so, whatever the size of the MDP.
SEARCHED = 1_000_000


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
    """

    gain: float
    policy: Actions
    exact: bool
    method: str
    tried: int


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
) -> DelayedPolicy:
    """The best deterministic policy that maps one delayed observation to an action.

    The optimal policy "that acts with k step lag" of Riemer et al. 2025, App. B.2. Where no action changes where the
    state goes, each observed state has its own best guess: exact for any size. Else all A**S policies are tried, up
    to ``limit``; above it policies are improved one state at a time until no single change helps, from the undelayed
    optimum and from random ones, or until :data:`SEARCHED` states of their chains have been evaluated.

    Parameters
    ----------
    mdp : TabularMDP
    delay, every, inaction, start
        As for :func:`delayed_gain`.
    limit : int
        Most policies tried by enumeration.
    restarts, seed : int
        Random beginnings of the search and their seed.

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
        return DelayedPolicy(float(value(_gains(world, policy))), policy, True, "structure", 1)
    if mdp.actions**mdp.states <= limit:
        policies = [np.array(p, dtype=np.int64) for p in itertools.product(range(mdp.actions), repeat=mdp.states)]
        gains = [float(value(_gains(world, p))) for p in policies]
        best = int(np.argmax(gains))
        return DelayedPolicy(gains[best], policies[best], True, "enumeration", len(policies))
    random = np.random.default_rng(seed)
    beginnings = [optimum(mdp).policy, *random.integers(mdp.actions, size=(restarts, mdp.states))]
    allowed = SEARCHED // chain_states(world, beginnings[0])
    found, tried = (-np.inf, beginnings[0]), 0
    for policy in beginnings:
        gain, policy, count = _climb(world, policy, value, random, allowed - tried)
        tried += count
        if gain > found[0]:
            found = (gain, policy)
    return DelayedPolicy(found[0], found[1], False, "search", tried)


def _gains(world: Blocks, policy: Actions) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return gains_by_start(world, np.eye(world.actions)[policy])


def _climb(
    world: Blocks, policy: Actions, value: object, random: np.random.Generator, allowed: int
) -> tuple[float, Actions, int]:
    """Coordinate ascent: the best action of one state after the other, until a round changes nothing or time is up."""
    assert callable(value)
    policy = np.array(policy, dtype=np.int64)
    gain, tried = float(value(_gains(world, policy))), 1
    changed = True
    while changed:
        changed = False
        for s in random.permutation(len(policy)):
            for a in range(world.actions):
                if a == policy[s] or tried >= allowed:
                    continue
                other = policy.copy()
                other[s] = a
                reached = float(value(_gains(world, other)))
                tried += 1
                if reached > gain + 1e-12:
                    gain, policy, changed = reached, other, True
    return gain, policy, tried
