"""How near a learner comes to the best delayed policy of a worst case, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsim import agents, mdps, theory
from rtsim.clocks import simulate
from rtsim.errors import InvalidValue
from rtsim.regret.expected import expected_gaps, least_expected
from rtsim.rollout import rollout
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule


@dataclass(frozen=True)
class Learnt:
    """What DQN has learnt on an MDP under a Schedule, in reward per environment step.

    Attributes
    ----------
    rate : float
        Of the greedy policy: expected under the Schedule, exactly (:func:`rtsim.regret.expected.expected_gaps`).
    played : float
        Of the same policy, in one run of :data:`PLAYED` steps under the Schedule.
    optimum : float
        Of the best policy that sees one old observation, under the same Schedule; exact, too.
    undelayed : float
        Of the best policy in a world that waits.
    policy : tuple of int
        Action by state.
    """

    rate: float
    played: float
    optimum: float
    undelayed: float
    policy: tuple[int, ...]

    @property
    def shortfall(self) -> float:
        """By what share of the optimum the rate misses it."""
        return 1 - self.rate / self.optimum


#: Decisions up to which the learning rate is the preset's; it falls in proportion beyond.
FULL_RATE = 12_000
#: Share of random actions at the end of training.
EXPLORATION = 0.5
#: Steps of :attr:`Learnt.played`.
PLAYED = 20_000


def learn(mdp: str, rule: str, delay: int, decisions: int, seed: int = 0) -> Learnt:
    """Train DQN in virtual time, and hold its greedy policy against theory.

    Parameters
    ----------
    mdp : str
        As for :func:`rtsim.mdps.of`; one whose state no action moves otherwise than another.
    rule : str
        ``sequential``, or one that ``delay`` workers follow.
    delay : int, >= 1
        Environment steps; inferences take half a step less, and no spread. Unless they start on a fresh
        observation, some actions are a step older than that.
    decisions : int
        Of training, one per environment step, or, sequentially, per ``delay`` steps. Many of them are at random to the
        end: who is to choose between nearly equal actions must have tried both.
    seed : int

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> found = learn("inaction", "sequential(wait_observation=true)", 3, decisions=50)
    >>> round(found.rate, 3), round(found.optimum, 3), found.undelayed
    (0.333, 0.333, 1.0)
    """
    from rtsim.envs.tabular import Tabular
    from rtsim.learning import PRESETS, prepare
    from rtsim.learning.scheduled import ScheduledTraining

    world = mdps.of(mdp)
    if (world.p != world.p[:, :1]).any():
        raise InvalidValue(f"actions move the state of {mdp}, so its best delayed policy is not known exactly")
    env = Tabular(world)
    sequential = rule.startswith("sequential")
    scenario = Scenario(rule, delay - 0.5, 1 if sequential else delay, 1.0, seed=seed, steps=PLAYED)
    every = delay if sequential else 1
    settings = PRESETS["mdp"]
    # The smaller the steps, the less the values tremble about what the data say.
    settings = settings.with_(
        exploration_end=EXPLORATION, learning_rate=settings.learning_rate * min(1.0, FULL_RATE / decisions)
    )
    learner = prepare(env, settings, seed)
    ScheduledTraining(env, learner, scenario.with_(batch=settings.batch)).run(decisions * every)
    policy = np.array([learner.best(state) for state in np.eye(world.states, dtype=np.uint8)])
    schedule = simulate(scenario)
    best = least_expected(world, schedule)
    assert best is not None  # no action of a worst case moves the state
    gain = theory.optimum(world).gain
    rate, optimum = (gain - _lost(world, table, schedule) for table in (policy, best))
    played = float(rollout(world, agents.Tabular(policy), schedule, seed=seed + 1).rewards.mean())
    return Learnt(rate, played, optimum, gain, tuple(policy.tolist()))


def _lost(world: mdps.TabularMDP, table: NDArray[np.int64], schedule: Schedule) -> float:
    """Expected gap per step: what is lost against the optimal gain, but for what the last state is worth."""
    gaps = expected_gaps(world, agents.Tabular(table), schedule)
    assert gaps is not None
    return float(gaps.mean())
