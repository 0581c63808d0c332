"""Gymnasium environments that can be put back where they were: by copies of the whole object.

What is random about one is found by looking through it for generators (``numpy.random.Generator``, ``RandomState``,
``random.Random``); each of them is seeded anew. Randomness of a module, ``numpy.random.rand()`` say, is not part of
the object, so such an environment does not come back to a saved state and is refused.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Hashable, Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from rtsim.envs.default_policies import noop_of
from rtsim.envs.emulator import Emulator
from rtsim.envs.faults import faults_of, fps_of, reward_of
from rtsim.envs.restorable import Restorable, RestorableEmulator
from rtsim.errors import InvalidValue

#: Objects looked through for generators, at most.
MOST_OBJECTS = 20_000
#: Actions that are tried one by one, at most.
MOST_ACTIONS = 10_000
_LEAVES = (str, bytes, int, float, complex, bool, type(None), np.ndarray, np.generic, type, gymnasium.Space)

RandomSource = np.random.Generator | np.random.RandomState | random.Random


class RestorableGym(Restorable):
    """A Gymnasium environment with finitely many actions.

    Parameters
    ----------
    env : gymnasium.Env
        The default policy takes its ``noop``, else its first action, as in :class:`rtsim.envs.scheduled.ScheduledEnv`.
    name : str

    Raises
    ------
    InvalidValue
        If the actions are not finitely many, or the environment cannot be copied.

    >>> world = RestorableGym(gymnasium.make("CartPole-v1"))
    >>> world.reset(0)
    >>> state = world.save()
    >>> there = [world.step(1) for _ in range(5)], world.key()
    >>> world.restore(state)
    >>> there == ([world.step(1) for _ in range(5)], world.key())
    True
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str = "") -> None:
        self.name = name or (env.spec.id if env.spec is not None else type(env.unwrapped).__name__)
        if not isinstance(env.action_space, spaces.Discrete):
            raise InvalidValue(
                f"{self.name} has actions {env.action_space}; only a finite set (Discrete) can be tried one by one"
            )
        self._env, self._observation, self.ended = env, None, False
        self._first, self.actions = int(env.action_space.start), int(env.action_space.n)
        self._noop = noop_of(env)
        self.fps = fps_of(self.name, env.metadata)

    @property
    def observation(self) -> Any:
        return self._observation

    def key(self) -> Hashable:
        return key_of(self._observation)

    def reset(self, seed: int) -> None:
        # Gymnasium's own seeds are 32 bits in some environments.
        with faults_of(self.name):
            self._observation, _ = self._env.reset(seed=seed % 2**31)
        self.ended = False

    def next_episode(self) -> None:
        with faults_of(self.name):
            self._observation, _ = self._env.reset()
        self.ended = False

    def step(self, action: int | None) -> float:
        wanted = self._noop if action is None else self._first + action
        with faults_of(self.name):
            self._observation, reward, terminated, truncated, _ = self._env.step(wanted)
            self.ended = bool(terminated or truncated)
            return reward_of(self.name, reward)

    def save(self) -> Any:
        return self._copy(self._env), copy.deepcopy(self._observation), self.ended

    def restore(self, state: Any) -> None:
        env, observation, self.ended = state
        self._env, self._observation = self._copy(env), copy.deepcopy(observation)

    def reseed(self, seed: int) -> None:
        found = list(random_sources(self._env))
        for source, child in zip(found, np.random.SeedSequence(seed).spawn(len(found)), strict=True):
            if isinstance(source, np.random.Generator):
                source.bit_generator.state = type(source.bit_generator)(child).state
            else:
                source.seed(int(child.generate_state(1)[0]))

    def close(self) -> None:
        self._env.close()

    def _copy(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        try:
            return copy.deepcopy(env, {id(part): part for part in _constant(env)})
        except Exception as error:  # whatever the environment's own parts raise
            reason = " ".join(str(error).split())[:160]
            raise InvalidValue(f"{self.name} cannot be saved: copying it fails ({reason})") from error


def _constant(env: Any) -> Iterator[Any]:
    """What is large in an environment or its wrappers, and never changed by a step."""
    while env is not None:
        for name, part in vars(env).items():
            # P is the table of toy text.
            if isinstance(part, gymnasium.Space | EnvSpec) or (name == "P" and isinstance(part, dict)):
                yield part
        env = vars(env).get("env")


def of(env: gymnasium.Env[Any, Any], name: str) -> Restorable:
    """A world from an environment; a game's is that of its emulator, which is saved without a copy.

    Raises
    ------
    InvalidValue
        As of :class:`RestorableGym`.
    """
    emulator = getattr(env.unwrapped, "emulator", None)
    world = RestorableEmulator(emulator) if isinstance(emulator, Emulator) else RestorableGym(env, name)
    if world.actions > MOST_ACTIONS:
        raise InvalidValue(f"{world.name} has {world.actions} actions; at most {MOST_ACTIONS} can be tried one by one")
    return world


def key_of(observation: Any) -> Hashable:
    """A value that is equal for equal observations, of any space.

    >>> key_of({"a": np.zeros(2), "b": (1, 2)}) == key_of({"b": (1, 2), "a": np.zeros(2)})
    True
    """
    if isinstance(observation, np.ndarray):
        return observation.shape, observation.dtype.str, observation.tobytes()
    if isinstance(observation, dict):
        return tuple((name, key_of(observation[name])) for name in sorted(observation))
    if isinstance(observation, list | tuple):
        return tuple(key_of(part) for part in observation)
    return observation  # type: ignore[no-any-return]


def random_sources(env: Any) -> Iterator[RandomSource]:
    """The generators of random numbers inside an object, each once, in an order that does not change.

    >>> env = gymnasium.make("CartPole-v1")
    >>> _ = env.reset(seed=0)
    >>> len(list(random_sources(env)))
    1
    """
    waiting, seen = [env], {id(env), *map(id, _constant(env))}
    while waiting and len(seen) < MOST_OBJECTS:
        thing = waiting.pop()
        if isinstance(thing, RandomSource):
            yield thing
            continue
        if isinstance(thing, dict):
            parts = list(thing.values())
        elif isinstance(thing, list | tuple):
            parts = list(thing)
        else:
            parts = list(getattr(thing, "__dict__", {}).values())
        for part in parts:
            if not isinstance(part, _LEAVES) and id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
