"""What those get who learn nothing and are never late: a player that does nothing, and a random one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from rtsim.envs.default_policies import noop_of
from rtsim.envs.faults import faults_of, reward_of
from rtsim.learning.draws import episode_seed
from rtsim.learning.episodes import Env

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


def played(env: Env, player: str, seed: int) -> Iterator[Step]:
    """Step for step, without end; every episode begins as the training's of that seed and number does.

    Parameters
    ----------
    env : gymnasium.Env
    player : {"noop", "random"}
    seed : int, >= 0

    Raises
    ------
    InvalidValue
        If the environment fails.
    """
    noop: Any = noop_of(env)
    chance, actions = np.random.default_rng([seed, 1]), int(getattr(env.action_space, "n", 0))
    episode, over = 0, True
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
    rewards, scores, lengths = 0.0, [], []
    score, length = 0.0, 0
    for _, found in zip(range(steps), played(env, player, seed), strict=False):
        rewards, score, length = rewards + found.reward, score + found.reward, length + 1
        if found.over:
            scores.append(score)
            lengths.append(length)
            score, length = 0.0, 0
    seconds = steps * step_time
    return Reference(
        player,
        steps,
        seconds,
        rewards,
        rewards / seconds,
        len(scores),
        float(np.mean(scores)) if scores else math.nan,
        float(np.mean(lengths)) if lengths else math.nan,
    )
