"""Episodes of an environment that can be gone back to without saving it: each from a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from rtsim.envs.faults import faults_of, reward_of
from rtsim.errors import InvalidValue
from rtsim.learning.draws import episode_seed

Env = gymnasium.Env[Any, Any]


def not_repeated() -> InvalidValue:
    """Why a checkpoint cannot be gone on from whose observation does not come again."""
    return InvalidValue(
        "the environment does not repeat itself after the same seed and actions, so this checkpoint "
        "cannot be gone on from; give the same environment and versions as then"
    )


class Episodes(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Seeds every episode, and remembers how long each was and what was done in the present one.

    Parameters
    ----------
    env : gymnasium.Env
        The same after the same seed and actions.
    seed : int
        Of the training.
    first : int
        Number of the first episode.
    past : sequence of int
        Lengths of episodes that have been played already: these pass again in name only, for a clock that is to come
        to where it was.
    """

    def __init__(self, env: Env, seed: int, first: int = 0, past: Sequence[int] = ()) -> None:
        super().__init__(env)
        self._seed, self._first, self._past = seed, first, list(past)
        #: Of the episodes that have ended.
        self.lengths: list[int] = []
        #: What was done in the present one.
        self.actions: list[int] = []
        self._begun = False
        self._blank = np.zeros(env.observation_space.shape or (), env.observation_space.dtype)

    @property
    def passing(self) -> bool:
        """Whether the present episode passes in name only."""
        return len(self.lengths) < len(self._past)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode; a seed given here is not used."""
        if self._begun and self.actions:
            self.lengths.append(len(self.actions))
        self._begun, self.actions = True, []
        if self.passing:
            return self._blank, {}
        seed = episode_seed(self._seed, self._first + len(self.lengths))
        with faults_of(self.env):
            observation, info = self.env.reset(seed=seed, options=options)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """As the environment does."""
        self.actions.append(int(action))
        if self.passing:
            return self._blank, 0.0, len(self.actions) == self._past[len(self.lengths)], False, {}
        with faults_of(self.env):
            observation, reward, terminated, truncated, info = self.env.step(action)
            return observation, reward_of(self.env, reward), bool(terminated), bool(truncated), info
