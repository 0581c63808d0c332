"""Which action a step reads, from rows written by hand; expected values by the design's order of events."""

from __future__ import annotations

from rtsim.live import LivePlan
from rtsim.live.intake import NOTHING, Intake
from rtsim.live.memory import Memory
from rtsim.scenario import Mailbox, Scenario
from rtsim.schedulers import DROP
from rtsim.schedulers.rule import at_step

STARTS = [0, 10, 20, 30, 40, 2**62]


class Workers:
    """Writes rows as workers do."""

    def __init__(self, rule: str = "unstaggered", mailbox: str = "latest") -> None:
        scenario = Scenario(rule, "1ms", workers=3, steps=5)
        self.memory = Memory(LivePlan(scenario, "blocks"))
        self.chunk = scenario.program().chunk
        self.intake = Intake(self.memory, Mailbox.of(mailbox), self.chunk, STARTS)

    def post(self, worker: int, release: int, observation: int = 0, action: int = 0) -> None:
        place = int(self.memory.heads[worker]) % self.memory.inferences.shape[1]
        self.memory.inferences[worker, place] = (place, observation, 0, 1, release, 0, 0, 0, 0)
        self.memory.actions[worker, place] = range(action, action + self.chunk)
        self.memory.heads[worker] += 1

    def at(self, step: int) -> tuple[int, int | None, tuple[int, int, int]]:
        """(worker, action, counts) of a step."""
        self.intake.collect()
        taken = self.intake.take(step)
        return taken.worker, taken.action, self.intake.inbox.counts()


def test_the_default_policy_acts_when_nothing_was_released():
    workers = Workers()
    assert workers.intake.take(0) == NOTHING


def test_the_latest_release_wins_and_the_other_is_overwritten():
    workers = Workers()
    workers.post(2, 12, action=5)
    workers.post(0, 18, action=6)
    workers.post(1, 15, action=7)
    assert workers.at(1) == (-1, None, (0, 0, 0))
    assert workers.at(2) == (0, 6, (3, 2, 0))


def test_at_the_same_time_the_higher_worker_comes_later():
    workers = Workers()
    workers.post(1, 15, action=1)
    workers.post(0, 15, action=0)
    assert workers.at(2) == (1, 1, (2, 1, 0))


def test_an_action_released_at_the_start_of_a_step_is_read_by_it():
    workers = Workers()
    workers.post(0, 20, action=3)
    assert workers.at(1)[:2] == (-1, None)
    assert workers.at(2)[:2] == (0, 3)


def test_an_action_held_for_a_step_is_read_then_and_released_then():
    workers = Workers()
    workers.post(0, at_step(3), action=3)
    assert workers.at(2)[:2] == (-1, None)
    workers.intake.collect()
    assert workers.intake.take(3).release == STARTS[3]


def test_dropped_actions_are_counted():
    workers = Workers()
    workers.post(0, DROP)
    assert workers.at(0) == (-1, None, (1, 0, 1))


def test_a_chunk_gives_one_action_a_step_until_a_newer_one_comes():
    workers = Workers("chunking(size=3)")
    workers.post(0, 5, observation=0, action=10)
    assert workers.at(1) == (0, 10, (1, 0, 0))
    workers.post(1, 15, observation=1, action=20)
    # At step 2 the old chunk's second action (released at 20) comes after the new chunk's first (at 15), but is older.
    assert workers.at(2) == (1, 20, (2, 1, 0))
    assert workers.at(3) == (1, 21, (2, 1, 0))
    assert workers.at(4) == (1, 22, (1, 0, 0))


def test_a_queue_keeps_what_a_slot_would_overwrite_and_drops_what_does_not_fit():
    workers = Workers(mailbox="fifo(2)")
    for worker in range(3):
        workers.post(worker, 5 + worker, action=worker)
    assert workers.at(1) == (0, 0, (3, 0, 1))
    assert workers.at(2) == (1, 1, (0, 0, 0))
    assert workers.at(3) == (-1, None, (0, 0, 0))


def test_what_no_step_can_use_any_more_is_forgotten():
    workers = Workers()
    for index in range(50):
        workers.post(0, index % 10, action=index)
    workers.post(1, 35)
    workers.at(1)
    workers.intake.forget()
    assert len(workers.intake._rows) == 1
    assert workers.at(4)[0] == 1


def test_at_the_same_time_it_is_the_worker_that_counts_not_who_posted_first():
    workers = Workers()
    workers.post(1, 15, action=1)
    workers.intake.collect()
    workers.post(0, 15, action=0)
    assert workers.at(2) == (1, 1, (2, 1, 0))


def test_what_waits_in_a_queue_is_not_forgotten():
    workers = Workers(mailbox="fifo(3)")
    for worker in range(3):
        workers.post(worker, 5 + worker, action=worker)
    assert workers.at(1)[:2] == (0, 0)
    workers.intake.forget()
    assert workers.at(2)[:2] == (1, 1)
    workers.intake.forget()
    assert workers.at(3)[:2] == (2, 2)
