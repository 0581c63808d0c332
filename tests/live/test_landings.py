"""Whose gradients land when, without processes: the simulator's rule, and learners whose process is lost."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from rtsim.live import memory as m
from rtsim.live.landings import Landings
from rtsim.live.losses import Losses
from rtsim.live.party import Start
from rtsim.scenario import Scenario
from tests.live.test_party import party_of


@contextmanager
def landings_of(rule: str, learners: int = 3) -> Iterator[Landings]:
    """At step 3 of 100 steps per second, all learners idle."""
    scenario = Scenario(
        "max_time", "15ms", workers=2, step_time="100fps", learning_time="30ms", learners=learners, learner_rule=rule,
        batch=1, steps=50,
    )  # fmt: skip
    party = party_of(scenario)
    party.origin -= 30_000_000
    party.memory.control[m.PUBLISHED] = 3
    party.memory.control[m.ORIGIN] = party.origin
    party.memory.landings = np.zeros((learners, 2 + learners), np.int64)  # only runs that learn have it
    party.memory.rule_state[: len(party.program.state)] = array("q", party.program.state)
    party.memory.workers[:, m.STATUS] = party.memory.learners[:, m.STATUS] = m.WAITING
    party.memory.workers[:, m.STEP] = party.memory.learners[:, m.STEP] = 40
    try:
        yield Landings(party)
    finally:
        party.kept.close()  # type: ignore[attr-defined]


def start(landings: Landings, k: int, time: int = 30_000_000) -> None:
    """As its process does when it was started: by the rule, which may have a queue."""
    found = landings.party.ask_learner(k, time)
    assert found is not None
    landings.begin(k, Start(found.step, time, found.version))


def rows(landings: Landings) -> list[dict[str, int]]:
    count = landings.memory.control[m.UPDATES]
    return [dict(zip(m.UPDATE, landings.memory.updates[k].tolist(), strict=True)) for k in range(count)]


def lose(landings: Landings, k: int) -> None:
    """The supervisor finds the process of a learner gone."""
    place = landings.party.host_of_learner[k] + 1
    Losses(landings.party).lose(place)


def test_a_landing_is_noted_down_and_made_later_at_one_time():
    with landings_of("round_robin") as found:
        for k in (1, 0, 2):
            start(found, k, 30_000_000 + k)
        assert found.finished(2, 40_000_000) == []
        assert found.finished(1, 41_000_000) == [1]
        found.decide(1, [1])
        assert found.finished(0, 42_000_000) == [0, 2]
        found.decide(0, [0, 2])
        assert rows(found) == []  # decided, not landed
        for expected, now in (((1, [1], 0), 45_000_000), ((0, [0, 2], 1), 47_000_000)):
            assert found.oldest == expected
            found.land(*expected[:2], now)
            found.memory.control[m.LANDED] += 1
        assert found.oldest is None
        assert [(row["learner"], row["end_ns"], row["land_ns"], row["version"]) for row in rows(found)] == [
            # Who made it land ends with that; who waited has ended when its gradient was there.
            (1, 45_000_000, 45_000_000, 1),
            (0, 47_000_000, 47_000_000, 2),
            (2, 40_000_000, 47_000_000, 3),
        ]


def test_a_lost_learner_does_not_keep_those_behind_it_in_the_queue_waiting():
    with landings_of("round_robin") as found:
        for k in range(3):
            start(found, k)
        assert found.finished(1, 40_000_000) == []
        lose(found, 0)  # at the head of the queue, its gradient not there
        assert [row["learner"] for row in rows(found)] == [1]
        assert found.memory.learners[1, m.STATUS] == m.STARTED
        assert found.finished(2, 50_000_000) == [2]
        assert found.memory.learner_state[1] == 1  # only learner 1 is in the queue


def test_a_learner_that_comes_back_takes_one_place_in_the_queue():
    with landings_of("round_robin", learners=2) as found:
        start(found, 0)
        start(found, 1)
        lose(found, 1)  # behind learner 0: it keeps its place, without a gradient
        losses = Losses(found.party)
        losses.let_in(found.party.host_of_learner[1] + 1)
        assert found.memory.learners[1, m.STATUS] == m.BUSY  # not before its place has come
        assert found.finished(0, 40_000_000) == [0, 1]
        found.land(0, [0, 1], 40_000_000)
        assert [row["learner"] for row in rows(found)] == [0]
        found.start_again([0, 1], 40_000_000)
        assert found.memory.learners[:, m.STATUS].tolist() == [m.STARTED, m.STARTED]
        assert found.memory.learner_state[:4].tolist()[1:2] == [2]


@pytest.mark.parametrize("when", ["computing", "waiting to start"])
def test_parallel_learners_go_on_without_a_lost_one(when):
    with landings_of("parallel") as found:
        for k in range(3):
            if k != 2 or when == "computing":
                start(found, k)
        assert found.finished(0, 40_000_000) == []
        lose(found, 2)
        assert sorted(found.finished(1, 41_000_000)) == [0, 1, 2]
        found.land(1, [0, 1, 2], 41_000_000)
        (row,) = rows(found)
        assert row["batch"] == 2  # of three
        found.start_again([0, 1, 2], 41_000_000)
        assert found.memory.learners[2, m.STATUS] == m.DEAD
        for k in (0, 1):  # the next round, too
            found.begin(k, Start(4, 41_000_000, 1))
        assert found.finished(0, 50_000_000) == []
        assert sorted(found.finished(1, 51_000_000)) == [0, 1, 2]


def test_when_all_are_lost_nothing_lands():
    with landings_of("parallel", learners=2) as found:
        start(found, 0)
        start(found, 1)
        lose(found, 0)
        lose(found, 1)
        assert rows(found) == []
        # The one that comes back does not wait for the one that does not.
        losses = Losses(found.party)
        losses.let_in(found.party.host_of_learner[1] + 1)
        found.begin(1, Start(4, 45_000_000, 0))
        assert sorted(found.finished(1, 50_000_000)) == [0, 1]


def test_a_gradient_that_was_there_lands_though_its_process_is_gone():
    with landings_of("round_robin", learners=2) as found:
        start(found, 0)
        start(found, 1)
        assert found.finished(1, 40_000_000) == []
        lose(found, 1)
        assert found.finished(0, 41_000_000) == [0, 1]
        found.land(0, [0, 1], 41_000_000)
        assert [row["learner"] for row in rows(found)] == [0, 1]


@pytest.mark.parametrize("rule", ["round_robin", "parallel"])
def test_a_process_that_dies_before_the_rule_was_asked_leaves_nobody_waiting_for_ever(rule):
    with landings_of(rule) as found:
        losses = Losses(found.party)
        for k in range(3):
            start(found, k)
        before = found.memory.learner_state.copy()
        for k in (0, 1):
            assert found.finished(k, 40_000_000) in ([], [0], [1])
        found.memory.learner_state[:] = before  # written back by nobody: who asked died in its turn
        losses.lose(found.party.host_of_learner[2] + 1)
        control = found.memory.control
        landed = control[m.UPDATES]
        losses.unstick()
        # All that live have been started once more, or would be by a landing that is under way.
        statuses = found.memory.learners[:, m.STATUS].tolist()
        assert statuses == [m.STARTED, m.STARTED, m.DEAD], (statuses, landed)
        assert losses.unstick() == set()  # and nothing is undone where somebody computes
        for k in (0, 1):
            found.begin(k, Start(4, 45_000_000, 0))
        landing = [*found.finished(0, 50_000_000), *found.finished(1, 51_000_000)]
        assert sorted(set(landing) & {0, 1}) == [0, 1]
