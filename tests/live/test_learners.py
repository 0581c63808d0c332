"""Updates that land together, in the memory of a run without processes."""

from __future__ import annotations

import pytest

from rtsim.clocks.draws import DrawnDurations
from rtsim.live import memory as m
from rtsim.live.learners import TimedUpdates
from rtsim.scenario import Scenario
from tests.live.test_party import party_of


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_merged_update_is_on_the_parameters_of_whoever_began_first(order):
    """Riemer et al. 2025, Sec. 3.1: N batches, one update; it is as old as the oldest of its parts."""
    scenario = Scenario(
        "max_time", "15ms", workers=2, learning_time="30ms", learners=3, learner_rule="parallel", batch=4, steps=50
    )
    party = party_of(scenario)
    updates = TimedUpdates(party, range(3), DrawnDurations(scenario))
    memory = party.memory
    memory.control[m.VERSION] = 5
    began = {0: (200, 3, 4), 1: (100, 2, 3), 2: (300, 4, 5)}  # start, newest step, version read
    for k, (start, step, version) in began.items():
        memory.computed[k] = (start, -1, step, version, m.COMPUTING, 0)
    *first, last = order
    for index, k in enumerate(first):
        assert updates.land(k, 1000 + index) == []
    assert int(memory.control[m.UPDATES]) == 0
    assert sorted(updates.land(last, 2000)) == [0, 1, 2]
    assert int(memory.control[m.UPDATES]) == 1
    row = dict(zip(m.UPDATE, memory.updates[0].tolist(), strict=True))
    assert row == {
        "learner": last,
        "start_ns": 100,
        "end_ns": 2000,
        "land_ns": 2000,
        "data_step": 2,
        "read_version": 3,
        "version": 6,
        "batch": 12,
        "loss_bits": 0,
    }
    party.kept.close()
