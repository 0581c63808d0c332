"""Training in virtual time against real time; run with ``--benchmark-enable`` to measure and to hold it to it."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from rtsim.envs.worlds import environment
from rtsim.learning import PRESETS, ScheduledTraining, prepare
from rtsim.scenario import Scenario

#: Environment steps per round: 3.3 s of the Game Boy.
STEPS = 200
#: Environment time that must pass in a second of one core.
TIMES_REAL = 5.0
SETTINGS = PRESETS["game-boy"].with_(
    network="resnet15-k0.0625", steps_per_update=4, learning_starts=50, capacity=20_000, exploration_steps=1
)


@pytest.mark.benchmark(timer=time.process_time)
def test_virtual_time_passes_five_times_as_fast_as_real_time(benchmark: Any) -> None:
    # The Game Boy game, 55 thousand parameters, every action of the network's but 5 %, an update per four transitions.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    env = environment("blocks")
    try:
        scenario = Scenario("max_time(initial_max=p99.9)", "lognorm(mean=40ms, cv=0.1)", workers=4)
        training = ScheduledTraining(env, prepare(env, SETTINGS), scenario, row_steps=STEPS)
        training.run(STEPS)

        def round_() -> None:
            training.run(training.steps + STEPS)

        benchmark.pedantic(round_, rounds=8)
        assert training.version >= 0.9 * (training.steps - 50) / 4
        # Beside what this rule leaves to the default policy, actions chosen in an episode that has ended act no more.
        row = training.rows[-1]
        assert row.inaction < 0.01 + scenario.workers * row.episodes / STEPS
        if benchmark.stats is not None:
            passed = STEPS * scenario.step_mean
            benchmark.extra_info["times_real"] = passed / benchmark.stats.stats.min
            assert passed / benchmark.stats.stats.min >= TIMES_REAL
    finally:
        env.close()
        torch.set_num_threads(threads)
