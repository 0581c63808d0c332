"""Environments under a scenario, and how well learnt action values do in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.scheduled import TIMING, ScheduledEnv
from rtsim.errors import InvalidValue
from rtsim.learning.episodes import Env, Episodes
from rtsim.learning.learner import Learner, Parameters
from rtsim.learning.scores import Count, Extent, Played, Watch
from rtsim.learning.training import EVALUATION
from rtsim.scenario import Scenario
from rtsim.timing.composite import draws_exploration


def check_rule(scenario: Scenario) -> None:
    """Refuse rules that make several actions per inference, for which the networks have no outputs.

    Raises
    ------
    InvalidValue
    """
    chunk = scenario.program().chunk
    if chunk > 1:
        raise InvalidValue(
            f"rule {scenario.rule} makes {chunk} actions per inference, and the learners' networks one; give size=1 or "
            "another rule"
        )


def world(env: Env, scenario: Scenario, listener: Any = None, default_policy: Any = "noop") -> ScheduledEnv:
    """An environment under a scenario.

    Raises
    ------
    InvalidValue
        If the rule makes several actions per inference.
    """
    check_rule(scenario)
    timing = {name: getattr(scenario, name) for name in TIMING}
    return ScheduledEnv(
        env,
        str(scenario.rule),
        scenario.inference_time,
        scenario.workers,
        scenario.step_time,
        default_policy=default_policy,
        seed=scenario.seed,
        listener=listener,
        **timing,
    )


def play(
    env: Env,
    scenario: Scenario,
    choose: Callable[[Any], int],
    seed: int,
    extent: Extent,
    default_policy: Any = "noop",
    on_decision: Callable[[Count], None] | None = None,
) -> Played:
    """Play under a scenario, without learning.

    Parameters
    ----------
    env : gymnasium.Env
        With finitely many actions, counted from 0.
    scenario : Scenario
        Its learning takes no time here. Where a law draws that an action is random, it is.
    choose : callable(observation) -> action
        Asked once per inference.
    seed : int, >= 0
        Of the episodes: the same ones whoever plays, and none of those that trainings with this seed learn from.
    extent : Extent
    default_policy : {"noop", "repeat", "random"}
    on_decision : callable, optional
        Called after every decision with what was counted so far.

    Returns
    -------
    Played
        Of every environment step and episode, those that end before an inference has begun in them included.

    Examples
    --------
    An inference takes two steps, so every second step is the default policy's (0, to the left), and no action is newer:

    >>> import gymnasium
    >>> scenario = Scenario("sequential", "40ms", step_time="50fps")
    >>> found = play(gymnasium.make("CartPole-v1"), scenario, lambda observation: 1, 0, Extent(steps=100))
    >>> found.inaction > 0.5, found.delay, found.reward
    (True, 2.0, 100.0)
    """
    count = Count(extent)
    explores = draws_exploration(scenario.inference_time)
    chance = np.random.default_rng([seed, extent.episodes])
    actions = int(getattr(env.action_space, "n", 0))
    quiet = scenario.with_(learning_time=None, learners=1)
    timed = world(Episodes(env, seed, EVALUATION), quiet, Watch(count), default_policy)
    while not count.done:
        count.begin()
        observation, info = timed.reset()
        ended = False
        while not (ended or count.over or count.done):
            random = explores and info["component"] == 0
            action = int(chance.integers(actions)) if random else choose(observation)
            observation, _, terminated, truncated, info = timed.step(action)
            ended = terminated or truncated
            if on_decision is not None:
                on_decision(count)
    return count.played


def evaluate_scheduled(
    env: Env, learner: Learner, scenario: Scenario, episodes: int, parameters: Parameters | None = None
) -> NDArray[np.float64]:
    """Scores of episodes played under a scenario with the learnt action values, without learning.

    Parameters
    ----------
    env : gymnasium.Env
        Not the one of a training that goes on.
    learner : Learner
    scenario : Scenario
        Its learning takes no time here.
    episodes : int, >= 1
        Each of at most :data:`~rtsim.learning.scores.LONGEST_EVALUATION` environment steps, the same ones every time.
    parameters : Parameters, optional
        By default the present ones.

    Returns
    -------
    float64, shape (episodes,)
    """
    used = parameters or learner.parameters
    learner.network.eval()
    try:
        found = play(env, scenario, lambda seen: learner.best(seen, used), learner.seed, Extent(episodes))
    finally:
        learner.network.train()
    return np.array(found.scores)
