"""What the inference and learning processes have in common: things to do at given times."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.party import Party

#: A process with nothing to do looks this often whether the run is over, ns.
PATIENCE = 200_000_000
#: While the environment is late, and logical time stands still, a process with something due looks this often, ns.
STANDSTILL = 200_000


class Agenda:
    """A process that does things when they are due, and when its bell rings.

    Parameters
    ----------
    party : Party
    lifeline : Lifeline
    pulse : int
        Its place in the shared array of pulses, by which the supervisor sees that it lives.
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline, pulse: int) -> None:
        self.party, self.memory, self.lifeline = party, party.memory, lifeline
        self._pulse, self._own_bell = pulse, party.bells[pulse - 1]
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def run(self) -> None:
        """Until the run is over."""
        while not self.party.stopping:
            self.memory.pulses[self._pulse] = wall.now_ns()
            self.take_orders()
            # By logical time: what is due after a step that has not begun waits for it.
            if self._queue and self._queue[0][0] <= self.party.logical_now():
                heapq.heappop(self._queue)[2]()
                continue
            left = self._queue[0][0] - self.party.now() if self._queue else PATIENCE
            if not self.lifeline.wait(min(left if left > 0 else STANDSTILL, PATIENCE)):
                return

    def at(self, time: int, what: Callable[[], None]) -> None:
        """Do something at ``time``, ns since step 0."""
        heapq.heappush(self._queue, (time, self._order, what))
        self._order += 1

    def ring(self, bells: set[int]) -> None:
        """Wake other processes; this one looks at once."""
        for bell in bells:
            if bell != self._own_bell:
                wall.ring(bell)

    def wait_for(self, room: Callable[[], bool], pause_ns: int = 1_000_000) -> bool:
        """Wait until there is room in a ring, or what else is asked for; False if the run was over before."""
        while not room():
            if self.party.stopping:
                return False
            self.memory.pulses[self._pulse] = wall.now_ns()
            self.lifeline.wait(pause_ns)
        return True

    def wait_for_updates_taken(self) -> None:
        """Wait until the ring of updates has room for one of each learner."""
        control, room = self.memory.control, m.UPDATE_RING - len(self.memory.learners)
        self.wait_for(lambda: control[m.UPDATES] - control[m.UPDATES_TAKEN] < room)

    def take_orders(self) -> None:
        """Look what others have noted down for this process."""
        raise NotImplementedError
