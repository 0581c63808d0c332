"""A Schedule on an emulator whose episodes end: what the step sees, and whose action it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtsim.clocks import simulate
from rtsim.live.virtual import frames
from rtsim.scenario import Scenario

NOOP = 6


class Game:
    """Ends its episodes at given steps, and shows how many pictures there were before."""

    noop = NOOP

    def __init__(self, terminated: int, truncated: int) -> None:
        self.ends = {terminated: (True, False), truncated: (False, True)}
        self.actions: list[int] = []
        self.pictures = 0

    def reset(self, seed=None):
        return self.picture()

    def step(self, action):
        self.actions.append(action)
        return self.picture(), 1.0, *self.ends.get(len(self.actions) - 1, (False, False)), {}

    def memory(self):
        return b""

    def picture(self):
        self.pictures += 1
        return np.full((84, 84, 1), self.pictures - 1, np.uint8)


@pytest.fixture
def schedule():
    """Nine steps; the agent acts from step 1 on, from these observations."""
    found = simulate(Scenario("max_time", "84ms", steps=9))
    observation = np.array([-1, 0, 1, 2, 2, 4, 5, 5, 7])
    worker = np.array([-1, 0, 0, 0, 0, 0, 0, 0, 0])
    return replace(found, steps={**found.steps, "observation": observation, "worker": worker})


def test_an_action_of_a_former_episode_gives_way_to_the_default_policy(schedule):
    game, seen = Game(terminated=3, truncated=6), {}

    def choose(step, sight):
        seen[step] = int(sight.observation[0, 0, 0])
        return 100 + step

    found = list(frames(schedule, game, 0, choose))
    # The second episode begins with step 4 and the third with step 7: by then 2 and 5 are observations of former ones.
    assert [frame.step for frame in found if frame.stale] == [4, 7]
    assert game.actions == [NOOP, 101, 102, 103, NOOP, 105, 106, NOOP, 108]
    assert [frame.action for frame in found] == game.actions
    assert [frame.ended for frame in found] == [0, 0, 0, 1, 0, 0, 2, 0, 0]
    # Every end shows one picture that no step sees: the last one of its episode.
    assert [int(frame.observation[0, 0, 0]) for frame in found] == [0, 1, 2, 3, 5, 6, 7, 9, 10]
    assert seen == {1: 0, 2: 1, 3: 2, 5: 5, 6: 6, 8: 9}
