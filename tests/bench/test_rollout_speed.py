"""Speed of the loops over steps; run with ``--benchmark-enable`` to measure and to hold them to it.

Targets are those of one core of this decade, S = 10 and A = 4: the best of several rounds of 10**6 steps, in
processor time.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from rtsim import agents, mdps
from rtsim.rollout import rollout, undelayed

STEPS = 1_000_000


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(
    ("policy", "most_ns"),
    [
        (agents.Tabular(np.arange(10) % 4), 20.0),
        (agents.Oracle(), 20.0),
        (agents.QUCB(every_step=True), 50.0),
        (agents.UCRL2(every_step=True), 100.0 / 3.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rollout_takes_few_nanoseconds_a_step(benchmark: Any, policy: agents.Policy, most_ns: float) -> None:
    mdp, schedule = mdps.garnet(10, 4), undelayed(STEPS)
    found = benchmark.pedantic(rollout, (mdp, policy, schedule), rounds=10, warmup_rounds=1)
    assert len(found) == STEPS
    if benchmark.stats is not None:
        assert benchmark.stats.stats.min / STEPS * 1e9 <= most_ns
