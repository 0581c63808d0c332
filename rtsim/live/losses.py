"""Processes that are lost, and those that come back: what the others must not wait for. In the supervisor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsim.live import memory as m
from rtsim.live.landings import Landings
from rtsim.live.party import Party


class Losses:
    """Takes workers and learners out of a run, and lets them in again.

    Parameters
    ----------
    party : Party
        The supervisor's own part in the run.
    """

    def __init__(self, party: Party) -> None:
        self.party, self.memory = party, party.memory
        self.landings = Landings(party)
        self._lost_learners = False
        party.origin = int(party.memory.control[m.ORIGIN])

    def lose(self, place: int) -> set[int]:
        """The process at a place is gone, and what it was doing with it; bells to be rung."""
        rows, learners = self._rows(place), self._learners(place)
        self._lost_learners |= bool(learners)
        with self.party.turn():
            for k in learners:
                if self.memory.learners[k, m.STATUS] == m.STARTED:
                    self.memory.computed[k, m.PHASE] = m.COMPUTING
            rows[:, m.STATUS], rows[:, m.BUSY_FROM] = m.DEAD, -1
            return self._go_on_without(learners)

    def unstick(self) -> set[int]:
        """If all learners wait for a landing that nobody will decide, they begin anew; bells to be rung.

        A process that dies in its turn may leave the rule's memory half-written: counted as waiting, and not asked.
        """
        if not self._lost_learners:
            return set()
        with self.party.turn():
            living = np.flatnonzero(self.memory.learners[:, m.STATUS] != m.DEAD).tolist()
            control, phases = self.memory.control, self.memory.computed[living, m.PHASE]
            if not living or (phases != m.READY).any() or control[m.LANDED] < control[m.DECIDED]:
                return set()
            now = self.party.logical_now()
            self.memory.learner_state[:] = 0
            self.memory.computed[:, m.PHASE], self.memory.computed[:, m.VOID] = m.NONE, 0
            dead = np.flatnonzero(self.memory.learners[:, m.STATUS] == m.DEAD).tolist()
            return self._go_on_without(dead) | self.landings.start_again(living, now)

    def let_in(self, place: int) -> set[int]:
        """A process that was started again waits for the next step, like the others; bells to be rung."""
        rows, learners = self._rows(place), self._learners(place)
        with self.party.turn():
            rows[:, m.STEP], rows[:, m.STATUS] = self.memory.control[m.PUBLISHED] + 1, m.WAITING
            rows[:, m.RESTARTS] += 1
            for k in learners:
                if self.memory.computed[k, m.PHASE] == m.READY:
                    self.memory.learners[k, m.STATUS] = m.BUSY  # it is started again when that has landed
            dead = np.flatnonzero(self.memory.learners[:, m.STATUS] == m.DEAD).tolist()
            return self._go_on_without(dead) if learners else set()

    def _go_on_without(self, learners: Sequence[int]) -> set[int]:
        """What waited for these learners lands now, or is left to those who are there. Under the lock."""
        party, bells = self.party, set[int]()
        for k in learners:
            now = party.logical_now()
            found = self.landings.lost(k, now)
            if found and party.plan.learning is None:
                bells |= party.settle(now - 1)
                self.landings.land(k, found, now)
                bells |= self.landings.start_again(found, now)
            elif found:
                self.landings.decide(k, found)
        return bells | {party.bells[host] for host in party.host_of_learner.values() if learners}

    def _rows(self, place: int) -> NDArray[np.int64]:
        """Rows of the workers, or learners, of the process at a place."""
        hosts = self.party.plan.hosts
        if place <= len(hosts):
            return self.memory.workers[hosts[place - 1].start : hosts[place - 1].stop]
        learners = self._learners(place)
        return self.memory.learners[learners.start : learners.stop]

    def _learners(self, place: int) -> range:
        first = 1 + len(self.party.plan.hosts)
        return self.party.plan.learner_hosts[place - first] if place >= first else range(0)
