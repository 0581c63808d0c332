"""From the rows that workers post to the action that a step reads."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from rtsim.clocks.inbox import Inbox
from rtsim.live.memory import Memory
from rtsim.scenario import Mailbox
from rtsim.schedulers import DROP


class Posted(NamedTuple):
    """An inference whose actions may still be used."""

    worker: int
    inference: int
    observation: int
    actions: tuple[int, ...]


class Taken(NamedTuple):
    """What a step reads: an inference's action, or -1s and None for the default policy."""

    worker: int
    inference: int
    observation: int
    position: int  # in its chunk
    release: int
    action: int | None


NOTHING = Taken(-1, -1, -1, -1, -1, None)


class Intake:
    """Takes posted rows out of the workers' rings, holds them until they are due, and runs the mailbox.

    Parameters
    ----------
    memory : Memory
    mailbox : Mailbox
    chunk : int
        Actions per inference.
    starts : sequence of int
        Start of every step, ns; the last one is never reached.
    """

    def __init__(self, memory: Memory, mailbox: Mailbox, chunk: int, starts: Sequence[int]) -> None:
        self.inbox = Inbox(mailbox, chunk)
        self._memory, self._chunk, self._starts = memory, chunk, starts
        self._tails = memory.collected  # where workers see it, who write over what has been taken only
        # When due (a time of release, or the start of the step it is held for), worker, order, row, position.
        self._held: list[tuple[int, int, int, int, int]] = []
        self._order = 0
        self._rows: dict[int, Posted] = {}
        self._next_row = 0

    def collect(self) -> None:
        """Take in what workers have posted. Under the lock, or what they post meanwhile may be seen in part."""
        memory, ring = self._memory, self._memory.inferences.shape[1]
        for worker in (memory.heads != self._tails).nonzero()[0].tolist():
            for index in range(int(self._tails[worker]), int(memory.heads[worker])):
                place = index % ring
                inference, observation, _, _, release = memory.inferences[worker, place, :5].tolist()
                if release == DROP:
                    self.inbox.drop()
                    continue
                actions = tuple(memory.actions[worker, place].tolist())
                self._rows[self._next_row] = Posted(worker, inference, observation, actions)
                self._hold(release if release >= 0 else self._start_of(-1 - release), worker, self._next_row, 0)
                self._next_row += 1
            self._tails[worker] = memory.heads[worker]

    def take(self, step: int) -> Taken:
        """Release all that is due by the start of ``step``, in order of time and worker, and read the mailbox."""
        held, start = self._held, self._starts[step]
        while held and held[0][0] <= start:
            release, worker, _, row, position = heapq.heappop(held)
            self.inbox.deposit(row, position, self._rows[row].observation, release)
            if position == 0:
                for later in range(1, self._chunk):
                    self._hold(self._start_of(step + later), worker, row, later)
        row, position, release = self.inbox.take()
        if row < 0:
            return NOTHING
        found = self._rows[row]
        return Taken(found.worker, found.inference, found.observation, position, release, found.actions[position])

    def forget(self) -> None:
        """Let go of actions that no step can use any more."""
        needed = {row for *_, row, _ in self._held} | {row for row, _, _ in self.inbox.waiting()}
        self._rows = {row: found for row, found in self._rows.items() if row in needed}

    def _hold(self, time: int, worker: int, row: int, position: int) -> None:
        heapq.heappush(self._held, (time, worker, self._order, row, position))
        self._order += 1

    def _start_of(self, step: int) -> int:
        return self._starts[min(step, len(self._starts) - 1)]
