"""Rows in the workers' rings: none is written over before recorder and environment have taken it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.environment import COLLECT, EnvironmentProcess
from rtsim.live.intake import Intake
from rtsim.live.party import Party
from rtsim.live.recorder import Recorder
from rtsim.live.workers import Inference, InferenceProcess
from rtsim.scenario import Scenario
from tests.live.test_party import party_of

RING = 64


@pytest.fixture
def party(monkeypatch: pytest.MonkeyPatch) -> Iterator[Party]:
    """Of one worker with a small ring; steps last long, and step 0 is the newest."""
    monkeypatch.setattr(m, "inference_ring", lambda workers: RING)
    found = party_of(Scenario("max_time", "0.5ms", workers=1, step_time="1fps", steps=5))
    found.memory.control[m.PUBLISHED] = 0
    yield found
    found.kept.close()  # type: ignore[attr-defined]


def post(party: Party, count: int, asleep: Callable[[], object], after_each: Callable[[], object] = int) -> None:
    """The worker ends inferences; ``asleep`` happens while its process waits."""
    lifeline = SimpleNamespace(wait=lambda timeout_ns: asleep())
    process = InferenceProcess(party, lifeline, range(1), SimpleNamespace(), timed=True)  # type: ignore[arg-type]
    for index in range(count):
        process._finish(Inference(0, index, observation=0, start=0, version=0, component=0, actions=(1,), began=0))
        after_each()


@pytest.mark.parametrize("slow", ["recorder", "environment"])
def test_a_worker_waits_for_the_slower_of_those_who_take_its_rows(party, slow):
    recorder = Recorder(party.plan, party.memory)
    intake = Intake(party.memory, party.scenario.mailbox, party.program.chunk, party.starts)
    takes = {"recorder": recorder.drain, "environment": intake.collect}
    late = takes.pop(slow)
    (prompt,) = takes.values()
    post(party, 5 * RING, asleep=late, after_each=prompt)
    late()
    assert recorder.lost == 0
    assert recorder._all_inferences()["inference"].tolist() == list(range(5 * RING))
    assert [posted.inference for posted in intake._rows.values()] == list(range(5 * RING))


@pytest.mark.parametrize("prompt", ["drained", "collected"])
def test_a_worker_whose_rows_one_of_them_takes_no_more_leaves_with_the_others(party, prompt):
    """The run is over, or the environment lost: the supervisor stops all."""
    setattr(party.memory, prompt, party.memory.heads)  # whatever is posted has been taken there at once

    def stop() -> None:
        party.memory.control[m.STOP] = 1

    post(party, RING - 1, asleep=stop)
    assert not party.stopping
    post(party, 1, asleep=stop)
    assert party.stopping
    assert party.memory.heads[0] == RING  # nothing was written over


@pytest.mark.realtime
def test_in_a_long_step_rows_are_taken_on_the_way(party):
    environment = EnvironmentProcess(party, SimpleNamespace())  # type: ignore[arg-type]
    post(party, RING // 2, asleep=int)
    deadline = wall.now_ns() + 2 * COLLECT
    environment._sleep_until(deadline)
    assert wall.now_ns() >= deadline
    assert party.memory.collected.tolist() == [RING // 2]
    environment.rehearsal._lock.close()
