"""Learning processes: updates that start and land when the learner rule says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rtsim.clocks.draws import DrawnDurations
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.agenda import Agenda
from rtsim.live.party import Party, Start, started


class Updates:
    """The updates of some learners, each held back to a duration drawn from the learning time."""

    def __init__(self, party: Party, learners: Iterable[int], draws: DrawnDurations) -> None:
        self.party, self.memory = party, party.memory
        self.draws = {k: draws.learning(k) for k in learners}

    def one(self, process: Agenda, k: int, start: Start, then: Callable[[int], None]) -> None:
        """One update in the inference process, if the replay warm-up is over; ``then(time)`` afterwards."""
        if start.step < self.party.scenario.learning_starts:
            then(start.time)
            return
        self.begin(k, start)
        end = start.time + self.draws[k].draw(start.time)[0]

        def landed() -> None:
            with self.party.turn():
                now = self.party.logical_now()
                self.finish(k, now)
            then(now)

        process.at(end, landed)

    def begin(self, k: int, start: Start) -> None:
        """Learner k reads the parameters; its batch is drawn from the steps that have begun."""
        self.memory.computed[k] = (start.time, -1, start.step, start.version)
        self.memory.learners[k, m.STATUS], self.memory.learners[k, m.BUSY_FROM] = m.BUSY, start.time
        self.memory.learners[k, m.COUNT] += 1

    def finish(self, k: int, now: int) -> list[int]:
        """Learner k has its gradient at logical ``now``; who lands. Under the lock."""
        party, memory = self.party, self.memory
        memory.computed[k, 1] = now
        memory.learners[k, m.BUSY_FROM] = -1
        state = memory.learner_state.tolist()
        landing = [0] * len(memory.computed)
        count = party.learner.on_learned(k, party.learner_params, state, landing)
        memory.learner_state[:] = state
        found = landing[:count]
        rows = [(j, *memory.computed[j].tolist()) for j in found]
        if count and party.learner.merged:
            _, start, _, data_step, read_version = min(rows, key=lambda row: row[1:])
            self._record(k, start, now, now, data_step, read_version, count * party.scenario.batch)
        elif count:
            for j, start, end, data_step, read_version in rows:
                self._record(j, start, end, now, data_step, read_version, party.scenario.batch)
        return found

    def _record(self, k: int, start: int, end: int, land: int, data_step: int, read_version: int, batch: int) -> None:
        control = self.memory.control
        control[m.VERSION] += 1
        index = int(control[m.UPDATES])
        self.memory.updates[index % m.UPDATE_RING] = (
            *(k, start, end, land, data_step, read_version, int(control[m.VERSION]), batch),
        )
        control[m.UPDATES] = index + 1


class LearningProcess(Agenda):
    """A process with some of the learners: update after update, each held back to its drawn duration."""

    def __init__(self, party: Party, lifeline: wall.Lifeline, learners: range) -> None:
        super().__init__(party, lifeline, pulse=1 + party.host_of_learner[learners.start])
        self.learners = learners
        self.updates = Updates(party, learners, DrawnDurations(party.scenario))

    def take_orders(self) -> None:
        """Starts that were decided elsewhere: by the environment, or by whoever made a learner's update land."""
        own = self.memory.learners[self.learners.start : self.learners.stop]
        for offset, start in started(own):
            self._begin(self.learners.start + offset, start)

    def _begin(self, k: int, start: Start) -> None:
        self.updates.begin(k, start)
        self.at(start.time + self.updates.draws[k].draw(start.time)[0], lambda: self._finish(k))

    def _finish(self, k: int) -> None:
        party, control, room = self.party, self.memory.control, m.UPDATE_RING - len(self.memory.learners)
        self.wait_for(lambda: control[m.UPDATES] - control[m.UPDATES_TAKEN] < room)
        with party.turn():
            now = max(party.logical_now(), int(self.memory.computed[k, 0]))
            bells = party.settle(now - 1)  # they start with the parameters as they were
            # Those whose updates land may go on at this very time, and are asked in order of index.
            again = [party.start_learner(j, now) for j in sorted(self.updates.finish(k, now))]
        self.ring(bells | {bell for bell in again if bell is not None})
