"""Policy × MDP × Schedule: what happens in the world when actions come as a Schedule says.

A Schedule tells who acted at every step and from which earlier observation; nothing here asks which clock made it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsim.agents import kernel
from rtsim.agents.policies import Policy
from rtsim.agents.world import Draws, Trajectory, World
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.schedule import SCHEMA, STEP_COLUMNS, UPDATE_COLUMNS, Schedule
from rtsim.timing.units import whole


@dataclass(frozen=True, eq=False)
class Rollout:
    """One run of a policy on an MDP.

    Attributes
    ----------
    states : int64, shape (T + 1,)
        State at the start of each step, and after the last one.
    actions : int64, shape (T,)
        The agent's action, or on default steps the default policy's own.
    acted : bool, shape (T,)
        Whether the agent acted.
    rewards : float64, shape (T,)
    """

    states: NDArray[np.int64]
    actions: NDArray[np.int64]
    acted: NDArray[np.bool_]
    rewards: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rewards)


def rollout(mdp: TabularMDP, policy: Policy, schedule: Schedule, seed: int = 0) -> Rollout:
    """Let a policy act on an MDP as a Schedule says.

    On step i the agent's action is the one computed from the observation the Schedule names, or the default policy
    acts on the current state. Randomness comes from named streams of ``numpy.random.SeedSequence``: one number per step
    for the transition (inverse cumulated probabilities), one for a Bernoulli reward, one for the default policy, and
    one per inference for the policy. So the same seed couples different policies and Schedules, and
    one inference has one action however often it is used.

    Parameters
    ----------
    mdp : TabularMDP
    policy : Policy
        One of :mod:`rtsim.agents`.
    schedule : Schedule
    seed : int
        >= 0. Independent of the Schedule's own seed.

    Returns
    -------
    Rollout

    Raises
    ------
    InvalidValue
        If the policy does not fit the MDP or the Schedule.

    Examples
    --------
    >>> import rtsim
    >>> from rtsim import agents, mdps
    >>> late = rtsim.simulate(rtsim.Scenario("sequential", 2.5, workers=1, step_time=1.0, steps=9))
    >>> found = rollout(mdps.of("inaction"), agents.Tabular([0, 0]), late)
    >>> found.acted.astype(int), found.rewards.astype(int)
    (array([0, 0, 0, 1, 0, 1, 0, 0, 1]), array([1, 0, 0, 0, 1, 0, 1, 0, 0]))
    """
    _check(schedule)
    draws = Draws(World.of(mdp), schedule, whole(seed, "seed", 0, 2**63 - 1))
    found: Trajectory = policy.run(draws)
    return Rollout(found.states, found.actions, schedule.acted, found.rewards)


def _check(schedule: Schedule) -> None:
    columns = schedule.steps
    if not len(schedule):
        raise InvalidValue("the Schedule has no steps")
    found = kernel.loop("faulty")(columns["observation"], columns["worker"])
    if found >= 0:
        raise InvalidValue(
            f"step {found} of the Schedule acts on observation {int(columns['observation'][found])}, worker "
            f"{int(columns['worker'][found])}; it must be an observation in 0..{found}, or -1 and -1 where the "
            "default policy acted"
        )


def undelayed(steps: int, step_time: float = 1.0) -> Schedule:
    """The Schedule of a world that waits: the agent acts on every step, on the newest observation.

    Nobody learns in it: give learners ``every_step=True``. With that, a rollout is the sequential
    loop of the textbooks: observe, learn from the last transition, act.

    Parameters
    ----------
    steps : int
    step_time : float
        Seconds, at least 1e-9.

    Raises
    ------
    InvalidValue

    >>> undelayed(3).delay_steps
    array([0, 0, 0])
    """
    steps = whole(steps, "steps", 1, 10**10)
    if not 1e-9 <= step_time * steps <= 9e9 or not step_time >= 1e-9:
        raise InvalidValue(f"step_time {step_time:g} s must be at least 1e-9, and all steps at most 9e9 s together")
    number, none = np.arange(steps), np.zeros(steps, dtype=np.int64)
    time_ns = np.round(number * step_time * 1e9)
    given = {"time_ns": time_ns, "observation": number, "inference": number, "released": none + 1}
    given |= dict.fromkeys(("start_ns", "end_ns", "release_ns"), time_ns)
    columns = {name: np.asarray(given.get(name, none)).astype(kind) for name, kind in STEP_COLUMNS.items()}
    return Schedule(
        {"schema": SCHEMA, "clock": "none", "scenario": {}},
        columns,
        {name: np.zeros(0, dtype=kind) for name, kind in UPDATE_COLUMNS.items()},
        np.zeros(1, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        {"pending": 0, "longest_inference_ns": 0},
    )
