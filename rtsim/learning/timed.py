"""Environments under a scenario, and how well learnt action values do in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.scheduled import TIMING, ScheduledEnv
from rtsim.errors import InvalidValue
from rtsim.learning.episodes import Env, Episodes
from rtsim.learning.learner import Learner, Parameters
from rtsim.learning.training import EVALUATION
from rtsim.scenario import Scenario
from rtsim.timing.composite import draws_exploration

#: Environment steps after which an evaluation's episode is over at the latest.
LONGEST_EVALUATION = 20_000


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
        Each of at most :data:`LONGEST_EVALUATION` environment steps, the same ones every time.
    parameters : Parameters, optional
        By default the present ones.

    Returns
    -------
    float64, shape (episodes,)
    """
    scores = np.zeros(episodes)
    parameters = parameters or learner.parameters
    explores = draws_exploration(scenario.inference_time)
    chance = np.random.default_rng([learner.seed, episodes])
    learner.network.eval()
    try:
        timed = world(Episodes(env, learner.seed, EVALUATION), scenario.with_(learning_time=None, learners=1))
        for k in range(episodes):
            observation, info = timed.reset()
            begun = info["observation_step"]
            ended = False
            while not ended:
                random = explores and info["component"] == 0
                action = int(chance.integers(learner.actions)) if random else learner.best(observation, parameters)
                observation, reward, terminated, truncated, info = timed.step(action)
                scores[k] += reward
                ended = terminated or truncated or info["observation_step"] - begun >= LONGEST_EVALUATION
    finally:
        learner.network.train()
    return scores
