"""The mailbox of the environment: what becomes of a released action, for clocks that run in Python."""

from __future__ import annotations

from collections import deque

from rtsim.scenario import Mailbox

#: Row of its inference, position in its chunk, time of release in ns.
Action = tuple[int, int, int]
NOTHING: Action = (-1, -1, -1)


class Inbox:
    """One slot that the latest release wins, or a queue; counts what is lost since it was last read.

    Parameters
    ----------
    mailbox : Mailbox
    chunk : int, >= 1
        Actions per inference.

    >>> inbox = Inbox(Mailbox(), 1)
    >>> inbox.deposit(0, 0, observation=3, now=50)
    >>> inbox.deposit(1, 0, observation=4, now=60)
    >>> inbox.take(), inbox.counts()
    ((1, 0, 60), (2, 1, 0))
    """

    def __init__(self, mailbox: Mailbox, chunk: int) -> None:
        self._capacity = mailbox.capacity if mailbox.kind == "fifo" else 0
        self._chunk = chunk
        self._waiting: deque[Action] = deque()
        self._newest_chunk = -1  # observation of the newest chunk that has been released
        self._released = self._overwritten = self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def waiting(self) -> tuple[Action, ...]:
        """What lies in it, the next one first."""
        return tuple(self._waiting)

    def drop(self) -> None:
        """A rule throws an inference's actions away."""
        self._released += self._chunk
        self._dropped += self._chunk

    def deposit(self, row: int, position: int, observation: int, now: int) -> None:
        """An action is released at ``now`` ns.

        Parameters
        ----------
        row : int
            Names its inference.
        position : int
            In its chunk.
        observation : int
            Step of the observation it was computed from.
        """
        self._released += 1
        if self._chunk > 1:
            if position and observation < self._newest_chunk and not self._capacity:
                self._overwritten += 1  # what is left of a chunk when a newer one has come
                return
            self._newest_chunk = max(self._newest_chunk, observation)
        if not self._capacity:
            self._overwritten += len(self._waiting)
            self._waiting.clear()
        elif len(self._waiting) == self._capacity:
            self._dropped += 1
            return
        self._waiting.append((row, position, now))

    def take(self) -> Action:
        """What the step that reads now gets: (row, position, time of release), or -1s: the default policy acts."""
        return self._waiting.popleft() if self._waiting else NOTHING

    def counts(self) -> tuple[int, int, int]:
        """(released, overwritten, dropped) since the last call."""
        found = self._released, self._overwritten, self._dropped
        self._released = self._overwritten = self._dropped = 0
        return found
