"""Learning processes: updates that start and land when the learner rule says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from rtsim.clocks.draws import DrawnDurations
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.agenda import Agenda
from rtsim.live.landings import Landings
from rtsim.live.party import Party, Start, started


class Updates(Protocol):
    """How a process makes the updates of its learners: see :class:`TimedUpdates`, and :mod:`rtsim.live.gradients`."""

    def one(self, process: Agenda, k: int, start: Start, then: Callable[[int], None]) -> None:
        """One update in the inference process, if the replay warm-up is over; ``then(time)`` afterwards."""
        ...

    def begin(self, process: Agenda, k: int, start: Start, then: Callable[[], None]) -> None:
        """Learner k computes a gradient; ``then()`` when it is there."""
        ...

    def finish(self, process: Agenda, k: int) -> None:
        """Learner k has its gradient: who is to land does so, and goes on."""
        ...

    def look_after(self, process: Agenda) -> None:
        """What is to be done for others, whose process is gone."""
        ...


class TimedUpdates:
    """Nothing is learnt; each update is held back to a duration drawn from the learning time."""

    def __init__(self, party: Party, learners: Iterable[int], draws: DrawnDurations) -> None:
        self.party, self.memory = party, party.memory
        self.landings = Landings(party)
        self.draws = {k: draws.learning(k) for k in learners}

    def one(self, process: Agenda, k: int, start: Start, then: Callable[[int], None]) -> None:
        if start.step < self.party.scenario.learning_starts:
            then(start.time)
            return

        def landed() -> None:
            with self.party.turn():
                now = self.party.logical_now()
                self.land(k, now)
            then(now)

        self.begin(process, k, start, landed)

    def begin(self, process: Agenda, k: int, start: Start, then: Callable[[], None]) -> None:
        self.landings.begin(k, start)
        process.at(start.time + self.draws[k].draw(start.time)[0], then)

    def finish(self, process: Agenda, k: int) -> None:
        party = self.party
        with party.turn():
            now = max(party.logical_now(), int(self.memory.computed[k, m.BEGUN]))
            bells = party.settle(now - 1)  # they start with the parameters as they were
            bells |= self.landings.start_again(self.land(k, now), now)
        process.ring(bells)

    def land(self, k: int, now: int) -> list[int]:
        """Learner k has its gradient at logical ``now``; who landed, in order. Under the lock."""
        found = self.landings.finished(k, now)
        self.landings.land(k, found, now)
        return found

    def look_after(self, process: Agenda) -> None:
        pass


class LearningProcess(Agenda):
    """A process with some of the learners: update after update.

    Parameters
    ----------
    party : Party
    lifeline : Lifeline
    learners : range
    updates : Updates
        How they are made.
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline, learners: range, updates: Updates) -> None:
        super().__init__(party, lifeline, pulse=1 + party.host_of_learner[learners.start])
        self.learners, self.updates = learners, updates

    def take_orders(self) -> None:
        """Starts that were decided elsewhere: by the environment, or by whoever made a learner's update land."""
        self.updates.look_after(self)
        own = self.memory.learners[self.learners.start : self.learners.stop]
        for offset, start in started(own):
            self._begin(self.learners.start + offset, start)

    def _begin(self, k: int, start: Start) -> None:
        self.updates.begin(self, k, start, lambda: self._finish(k))

    def _finish(self, k: int) -> None:
        self.wait_for_updates_taken()
        self.updates.finish(self, k)
