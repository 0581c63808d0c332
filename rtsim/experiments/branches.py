"""Branches from visited states: what is still the same in all of them, and which action is best in each."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.restorable import Policy, Restorable
from rtsim.errors import InvalidValue
from rtsim.experiments.effective_p import Floats, largest_share, predicted_share
from rtsim.timing.units import whole

#: Longest delay, steps.
MAX_DELAY = 10_000
#: An action is as good as the best unless it is worse by more than so many standard errors.
STANDARD_ERRORS = 3.0
#: How branches go on.
UNDER = ("default", "policy")
#: The observation of a branch whose episode is over.
_ENDED = ("ended",)
#: Streams of random numbers, by purpose; the last one is that of runs with late actions.
_VISIT, _PILOT, _BRANCH, _ROLLOUT, RUN = range(5)
#: What is told of a state at each delay: how predictable observation and best action are, each from below and from
#: above, and how many branches have ended.
OBSERVATION, OBSERVATION_AT_MOST, BEST, BEST_AT_MOST, ENDED = range(5)
NUMBERS = 5


@dataclass(frozen=True)
class Effort:
    """How much is measured, and how.

    Attributes
    ----------
    delays : tuple of int
        k, steps, rising, each at least 1.
    states, branches : int
        Visited states, and branches from each; at least 2 of either.
    visit_steps : int
        Every state is visited in a run of its own, after a random number of steps up to this one; so
        states are independent.
    horizon : int
        Steps of a rollout that judges an action, >= 1: the action, then the policy.
    repeats : int
        Rollouts of each action, with the same random numbers for all actions, >= 1.
    known : bool
        Whether the actions of the k steps are known when the state is seen, as those under way are to who remembers
        them: all branches of a state then share the policy's actions. Otherwise each branch's policy acts for itself.
    runs, steps : int
        For rewards against delay: runs, at least 2, and steps of each.
    seconds : float
        When this is over no further state, and no further run, is begun; but two of each are always done.
    seed : int
    """

    delays: tuple[int, ...] = (1, 2, 4, 8, 16)
    states: int = 32
    branches: int = 16
    visit_steps: int = 500
    horizon: int = 30
    repeats: int = 1
    known: bool = True
    runs: int = 16
    steps: int = 1000
    seconds: float = math.inf
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("states", 2), ("branches", 2), ("runs", 2), ("visit_steps", 0)):
            whole(getattr(self, name), name, least, 10**6)
        for name in ("horizon", "repeats", "steps"):
            whole(getattr(self, name), name, 1, 10**7)
        whole(self.seed, "seed", 0, 2**63 - 1)
        if not self.delays or list(self.delays) != sorted(set(self.delays)):
            raise InvalidValue(f"delays {' '.join(map(str, self.delays))} must rise, and be at least one")
        for delay in self.delays:
            whole(delay, "delay", 1, MAX_DELAY)
        if not self.seconds > 0:
            raise InvalidValue(f"seconds {self.seconds:g} must be above 0")


def seed_of(*key: int) -> int:
    """A seed of its own for every key."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def at_state(world: Restorable, policy: Policy, effort: Effort, index: int) -> Floats:
    """Shares from one visited state, float64, shape (2, K, 5).

    Under the default policy and the given one (:data:`UNDER`); at each delay; in the order of :data:`OBSERVATION` and
    those after it.
    """
    _visit(world, policy, effort, index)
    state = world.save()
    return np.stack([_branches(world, policy, effort, (effort.seed, index, mode), state) for mode in range(2)])


def _visit(world: Restorable, policy: Policy, effort: Effort, index: int) -> None:
    seed = seed_of(effort.seed, _VISIT, index)
    random = np.random.default_rng(seed)
    world.reset(seed)
    for _ in range(int(random.integers(effort.visit_steps + 1))):
        if world.ended:
            world.next_episode()
        world.step(policy(world, random))
    if world.ended:
        world.next_episode()


