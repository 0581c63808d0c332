"""What the environment process does for the others at every step, apart from pace and emulator."""

from __future__ import annotations

import os
import tempfile
from array import array

import numpy as np
from numpy.typing import NDArray

from rtsim.live import memory as m
from rtsim.live.intake import Intake, Taken
from rtsim.live.memory import Memory
from rtsim.live.party import Files, Party, waiting


class Desk:
    """Publishes observations, reads the mailbox, starts who waits, keeps the environment's rows.

    Parameters
    ----------
    party : Party
    """

    def __init__(self, party: Party) -> None:
        self.party, self.memory = party, party.memory
        self.intake = Intake(self.memory, party.scenario.mailbox, party.program.chunk, party.starts)

    def publish(self, step: int) -> tuple[Taken, set[int]]:
        """Begin a step: the action it reads, and the bells of the processes that have something to do now.

        Under the lock, in the order of the design: workers whose time came before are asked;
        observation ``step`` is published; what was released until then goes through the
        mailbox; workers that are due now or wait for this step, then learners, are asked in
        order of index.
        """
        party, start = self.party, self.party.starts[step]
        with party.turn():
            bells = party.settle(start - 1)
            self.memory.control[m.PUBLISHED] = step
            self.intake.collect()
            taken = self.intake.take(step)
            party.wake_waiting(step)
            bells |= party.settle(start)
            if party.host_of_learner:
                started = (party.start_learner(k, start) for k in waiting(self.memory.learners, step))
                bells.update(bell for bell in started if bell is not None)
        return taken, bells

    def collect_early(self) -> None:
        """Take in what has been posted, if nobody else is at it."""
        if self.party.lock.attempt():
            self.intake.collect()
            self.party.lock.release()

    def put(self, step: int, observation: NDArray[np.uint8], console: bytes | None) -> None:
        """Lay observation ``step`` ready for its publication."""
        place = step % m.FRAMES
        self.memory.frames[place] = observation.reshape(-1)
        if console is not None:
            self.memory.consoles[place, : len(console)] = np.frombuffer(console, np.uint8)

    def write(self, row: tuple[int, ...]) -> None:
        """Keep the row of a step."""
        index = self.memory.control[m.STEPS]
        self.memory.steps[index % m.STEP_RING] = array("q", row)
        self.memory.control[m.STEPS] = index + 1


class Rehearsal:
    """A desk of its own at which a step is practised, with nobody else in the room.

    After ten milliseconds asleep nothing of what a step needs lies in the processor's caches,
    which makes the first pass through the code several times slower than the second. So the
    first one is made here, before the deadline.
    """

    def __init__(self, party: Party) -> None:
        # Descriptors that nothing is read from or written to; the files go with this process.
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115
        nowhere = os.open(os.devnull, os.O_RDWR)
        memory = Memory(party.plan)
        self._desk = Desk(Party(party.plan, Files(memory.fd, nowhere, self._lock.fileno(), party.bells)))
        self._desk.party.origin = party.origin
        self._first = array("q", party.program.state)
        self._observation = np.zeros(party.plan.frame_bytes, np.uint8)

    def one(self) -> None:
        """A worker posts, a step begins, reads its action and starts the worker again, and is kept."""
        memory, chunk = self._desk.memory, self._desk.party.program.chunk
        memory.rule_state[: len(self._first)] = self._first  # so that every rule lets somebody start
        place = int(memory.heads[0]) % memory.inferences.shape[1]
        memory.inferences[0, place] = 0
        memory.actions[0, place] = range(chunk)
        memory.heads[0] += 1
        memory.workers[:2, m.STATUS], memory.workers[:2, m.STEP] = m.WAITING, 0
        self._desk.publish(0)
        self._desk.intake.inbox.counts()
        self._desk.intake.forget()
        self._desk.put(0, self._observation, None)
        self._desk.write(m.EMPTY_ROW)
