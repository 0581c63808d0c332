"""Asking a rule at logical times, without processes: one party alone in its memory."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator

import numpy as np
import pytest

from rtsim.errors import FileProblem, InvalidValue, Reservation, RuleFault
from rtsim.live import LivePlan, wall
from rtsim.live import memory as m
from rtsim.live.lock import ProcessLock
from rtsim.live.memory import Memory
from rtsim.live.party import Files, Party
from rtsim.scenario import Scenario
from rtsim.schedulers import Program, Rule, at_step, register

STEP = 10_000_000  # 100 steps per second


def party_of(scenario: Scenario) -> Party:
    return party_in(LivePlan(scenario, "blocks"))


def party_in(plan: LivePlan) -> Party:
    memory = Memory(plan)
    lock = tempfile.TemporaryFile()  # noqa: SIM115 - goes with the party
    reading, _ = os.pipe()
    bells = [os.pipe()[1] for _ in (*plan.hosts, *plan.learner_hosts)]
    found = Party(plan, Files(memory.fd, reading, lock.fileno(), bells))
    found.kept = lock  # type: ignore[attr-defined]
    found.origin = wall.now_ns()
    return found


@pytest.fixture
def party() -> Iterator[Party]:
    """Of time_triggered with two workers at 100 steps per second; observation 3 is the newest."""
    found = party_of(Scenario("time_triggered(deadline=2steps)", "15ms", workers=2, step_time="100fps", steps=50))
    found.memory.control[m.PUBLISHED] = 3
    found.memory.rule_state[:] = array("q", found.program.state)
    yield found
    found.kept.close()  # type: ignore[attr-defined]


def test_logical_time_stands_still_before_a_step_that_is_due_but_not_begun(party):
    party.origin = wall.now_ns() - 100 * STEP  # step 100 would be due; 3 is the newest
    assert party.logical_now() == 4 * STEP - 1
    assert party.step_at(party.logical_now()) == 3


def test_logical_time_is_the_wall_clock_otherwise(party):
    party.origin = wall.now_ns() - 3 * STEP - STEP // 10
    before = party.now()
    assert before <= party.logical_now() <= party.now()


def test_who_asks_late_is_asked_at_the_time_it_should_have_woken(party):
    assert party.step_at(2 * STEP + 5) == 2  # though 3 has been published


def test_a_worker_that_must_wait_is_noted_down(party):
    with party.turn():
        party.ask(1, 3 * STEP + 7)
    assert party.memory.workers[1, m.STATUS] == m.WAITING
    assert party.memory.workers[1, m.STEP] == 4


def test_a_step_that_was_published_meanwhile_is_asked_for_at_its_own_time(party):
    # At logical time 2.5 the rule says at_step(3), which has begun by now: asked again at its start, it says go.
    # The rule's memory is shared: the second worker finds step 3 taken.
    rows = party.memory.workers
    rows[:, m.STATUS], rows[:, m.TIME] = m.ASLEEP, [2 * STEP + STEP // 2, 2 * STEP + STEP // 2 + 1]
    with party.turn():
        bells = party.settle(3 * STEP)
    assert rows[0, [m.STATUS, m.STEP, m.TIME]].tolist() == [m.STARTED, 3, 3 * STEP]
    assert rows[1, [m.STATUS, m.STEP]].tolist() == [m.WAITING, 4]
    assert bells == {party.bells[0]}  # the second is woken with its step, by whoever publishes that


def test_who_is_due_is_asked_in_order_of_time_then_index_and_others_are_left_alone(party, monkeypatch):
    asked = []
    monkeypatch.setattr(party.program, "next_start", lambda now, w, *_: asked.append((now, w)) or now)
    rows = party.memory.workers
    for times, expected in (([7, 5], [(5, 1), (7, 0)]), ([6, 6], [(6, 0), (6, 1)]), ([9, 5], [(5, 1)])):
        asked.clear()
        rows[:, m.STATUS], rows[:, m.TIME] = m.ASLEEP, times
        with party.turn():
            party.settle(8)
        assert asked == expected
    assert rows[0, m.STATUS] == m.ASLEEP
    rows[0, m.STATUS] = m.BUSY  # and so are those that are not asleep
    with party.turn():
        assert party.settle(100) == set()


def test_a_step_wakes_those_that_wait_for_it(party):
    rows = party.memory.workers
    rows[:, m.STATUS], rows[:, m.STEP] = m.WAITING, [4, 5]
    party.wake_waiting(4)
    assert rows[0, [m.STATUS, m.TIME]].tolist() == [m.ASLEEP, 4 * STEP]
    assert rows[1, m.STATUS] == m.WAITING


def test_a_rule_that_fails_leaves_its_memory_as_it_was_and_the_lock_open(party):
    before = party.memory.rule_state.tolist()

    def fail() -> None:
        with party.turn():
            party.program.state[0] = 99
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert party.memory.rule_state.tolist() == before
    with party.turn():
        pass


def test_a_rule_that_answers_the_past_is_told():
    rule = Rule(
        "backwards",
        "answers the past",
        "a test",
        prepare=lambda options, setting: Program(
            lambda now, *_: now - 1 if now > 5 else at_step(0), lambda now, *_: (now, now)
        ),
    )
    register(rule, replace=True)
    found = party_of(Scenario("backwards", "5ms", step_time="100fps", steps=10))
    found.memory.control[m.PUBLISHED] = 0
    with pytest.raises(RuleFault, match="not in the past"):
        found.ask(0, 10)
    with pytest.raises(RuleFault, match="must be later"):
        found.ask(0, 1)
    found.kept.close()  # type: ignore[attr-defined]


def test_the_lock_opens_when_its_holder_dies():
    with tempfile.TemporaryFile() as file:
        lock = ProcessLock(file.fileno())
        child = os.fork()
        if child == 0:
            lock.attempt()
            os._exit(0)  # without releasing it
        os.waitpid(child, 0)
        assert lock.attempt()
        lock.release()


def test_the_lock_keeps_others_out():
    with tempfile.TemporaryFile() as file:
        lock = ProcessLock(file.fileno())
        with lock:
            child = os.fork()
            if child == 0:
                os._exit(int(lock.attempt()))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0  # it did not get it


def test_memory_is_one_anonymous_file():
    plan = LivePlan(Scenario("max_time", "15ms", workers=3, steps=10), "blocks")
    first = Memory(plan)
    second = Memory(plan, first.fd)
    first.workers[2, m.STEP] = 41
    first.frames[255, -1] = 7
    assert second.workers[2, m.STEP] == 41
    assert second.frames[255, -1] == 7
    arrays = [np.asarray(array) for name, array in vars(first).items() if not name.startswith("_") and name != "fd"]
    spans = sorted((a.__array_interface__["data"][0], a.nbytes) for a in arrays)
    assert all(start + size <= following for (start, size), (following, _) in zip(spans, spans[1:]))  # noqa: B905


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"inference": "guessed"}, "must be timed or real"),
        ({"inference": "real"}, "needs a network"),
        ({"scenario": Scenario("max_time", "15ms", step_time="uniform(10ms, 20ms)", steps=10)}, "fixed rate"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(changes, expected):
    plan = {"scenario": Scenario("max_time", "15ms", steps=10), "game": "blocks", **changes}
    with pytest.raises(InvalidValue, match=expected):
        LivePlan(**plan)


def test_a_plan_comes_back_from_its_json():
    plan = LivePlan(Scenario("max_time(initial_max=p99)", "15ms", workers=9, steps=10), "blocks", "noop", processes=4)
    again = LivePlan.from_json(plan.to_json())
    assert again == plan
    assert [len(own) for own in again.hosts] == [2, 2, 2, 3]
    assert sorted(w for own in again.hosts for w in own) == list(range(9))


def test_a_reservation_holds_its_room_and_is_filled_whole(tmp_path):
    room = Reservation(tmp_path / "file", 100_000)
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) == 100_000
    room.fill(b"abc")
    assert (tmp_path / "file").read_bytes() == b"abc"
    assert len(list(tmp_path.iterdir())) == 1
    unused = Reservation(tmp_path / "other", 1000)
    unused.close()
    unused.close()
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(FileProblem, match="No such file"):
        Reservation(tmp_path / "no" / "file", 10)


def test_a_reservation_for_a_pipe_writes_into_it_and_leaves_it_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    Reservation(pipe, 100).fill(b"abc")
    assert os.read(reader, 10) == b"abc"
    os.close(reader)
    assert pipe.is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reservation_does_not_take_the_place_of_a_loop_of_links(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(FileProblem, match="symbolic links"):
        Reservation(tmp_path / "a", 100)
    assert (tmp_path / "a").is_symlink()