def _branches(world: Restorable, policy: Policy, effort: Effort, key: tuple[int, ...], state: object) -> Floats:
    """Shares from a saved state under the default policy, ``key[-1]`` 0, or the given one, 1; shape (K, 5)."""
    actions: list[int | None] | None = None
    if UNDER[key[-1]] == "default":
        actions = [None] * effort.delays[-1]
    elif effort.known:
        actions = _pilot(world, policy, effort.delays[-1], key, state)
    keys: list[list[Hashable]] = []
    best: list[list[NDArray[np.bool_]]] = []
    for branch in range(effort.branches):
        world.restore(state)
        seed = seed_of(_BRANCH, *key, branch)
        world.reseed(seed)
        random = np.random.default_rng([seed, 1])
        keys.append([])
        best.append([])
        step = 0
        for delay in effort.delays:
            while step < delay and not world.ended:
                world.step(policy(world, random) if actions is None else actions[step])
                step += 1
            keys[-1].append(_ENDED if world.ended else world.key())
            best[-1].append(best_actions(world, policy, effort, (*key, branch, delay)))
    numbers = np.empty((len(effort.delays), NUMBERS))
    for k in range(len(effort.delays)):
        here = [row[k] for row in keys]
        labels = {label: number for number, label in enumerate(dict.fromkeys(here))}
        seen = np.eye(len(labels), dtype=bool)[[labels[label] for label in here]]
        good = np.stack([row[k] for row in best])
        found = (of(fits) for fits in (seen, good) for of in (predicted_share, largest_share))
        numbers[k] = [*found, float(np.mean([label is _ENDED for label in here]))]
    return numbers


def _pilot(world: Restorable, policy: Policy, steps: int, key: tuple[int, ...], state: object) -> list[int | None]:
    """The policy's actions in a branch of its own, for all others to repeat; after its end the default policy's."""
    world.restore(state)
    seed = seed_of(_PILOT, *key)
    world.reseed(seed)
    random = np.random.default_rng([seed, 1])
    actions: list[int | None] = []
    while len(actions) < steps and not world.ended:
        actions.append(policy(world, random))
        world.step(actions[-1])
    return actions + [None] * (steps - len(actions))


def best_actions(world: Restorable, policy: Policy, effort: Effort, key: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which actions are best in the world's present state, judged by rollouts; the world is left as it was.

    The value of an action is the reward of ``effort.horizon`` steps, of which the policy takes all but the
    first. Actions share random numbers. An action counts as best unless it is worse than the one of highest mean by
    more than three standard errors of the difference; with one repeat, by anything. After an episode all are best.

    Returns
    -------
    bool, shape (actions,)
    """
    if world.ended or world.actions == 1:
        return np.ones(world.actions, dtype=bool)
    state = world.save()
    returns = np.empty((effort.repeats, world.actions))
    for repeat in range(effort.repeats):
        seed = seed_of(_ROLLOUT, *key, repeat)
        for action in range(world.actions):
            world.restore(state)
            world.reseed(seed)
            random = np.random.default_rng([seed, 1])
            total = world.step(action)
            for _ in range(effort.horizon - 1):
                if world.ended:
                    break
                total += world.step(policy(world, random))
            returns[repeat, action] = total
    world.restore(state)
    return as_good_as_the_best(returns)


def as_good_as_the_best(returns: Floats) -> NDArray[np.bool_]:
    """Which actions are not clearly worse than the best one, from returns of shape (repeats, actions).

    >>> as_good_as_the_best(np.array([[1.0, 2.0, 2.0]]))
    array([False,  True,  True])
    >>> as_good_as_the_best(np.array([[1.0, 2.0], [2.0, 1.5], [0.5, 1.0]]))
    array([ True,  True])
    """
    lost = returns[:, [returns.mean(axis=0).argmax()]] - returns
    errors = lost.std(axis=0, ddof=1) / np.sqrt(len(lost)) if len(lost) > 1 else np.zeros(lost.shape[1])
    rounding = 1e-9 * max(float(np.abs(returns).max()), 1e-300)
    return np.asarray(lost.mean(axis=0) <= STANDARD_ERRORS * errors + rounding)
