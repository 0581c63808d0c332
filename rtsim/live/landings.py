"""Which updates are under way, and whose gradients land when: what the learner rule says. All of it under the lock.

An update *ends* when its gradient is there; if that makes gradients land, its own or others', it ends when those have
been applied, and they have all *landed* then, at one time. So a learning time is that of a gradient and of the
applications it leads to, and the simulator, where gradients land at the very end of an update, makes the same of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rtsim.live import memory as m
from rtsim.live.party import Party, Start


class Landing(NamedTuple):
    """Gradients that land together: the learner whose end decided it (``finisher``), and whose they are, in order."""

    finisher: int
    learners: list[int]
    number: int


class Landings:
    """The updates of all learners.

    Between the rule's decision and the landing itself there is the time of applying the gradients, which nobody
    spends under the lock: a landing is noted down by :meth:`decide`, and whoever has applied the oldest one says so
    by :meth:`land`. Where nothing is really learnt, both happen at once.

    Parameters
    ----------
    party : Party
    """

    def __init__(self, party: Party) -> None:
        self.party, self.memory = party, party.memory

    def begin(self, k: int, start: Start) -> None:
        """Learner k reads the parameters; its batch is drawn from the steps that have begun."""
        self.memory.computed[k] = (start.time, -1, start.step, start.version, m.COMPUTING, 0)
        self.memory.learners[k, m.STATUS], self.memory.learners[k, m.BUSY_FROM] = m.BUSY, start.time
        self.memory.learners[k, m.COUNT] += 1

    def finished(self, k: int, now: int) -> list[int]:
        """Learner k has its gradient at logical ``now``; whose land, in order."""
        memory, party = self.memory, self.party
        state = memory.learner_state.tolist()
        landing = [0] * len(memory.computed)
        count = party.learner.on_learned(k, party.learner_params, state, landing)
        found = landing[:count]
        memory.computed[k, m.ENDED], memory.computed[k, m.PHASE] = now, m.READY
        memory.learner_state[:] = state
        if k not in found:
            memory.learners[k, m.BUSY_FROM] = -1
        return found

    def decide(self, finisher: int, learners: Sequence[int]) -> int:
        """Note down that these gradients are to land; the number of this landing."""
        control, ring = self.memory.control, self.memory.landings
        number = control[m.DECIDED]
        ring[number % len(ring), : 2 + len(learners)] = (finisher, len(learners), *learners)
        control[m.DECIDED] = number + 1
        return number

    @property
    def oldest(self) -> Landing | None:
        """The next one to land; who does not apply gradients may find it landed by now, which its number tells."""
        control, ring = self.memory.control, self.memory.landings
        number = control[m.LANDED]  # read once: others may land it meanwhile
        if number == control[m.DECIDED]:
            return None
        finisher, count, *learners = ring[number % len(ring)].tolist()
        return Landing(finisher, learners[:count], number)

    def with_gradient(self, learners: Sequence[int]) -> list[int]:
        """Those of them that have one: others were lost with their process."""
        return [j for j in learners if not self.memory.computed[j, m.VOID]]

    def land(self, finisher: int, learners: Sequence[int], now: int) -> None:
        """These gradients have been applied, at logical ``now``."""
        computed, scenario = self.memory.computed, self.party.scenario
        rows = {j: computed[j, :4].tolist() for j in self.with_gradient(learners)}
        if rows and self.party.learner.merged:
            start, _, data_step, version = min(rows.values())
            loss = float(self.memory.losses[list(rows)].mean())
            self._record(finisher, (start, now, now), (data_step, version), len(rows) * scenario.batch, loss)
        else:
            for j, (start, end, data_step, version) in rows.items():
                times = start, now if j == finisher else end, now
                self._record(j, times, (data_step, version), scenario.batch, float(self.memory.losses[j]))
        for j in learners:
            computed[j, m.PHASE], computed[j, m.VOID] = m.NONE, 0
            self.memory.learners[j, m.BUSY_FROM] = -1
        dead = self.memory.learners[:, m.STATUS] == m.DEAD
        for j in learners:
            if dead[j] and not dead.all():
                self.lost(j, now)

    def start_again(self, learners: Sequence[int], now: int) -> set[int]:
        """Those whose gradients have landed may go on at this very time, asked in order of index; bells."""
        living = [j for j in sorted(learners) if self.memory.learners[j, m.STATUS] != m.DEAD]
        bells = [self.party.start_learner(j, now) for j in living]
        return {bell for bell in bells if bell is not None}

    def lost(self, k: int, now: int) -> list[int]:
        """The process of learner k is gone, whose status says so; whose gradients land without its own.

        A gradient that it had finished is there and lands in its turn. Where others wait for one that it has not, or
        will not have (parallel learning), the rule is told that it is there, and nothing lands in its place.
        """
        row = self.memory.computed[k]
        if row[m.PHASE] == m.READY or (row[m.PHASE] == m.NONE and not self.party.learner.merged):
            return []
        row[m.VOID] = 1
        return self.finished(k, now)

    def _record(self, k: int, times: tuple[int, int, int], read: tuple[int, int], batch: int, loss: float) -> None:
        """The update of learner k has landed: start, end and landing; newest step and version that it read."""
        control = self.memory.control
        control[m.VERSION] += 1
        index = control[m.UPDATES]
        bits = int(np.float64(loss).view(np.int64))
        self.memory.updates[index % m.UPDATE_RING] = (*(k, *times, *read, control[m.VERSION], batch, bits),)
        control[m.UPDATES] = index + 1
