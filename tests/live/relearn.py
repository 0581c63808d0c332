"""Everything that a live training computed, computed again, one after the other, from nothing but its record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from rtsim.envs import make
from rtsim.learning import Learner, Recent, Transitions, merged
from rtsim.live.gradients import draw_number, learner_of
from rtsim.live.network import SHAPE
from rtsim.live.virtual import plan_of
from rtsim.schedule import Schedule


class Relearnt(NamedTuple):
    """The learner after the last update, and how many of the executed actions were chosen again as they were."""

    learner: Learner
    actions: int
    same: int


def relearn(schedule: Schedule) -> Relearnt:
    """One pass over the steps: the emulator, the transitions, every gradient at its version, every choice."""
    torch.set_num_threads(1)  # as in the processes of the run
    plan, live, steps, updates = plan_of(schedule), schedule.live, schedule.steps, schedule.updates
    assert plan.learning is not None
    assert live is not None
    settings, scenario = plan.learning.learner, plan.scenario
    emulator = make(plan.game)
    learner = learner_of(plan, emulator.actions)
    replay = learner.memory = Recent(settings.capacity, SHAPE, np.uint8)
    made, stored, seen = Transitions(replay), [], [emulator.reset(scenario.seed)]
    for step in range(len(schedule)):
        stored.append((replay.count, replay.appended))
        if steps["worker"][step] >= 0 and not live["stale"][step]:
            made.acts(seen[steps["observation"][step]], int(live["action"][step]))
        following, reward, terminated, truncated, _ = emulator.step(int(live["action"][step]))
        made.stepped(reward, terminated, truncated, following)
        seen.append(emulator.reset() if terminated or truncated else following)
    emulator.close()
    count, appended = replay.count, replay.appended

    versions, indices = [learner.parameters], dict.fromkeys(range(scenario.learner_count), 0)
    for row in range(len(updates["version"])):
        parameters = versions[updates["read_version"][row]]
        together = scenario.learner.merged
        gradients = []
        for k in range(scenario.learner_count) if together else [int(updates["learner"][row])]:
            replay.count, replay.appended = stored[updates["data_step"][row]]
            learner.samples = draw_number(indices[k], k, scenario.learner_count)
            indices[k] += 1
            gradients.append(learner.gradient(parameters, learner.sample(replay.appended)))
        for gradient in [merged(gradients)] if together else gradients:
            assert gradient.loss == updates["loss"][row]
            learner.apply(gradient)
        assert learner.version == updates["version"][row]
        versions.append(learner.parameters)
    replay.count, replay.appended = count, appended

    acted = np.flatnonzero(schedule.acted & (live["stale"] == 0)).tolist()
    same = 0
    for step in acted:
        worker, inference = int(steps["worker"][step]), int(steps["inference"][step])
        decision = draw_number(inference, worker, scenario.workers)
        parameters = versions[steps["version"][step]]
        chosen = learner.act(seen[steps["observation"][step]], parameters, decision)
        same += chosen == live["action"][step]
    return Relearnt(learner, len(acted), same)
