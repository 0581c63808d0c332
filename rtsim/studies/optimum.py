"""How near a learner comes to the best delayed policy of a worst case, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim import agents, mdps, theory
from rtsim.clocks import simulate
from rtsim.rollout import rollout
from rtsim.scenario import Scenario


@dataclass(frozen=True)
class Learnt:
    """What DQN has learnt on an MDP under a Schedule, in reward per environment step.

    Attributes
    ----------
    rate : float
        Of the greedy policy, exactly.
    played : float
        Of the same policy, in one run of :data:`PLAYED` steps under the Schedule.
    optimum : float
        Of the best policy that sees one old observation; exact on the papers' worst cases.
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


#: Share of random actions at the end of training.
EXPLORATION = 0.5
#: Steps of :attr:`Learnt.played`.
PLAYED = 20_000


def learn(mdp: str, rule: str, delay: int, decisions: int, seed: int = 0) -> Learnt:
    """Train DQN in virtual time, and hold its greedy policy against theory.

    Parameters
    ----------
    mdp : str
        As for :func:`rtsim.mdps.of`.
    rule : str
        ``sequential(wait_observation=true)``, which acts on every ``delay``-th step, or one with which ``delay``
        workers act on every step, ``delay`` steps late.
    delay : int, >= 1
        Environment steps; inferences take half a step less, and no spread.
    decisions : int
        Of training, one per environment step, or, sequentially, per ``delay`` steps. Many of them are at random to the
        end: who is to choose between nearly equal actions must have tried both.
    seed : int

    Raises
    ------
    InvalidValue

    >>> found = learn("inaction", "sequential(wait_observation=true)", 3, decisions=50)
    >>> round(found.rate, 9), round(found.optimum, 9), found.undelayed
    (0.333333333, 0.333333333, 1.0)
    """
    from rtsim.envs.tabular import Tabular
    from rtsim.learning import PRESETS, prepare
    from rtsim.learning.scheduled import ScheduledTraining

    world = mdps.of(mdp)
    env = Tabular(world)
    sequential = rule.startswith("sequential")
    scenario = Scenario(rule, delay - 0.5, 1 if sequential else delay, 1.0, seed=seed, steps=PLAYED)
    every = delay if sequential else 1
    settings = PRESETS["mdp"].with_(exploration_end=EXPLORATION)
    learner = prepare(env, settings, seed)
    ScheduledTraining(env, learner, scenario.with_(batch=settings.batch)).run(decisions * every)
    policy = np.array([learner.best(state) for state in np.eye(world.states, dtype=np.uint8)])
    played = rollout(world, agents.Tabular(policy), simulate(scenario), seed=seed + 1)
    return Learnt(
        theory.delayed_gain(world, policy, delay, every=every),
        float(played.rewards.mean()),
        theory.best_delayed(world, delay, every=every).gain,
        theory.optimum(world).gain,
        tuple(policy.tolist()),
    )
