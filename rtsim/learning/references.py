"""What those get who learn nothing and are never late: a player that does nothing, and a random one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from rtsim.envs.default_policies import noop_of
from rtsim.envs.faults import faults_of, reward_of
from rtsim.learning.draws import episode_seed
from rtsim.learning.episodes import Env
from rtsim.learning.scores import Count, Extent, Played

PLAYERS = ("noop", "random")


class Step(NamedTuple):
    """One environment step: whether something else than nothing was done, its reward, whether the episode ended."""

    acted: bool
    reward: float
    over: bool


class Reference(NamedTuple):
    """How a player fared.

    Attributes
    ----------
    player : {"noop", "random"}
    steps, seconds : int and float
        Environment steps and time that were played.
    reward, reward_rate : float
        Sum of the rewards, and that per second.
    episodes : int
        That ended.
    score, length : float
        Mean sum of rewards, and steps, of those; nan if there are none.
    """

    player: str
    steps: int
    seconds: float
    reward: float
    reward_rate: float
    episodes: int
    score: float
    length: float


def played(env: Env, player: str, seed: int, first: int = 0) -> Iterator[Step]:
    """Step for step, without end; every episode begins as the training's of that seed and number does.

    Parameters
    ----------
    env : gymnasium.Env
    player : {"noop", "random"}
    seed : int, >= 0
    first : int, >= 0
        Number of the first episode.

    Raises
    ------
    InvalidValue
        If the environment fails.
    """
    noop: Any = noop_of(env)
    chance, actions = np.random.default_rng([seed, 1]), int(getattr(env.action_space, "n", 0))
    episode, over = first, True
    while True:
        with faults_of(env):
            if over:
                env.reset(seed=episode_seed(seed, episode))
                episode += 1
            action = noop if player == "noop" else int(chance.integers(actions))
            _, reward, terminated, truncated, _ = env.step(action)
            over = bool(terminated or truncated)
            step = Step(action != noop, reward_of(env, reward), over)
        yield step


def reference(env: Env, player: str, seed: int, steps: int, step_time: float) -> Reference:
    """How a player fares in some environment steps.

    Parameters
    ----------
    env : gymnasium.Env
    player : {"noop", "random"}
    seed : int, >= 0
    steps : int, >= 1
    step_time : float, s

    Raises
    ------
    InvalidValue
        If the environment fails.

    Examples
    --------
    >>> from rtsim.envs.worlds import environment
    >>> found = reference(environment("CartPole-v1"), "noop", 0, 100, 0.02)
    >>> found.reward_rate, found.length == found.score < 12
    (50.0, True)
    """
    found = fared(env, player, seed, Extent(steps=steps))
    seconds = steps * step_time
    rate = found.reward / seconds
    return Reference(player, steps, seconds, found.reward, rate, len(found.scores), found.score, found.length)


def fared(
    env: Env,
    player: str,
    seed: int,
    extent: Extent,
    first: int = 0,
    on_step: Callable[[Count], None] | None = None,
) -> Played:
    """How a player fares; all its steps count as its own, none of them late.

    Parameters
    ----------
    env, player, seed, first :
        As for :func:`played`.
    extent : Extent
    on_step : callable, optional
        Called after every step with what was counted so far.

    Raises
    ------
    InvalidValue
        If the environment fails.
    """
    count = Count(extent)
    while not count.done:
        count.begin()
        # An episode that is cut is followed by the next one, from a seed of its own.
        for step in played(env, player, seed, first + len(count.played.scores)):
            count.step(step.reward, step.over, 0)
            if on_step is not None:
                on_step(count)
            if count.done or count.over:
                break
    return count.played
