"""Learning from a player before acting: the replay memory is filled with what it did, seen as late as the agent sees.

Riemer et al. 2025, App. A, "Training Procedure for Tetris": transitions of the steps on which the player did
something, their observations older by the delay of the model to be trained; then as many updates as transitions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rtsim.envs.gym import Game
from rtsim.envs.players import no_player, player
from rtsim.errors import InvalidValue
from rtsim.learning.draws import episode_seed
from rtsim.learning.learner import Learner
from rtsim.learning.memory import Memory
from rtsim.learning.transitions import Transitions
from rtsim.scenario import Scenario
from rtsim.theory import ceil_ratio

#: Added to the number of a demonstrated episode, so that no training plays an episode that was demonstrated.
DEMONSTRATION = 2**41
#: Steps in a row without an action of the player after which nothing is hoped for any more.
PATIENCE = 100_000


@dataclass(frozen=True)
class Demonstrations:
    """What a player did.

    Attributes
    ----------
    transitions : int
        In the memory now.
    steps : int
        Environment steps that it took, those on which the player did nothing included.
    scores : tuple of float
        Of the episodes that ended meanwhile.
    """

    transitions: int
    steps: int
    scores: tuple[float, ...]


def demonstrate(
    env: gymnasium.Env[Any, Any],
    choose: Callable[[], int],
    memory: Memory,
    count: int,
    delay: int = 0,
    *,
    noop: int,
    seed: int = 0,
) -> Demonstrations:
    """Fill a memory with transitions of a player, the observations ``delay`` steps old.

    The player itself is never late. A step on which it does nothing belongs to its last action, as steps of the default
    policy belong to the last action under a Schedule. In the first ``delay`` steps of an episode no action could have
    been there: they are played, but make no transition.

    Parameters
    ----------
    env : gymnasium.Env
    choose : callable() -> int
        What the player does now.
    memory : Memory
    count : int, >= 1
        Transitions.
    delay : int, >= 0
        Environment steps.
    noop : int
        The player's way to do nothing.
    seed : int, >= 0

    Raises
    ------
    InvalidValue
        If the memory is too small for them, or the player never acts late enough in an episode.
    """
    if not 1 <= count < memory.capacity:
        raise InvalidValue(
            f"{count} demonstrations must be at least 1 and fewer than the replay memory holds, {memory.capacity}"
        )
    made, first = Transitions(memory), memory.appended
    seen: deque[NDArray[Any]] = deque(maxlen=delay + 1)
    scores: list[float] = []
    steps = idle = episode = 0
    score, ended = 0.0, True
    while memory.appended - first < count:
        if ended:
            observation, _ = env.reset(seed=episode_seed(seed, DEMONSTRATION + episode))
            seen.clear()
            seen.append(np.asarray(observation))
            score, episode = 0.0, episode + 1
        action = choose()
        idle += 1
        if action != noop and len(seen) > delay:
            idle = 0
            made.acts(seen[0], action)
        if idle > max(PATIENCE, 10 * delay):
            raise InvalidValue(
                f"the player did nothing {idle} steps long, or its episodes are shorter than the delay of {delay} steps"
            )
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append(np.asarray(observation))
        # Nothing follows a termination; a truncation is valued on what the next action would have been chosen on.
        made.stepped(float(reward), bool(terminated), bool(truncated), seen[0])
        steps, score, ended = steps + 1, score + float(reward), bool(terminated or truncated)
        if ended:
            scores.append(score)
    return Demonstrations(memory.appended - first, steps, tuple(scores))


def pretrain(learner: Learner, updates: int, on_update: Callable[[int], None] | None = None) -> float:
    """Updates on what the memory holds, each landing before the next one begins; the mean loss of the last tenth.

    Raises
    ------
    NoConvergence
        If the loss is not finite.
    """
    losses: deque[float] = deque(maxlen=max(updates // 10, 1))
    for number in range(updates):
        gradient = learner.gradient(learner.parameters, learner.sample())
        learner.apply(gradient)
        losses.append(gradient.loss)
        if on_update is not None:
            on_update(number + 1)
    return float(np.mean(losses)) if losses else 0.0


def scripted(env: gymnasium.Env[Any, Any]) -> tuple[Game, Callable[[], int]]:
    """One of our games, and what its scripted player does now.

    Raises
    ------
    InvalidValue
        If it is something else.
    """
    game = env.unwrapped
    if not isinstance(game, Game):
        raise no_player(env)
    who, memory = player(game.emulator.id), game.emulator.memory
    return game, lambda: who.act(memory())


def learn_from_player(env: gymnasium.Env[Any, Any], learner: Learner, count: int, delay: int) -> Demonstrations:
    """The whole procedure, with the scripted player of one of our games: ``count`` transitions, then as many updates.

    Raises
    ------
    InvalidValue
        If the game has no such player.
    """
    game, choose = scripted(env)
    found = demonstrate(env, choose, learner.memory, count, delay, noop=game.noop, seed=learner.seed)
    pretrain(learner, count)
    return found


def expected_delay(scenario: Scenario) -> int:
    """⌈τ̄_θ/τ̄_M⌉, the delay in steps that a model is expected to act with; 0 where it takes no time.

    >>> expected_delay(Scenario("max_time", "84ms", workers=6, step_time="60fps"))
    6
    """
    mean = scenario.inference_mean
    return ceil_ratio(mean, scenario.step_mean) if mean > 0 else 0
