"""Default policies: what an environment is given when no action is there.

``noop`` does nothing, ``repeat`` does again what was done last in the episode (at first ``noop``), ``random`` draws
uniformly from the action space, and any function of the observation is a default policy too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from rtsim.errors import InvalidValue, UnknownName

#: (observation, action done last in this episode or None) -> action.
Default = Callable[[Any, Any], Any]
NAMES = ("noop", "random", "repeat")


def neutral(space: gymnasium.Space[Any]) -> Any:
    """The action of a space that is most like none: the first one, the one nearest to zero, in every part.

    Raises
    ------
    InvalidValue
        For spaces without such a one.

    >>> neutral(spaces.Discrete(3, start=1)), neutral(spaces.Box(1.0, 2.0, (2,)))
    (1, array([1., 1.], dtype=float32))
    """
    if isinstance(space, spaces.Discrete):
        return int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return np.array(space.start, dtype=space.dtype)
    if isinstance(space, spaces.Box):
        return np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
    if isinstance(space, spaces.MultiBinary):
        return np.zeros(space.shape, space.dtype)
    if isinstance(space, spaces.Tuple):
        return tuple(neutral(part) for part in space.spaces)
    if isinstance(space, spaces.Dict):
        return {name: neutral(part) for name, part in space.spaces.items()}
    raise InvalidValue(f"the action space {space} has no obvious no-operation; give noop=, an action of it")


def noop_of(env: gymnasium.Env[Any, Any]) -> Any:
    """The environment's own ``noop``, which may lie outside its action space, else the neutral action."""
    own = getattr(env.unwrapped, "noop", None)
    return neutral(env.action_space) if own is None or callable(own) else own


def noop_known(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether the environment says itself that the action of :func:`noop_of` does nothing.

    By ``noop``, or, as Atari's do, by calling the first of its actions NOOP.

    >>> noop_known(gymnasium.make("CartPole-v1"))  # its first action pushes to the left
    False
    """
    own = getattr(env.unwrapped, "noop", None)
    if own is not None and not callable(own):
        return True
    names = getattr(env.unwrapped, "get_action_meanings", None)
    return callable(names) and [str(name).upper() for name in names()][:1] == ["NOOP"]


def default_of(policy: str | Callable[[Any], Any], space: gymnasium.Space[Any], noop: Any, seed: int) -> Default:
    """A default policy by name, or a function of the observation.

    Parameters
    ----------
    policy : {"noop", "repeat", "random"} or callable(observation) -> action
    space : Space
        What ``random`` draws from; the space itself is left as it is.
    noop : action
    seed : int
        >= 0, of ``random``; its stream is not the one that ``space.seed(seed)`` begins.

    Raises
    ------
    UnknownName

    >>> default_of("repeat", spaces.Discrete(3), 0, seed=0)("observation", 2)
    2
    """
    if callable(policy):
        return lambda observation, last: policy(observation)
    if policy not in NAMES:
        raise UnknownName("default policy", str(policy), NAMES)
    if policy == "noop":
        return lambda observation, last: noop
    if policy == "repeat":
        return lambda observation, last: noop if last is None else last
    own = copy.deepcopy(space)
    own.seed(int(np.random.SeedSequence(seed, spawn_key=(0,)).generate_state(1)[0]))
    return lambda observation, last: own.sample()
