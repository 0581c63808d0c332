"""Tabular asynchronous MDPs as Gymnasium environments: ``rtsim/MDP-v0``.

What :mod:`rtsim.rollout` does by table, learners that know only Gymnasium can meet here; after the same seed the
world is the same one, random number for random number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rtsim import mdps
from rtsim.agents.world import World, cumulated, stream
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP

#: Random numbers drawn at a time.
_BLOCK = 4096


class Tabular(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """An MDP of tables that never ends; the observation is the state, one-hot.

    Its default policy β is one action more than the agent has, :attr:`noop`: β chooses among the actions of its own
    (``p_default``, ``r_default``). ``step`` takes that action too, although it lies outside the action space.

    Parameters
    ----------
    mdp : str or TabularMDP
        As for :func:`rtsim.mdps.of`.

    Attributes
    ----------
    mdp : TabularMDP
    noop : int
        The number of the agent's actions.
    state : int
        The present state.

    Notes
    -----
    ``reset`` with a seed begins the world of :func:`rtsim.rollout.rollout` with that seed; without one, the present
    streams of random numbers go on from the MDP's start. One step has the length of one second unless
    :class:`~rtsim.envs.scheduled.ScheduledEnv` is told another.

    Examples
    --------
    >>> env = Tabular("inaction")
    >>> env.reset(seed=0)[0], env.step(1)[:2], env.step(env.noop)[:2], env.step(env.noop)[1]
    (array([1, 0], dtype=uint8), (array([1, 0], dtype=uint8), 1.0), (array([0, 1], dtype=uint8), 1.0), 0.0)
    """

    metadata = {"render_modes": [], "render_fps": 1}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, mdp: str | TabularMDP = "jump") -> None:
        self.mdp = mdps.of(mdp)
        self.noop = self.mdp.actions
        self.action_space = gymnasium.spaces.Discrete(self.mdp.actions)
        self.observation_space = gymnasium.spaces.Box(0, 1, (self.mdp.states,), np.uint8)
        world = World.of(self.mdp)
        ends = zip(world.first[:-1].tolist(), world.first[1:].tolist(), strict=True)
        # The last successor of a row is taken without asking, so that rounding never leads beyond it.
        self._rows = [(world.cum[i : j - 1].tolist(), world.target[i:j].tolist()) for i, j in ends]
        self._rewards = world.r.tolist()
        self._default = world.default_cum.reshape(self.mdp.states, -1).tolist()
        self._sure = bool((self.mdp.default_policy[:, 0] == 1).all())
        self._one_hot = np.eye(self.mdp.states, dtype=np.uint8)
        self._begun = False
        self.state = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin at the MDP's start: with a seed, in that seed's world."""
        super().reset(seed=seed)
        if seed is not None or not self._begun:
            self._begin(int(self.np_random.integers(2**31)) if seed is None else seed)
        u = next(self._starts)
        self.state = bisect_right(cumulated(self.mdp.start[None, :]).tolist(), u)
        return self._one_hot[self.state].copy(), {"state": self.state}

    def _begin(self, seed: int) -> None:
        self._begun = True
        names = ("start", "transition", "reward", "default")
        self._starts, self._moves, self._payments, self._choices = (_numbers(stream(seed, name)) for name in names)

    def step(self, action: Any) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """One step by the agent's action, or by the default policy's.

        Raises
        ------
        InvalidValue
            If there is no such action, or no episode was begun.
        """
        if not self._begun:
            raise InvalidValue("no episode was begun; call reset()")
        a, s, n = int(action), self.state, self.mdp.actions
        if not 0 <= a <= n:
            raise InvalidValue(f"action {a} must lie in 0..{n - 1}, or be {n}, the default policy")
        # One number per step and purpose, used or not: so worlds under different policies stay coupled.
        u = next(self._moves)
        choice = 0 if self._sure else next(self._choices)
        if a < n:
            row = s * n + a
        else:
            b = 0 if self._sure else bisect_right(self._default[s], choice)
            row = self.mdp.states * n + s * self.mdp.default_actions + b
        cum, target = self._rows[row]
        self.state = target[bisect_right(cum, u)]
        reward = self._rewards[row]
        if self.mdp.reward == "bernoulli":
            reward = float(next(self._payments) < reward)
        return self._one_hot[self.state].copy(), reward, False, False, {"state": self.state}


def _numbers(generator: np.random.Generator) -> Iterator[float]:
    """Uniform numbers, one by one; drawn in blocks, which are those of one long draw."""
    while True:
        yield from generator.random(_BLOCK).tolist()
