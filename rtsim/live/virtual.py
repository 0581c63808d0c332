"""A Schedule on its emulator in virtual time: as fast as the emulator goes, without waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsim.envs import Emulator, make, observation_hash
from rtsim.errors import InvalidValue
from rtsim.live import memory as m
from rtsim.live.agents import Agent, Question, agent_of
from rtsim.live.plan import LivePlan
from rtsim.live.recording import check
from rtsim.schedule import Schedule, ending


class Frame(NamedTuple):
    """One step on the emulator: the observation before it, and what came of it.

    Attributes
    ----------
    step : int
    observation : uint8, shape (84, 84, 1)
        Before it.
    action : int
        What the emulator was given.
    stale : bool
        Whether the default policy acted because the action was of a former episode.
    reward : float
    ended : int
        See :func:`rtsim.schedule.ending`.
    """

    step: int
    observation: NDArray[np.uint8]
    action: int
    stale: bool
    reward: float
    ended: int


def frames(schedule: Schedule, emulator: Emulator, seed: int, choose: Callable[[int, Sight], int]) -> Iterator[Frame]:
    """Step an emulator by a Schedule.

    Parameters
    ----------
    schedule : Schedule
    emulator : Emulator
    seed : int
    choose : callable(step, sight) -> int
        The action of an agent step, computed from what stood on the screen then.

    Yields
    ------
    Frame
        An action that comes from a former episode is replaced by the default policy.
    """
    worker, seen_at = schedule.steps["worker"].tolist(), schedule.steps["observation"].tolist()
    longest = int(schedule.delay_steps.max(initial=0))
    past: deque[Sight] = deque(maxlen=longest + 1)
    observation = emulator.reset(seed)
    episode = 0
    for step in range(len(schedule)):
        past.append(Sight(observation, emulator.memory()))
        acts = worker[step] >= 0
        stale = acts and seen_at[step] < episode
        action = choose(step, past[seen_at[step] - step - 1]) if acts and not stale else emulator.noop
        following, reward, terminated, truncated, _ = emulator.step(action)
        ended = ending(terminated, truncated)
        yield Frame(step, observation, action, stale, reward, ended)
        observation = following
        if ended:
            observation = emulator.reset()
            episode = step + 1


class Sight(NamedTuple):
    """What an inference may look at: the picture, and the console's memory for scripted players."""

    observation: NDArray[np.uint8]
    console: bytes

    def of(self, agent: Agent, schedule: Schedule, step: int, chunk: int) -> int:
        """What an agent does at ``step`` having seen this."""
        steps = schedule.steps
        console = np.zeros(m.CONSOLE, np.uint8)
        console[: len(self.console)] = np.frombuffer(self.console, np.uint8)
        worker, inference, component = (int(steps[name][step]) for name in ("worker", "inference", "component"))
        asked = Question(self.observation.reshape(-1), console, worker, inference, component, chunk)
        chosen = agent.choose(asked)
        return chosen[int(steps["chunk_index"][step])]


@dataclass
class Replay:
    """How a recorded run came out when it was played again.

    Attributes
    ----------
    steps : int
    rewards, observations, endings : int
        Steps on which reward, hash of the observation, and end of the episode were those recorded.
    actions_checked, actions : int
        Agent steps whose action was computed again from its observation, and those where it was the recorded one.
    first_difference : str
        In words; empty if there is none.
    faithful : bool
        Whether there is none.
    """

    steps: int = 0
    rewards: int = 0
    observations: int = 0
    endings: int = 0
    actions_checked: int = 0
    actions: int = 0
    first_difference: str = ""
    faithful: bool = field(init=False, default=True)

    def _compare(self, what: str, step: int, recorded: object, found: object) -> bool:
        if recorded == found:
            return True
        self.faithful = False
        if not self.first_difference:
            self.first_difference = f"{what} of step {step} was {recorded}, and is {found} now"
        return False


def replay(
    schedule: Schedule,
    *,
    agent: bool = True,
    on_frame: Callable[[Emulator, int], None] | None = None,
) -> Replay:
    """Play a recorded run again, with its actions, and compare every step.

    Parameters
    ----------
    schedule : Schedule
        With live columns.
    agent : bool
        Compute each action again, too, from the observation that the Schedule says; not where the run learnt,
        because its weights have changed since.
    on_frame : callable(emulator, step), optional
        Called after every step, for videos and progress.

    Returns
    -------
    Replay

    Raises
    ------
    InvalidValue
        If the Schedule was not recorded live, or its game is not there.
    FileProblem
        If it is no recording that a run could have written; see :mod:`rtsim.live.recording`.
    """
    check(schedule)
    live, plan = recorded(schedule), plan_of(schedule)
    found = Replay()
    with make(plan.game) as emulator:
        player = agent_of(plan, emulator.actions, emulator.noop) if agent and plan.learning is None else None
        chunk = plan.scenario.program().chunk

        def choose(step: int, sight: Sight) -> int:
            action = int(live["action"][step])
            if player is not None:
                found.actions_checked += 1
                now = sight.of(player, schedule, step, chunk)
                found.actions += found._compare("action", step, action, now)
            return action

        for frame in frames(schedule, emulator, plan.scenario.seed, choose):
            step = found.steps
            found.steps += 1
            found.observations += found._compare(
                "observation", step, int(live["observation_hash"][step]), observation_hash(frame.observation)
            )
            found.rewards += found._compare("reward", step, float(live["reward"][step]), frame.reward)
            found.endings += found._compare("end", step, int(live["ended"][step]), frame.ended)
            if on_frame is not None:
                on_frame(emulator, step)
    return found


def rewards(schedule: Schedule, plan: LivePlan) -> NDArray[np.float64]:
    """The rewards of a plan's agent under any Schedule, simulated or recorded, float64, shape (T,)."""
    with make(plan.game) as emulator:
        player = agent_of(plan, emulator.actions, emulator.noop)
        chunk = plan.scenario.program().chunk
        played = frames(
            schedule, emulator, plan.scenario.seed, lambda step, sight: sight.of(player, schedule, step, chunk)
        )
        return np.array([frame.reward for frame in played])


def recorded(schedule: Schedule) -> dict[str, NDArray[Any]]:
    """The live columns, or InvalidValue."""
    if schedule.live is None or "live" not in schedule.header:
        raise InvalidValue("this Schedule was simulated, not recorded; give a file of rtsim play --record")
    return schedule.live


def plan_of(schedule: Schedule) -> LivePlan:
    """The plan a recorded run followed."""
    recorded(schedule)
    return LivePlan.from_json(schedule.header["live"]["plan"])
