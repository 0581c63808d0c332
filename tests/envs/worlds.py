"""Environments and a naive twin for the tests of ScheduledEnv."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium

from rtsim.scenario import Scenario
from tests.oracle import Oracle


class Count(gymnasium.Env):
    """Step i of an episode is worth i; episodes end after ``length`` steps (0: never). Keeps what it was given."""

    metadata = {"render_modes": [], "render_fps": 1}  # noqa: RUF012 - as Gymnasium has it
    observation_space = gymnasium.spaces.Discrete(10**9)
    action_space = gymnasium.spaces.Discrete(10**9)

    def __init__(self, length: int = 0) -> None:
        self.length = length
        self.given: list[list[int]] = []  # by episode
        self.total = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict]:
        super().reset(seed=seed)
        self.given.append([])
        self.over = False
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict]:
        assert not self.over
        reward = float(len(self.given[-1]))
        self.given[-1].append(int(action))
        self.total += reward
        self.over = len(self.given[-1]) == self.length
        return len(self.given[-1]), reward, self.over, False, {}


class Chance(Count):
    """Random transitions, whole rewards of either sign, episodes that end or are cut at random."""

    def __init__(self, rarity: int) -> None:
        super().__init__()
        self.rarity = rarity

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict]:
        super().reset(seed=seed)
        self.state = int(self.np_random.integers(1000))
        return self.state, {"begin": self.state}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict]:
        super().step(action)
        self.state = (self.state * 7 + int(action) * 13 + int(self.np_random.integers(5))) % 1000
        reward = float(self.state % 11 - 3)
        self.total += reward - (len(self.given[-1]) - 1)
        luck = int(self.np_random.integers(self.rarity))
        self.over = luck < 2
        return self.state, reward, luck == 0, luck == 1, {"state": self.state}


@dataclass
class Transition:
    """What one decision should get."""

    observation: int
    reward: float
    terminated: bool
    truncated: bool
    elapsed: int
    rewards: dict[int, float]
    delays: dict[int, int]


def choice(decision: int, observation: int, chunk: int) -> list[int]:
    """A policy: every decision has actions of its own, never 0."""
    return [1 + (observation * 3 + decision * 5 + position) % 97 for position in range(chunk)]


def twin(scenario: Scenario, make: Callable[[], gymnasium.Env]) -> list[Transition]:
    """Transitions of the decisions 0, 1, ... by hindsight.

    The oracle tells the whole run's timing first; the world is stepped by its rows and everything written down; then
    the rewards between any two observations are added up.
    """
    timing = Oracle(scenario)
    timing.run()
    seen_at = [inference.observation for inference in timing.inferences]
    number = {(i.worker, i.count): k for k, i in enumerate(timing.inferences)}
    chunk = scenario.program().chunk

    env = make()
    state, _ = env.reset(seed=scenario.seed)
    seen, begin, by, rewards, ended, last = [state], [0], [], [], [], {}
    for step, row in enumerate(timing.rows):
        k = number.get((row["worker"], row["inference"]), -1)
        if k >= 0 and begin[seen_at[k]] != begin[step]:
            k = -1
        action = choice(k, seen[seen_at[k]], chunk)[row["chunk_index"]] if k >= 0 else 0
        state, reward, terminated, truncated, _ = env.step(action)
        by.append(k)
        rewards.append(reward)
        ended.append((terminated, truncated))
        if terminated or truncated:
            last[begin[step]] = (step, state)
            state, _ = env.reset()
        begin.append(step + 1 if terminated or truncated else begin[step])
        seen.append(state)

    def between(k: int) -> Transition:
        here, there = seen_at[k], seen_at[k + 1]
        stays = begin[here] == begin[there]
        end = there if stays else last[begin[here]][0] + 1
        first = k == 0 or begin[seen_at[k - 1]] != begin[here]
        steps = range(begin[here] if first else here, end)
        owners = {by[i] for i in steps}
        return Transition(
            seen[there] if stays else last[begin[here]][1],
            sum(rewards[i] for i in steps),
            *((False, False) if stays else ended[end - 1]),
            end - here,
            {k: sum(rewards[i] for i in steps if by[i] == k) for k in owners},
            {by[i]: i - seen_at[by[i]] for i in range(here, end) if by[i] >= 0},
        )

    return [between(k) for k in range(len(seen_at) - 1)]
