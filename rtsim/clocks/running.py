"""The reference clock, told event by event and without an end: for worlds whose steps are not counted beforehand.

An agent that learns does not know how many steps there will be, and must be asked for an action when an inference
starts, long before a Schedule's row would say what became of it. So :func:`events` runs the clock of
:mod:`rtsim.clocks.simpy_clock` as far as it is listened to. What it tells of the first T steps is the
Schedule of ``simulate`` with T steps, whatever T: a shorter run is a prefix of a longer one. It keeps only what
is still under way, so it can run for ever.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rtsim.clocks.simpy_clock import SimpyClock
from rtsim.scenario import Scenario


class Published(NamedTuple):
    """Environment step ``step`` begins at ``time_ns``: its observation is there, and the step before is over."""

    time_ns: int
    step: int


class Started(NamedTuple):
    """Decision number ``decision``, counted from 0 in this order: an inference reads observation ``observation``.

    ``inference`` counts those of its worker, ``version`` the updates landed when it starts, ``component`` is the drawn
    one of a mixture law. It starts at once, but under ``sequential(order=learn_act)`` after learning: there ``version``
    counts the update that is told next, too.
    """

    time_ns: int
    decision: int
    worker: int
    inference: int
    observation: int
    version: int
    component: int


class Read(NamedTuple):
    """Step ``step`` takes action ``position`` (0 but for chunks) of a decision; -1: the default policy acts."""

    time_ns: int
    step: int
    decision: int
    position: int


class Lost(NamedTuple):
    """So many actions of a decision will never be used: dropped, or replaced before any step read them."""

    time_ns: int
    decision: int
    actions: int


class Learning(NamedTuple):
    """Learner ``learner`` begins an update: of version ``version``, on what came to pass before step ``step``."""

    time_ns: int
    learner: int
    step: int
    version: int


class Landed(NamedTuple):
    """The gradients of these learners are applied, in this order; ``merged``: as one update of all their batches."""

    time_ns: int
    learners: tuple[int, ...]
    merged: bool


Event = Published | Started | Read | Lost | Learning | Landed


def events(scenario: Scenario) -> Iterator[Event]:
    """What happens under a scenario, in order, for ever; ``scenario.steps`` is not looked at.

    Parameters
    ----------
    scenario : Scenario

    Yields
    ------
    Event
        At one instant: the publication; updates land; what is lost; starts, by worker; updates begin (one that takes
        no time lands at once); the read. A ``Started.version`` counts the updates that have been told to land.

    Raises
    ------
    RuleFault

    Examples
    --------
    >>> happened = events(Scenario("one_step_lag", 1.0, step_time=1.0))
    >>> for event in itertools.islice(happened, 6):
    ...     print(event)
    Published(time_ns=0, step=0)
    Started(time_ns=0, decision=0, worker=0, inference=0, observation=0, version=0, component=0)
    Read(time_ns=0, step=0, decision=-1, position=-1)
    Published(time_ns=1000000000, step=1)
    Started(time_ns=1000000000, decision=1, worker=0, inference=1, observation=1, version=0, component=0)
    Read(time_ns=1000000000, step=1, decision=0, position=0)
    """
    clock = _RunningClock(scenario)
    clock.prepare()
    while True:
        with clock.rule_faults():
            while not (clock.happened and clock.happened[0]):
                clock.env.step()
        yield clock.happened.popleft()[0]


class _RunningClock(SimpyClock):
    """Rows of inferences are numbers of decisions, and are let go of when their last action is used or lost."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        #: Each a list of one event, or empty: what starts there is not known yet.
        self.happened: deque[list[Event]] = deque()
        self._looked: dict[int, tuple[int, list[Event]]] = {}  # by worker: when, and its place
        self._decisions = 0
        self._under_way: dict[tuple[int, int], int] = {}  # (worker, inference) -> decision
        self._observations: dict[int, int] = {}
        self._left: dict[int, int] = {}  # actions of a decision that are neither used nor lost

    def numbers(self) -> Iterable[int]:
        return itertools.count()

    def publish(self, step: int, start: int) -> None:
        super().publish(step, start)
        self.happened.append([Published(start, step)])

    def look(self, w: int) -> None:
        place: list[Event] = []
        self.happened.append(place)
        self._looked[w] = self.env.now, place

    def begin(self, inference: tuple[int, ...]) -> None:
        worker, count, observation, started, _, _, version, component, _ = inference
        decision = self._decisions
        self._decisions += 1
        self._under_way[worker, count] = decision
        self._left[decision] = self.program.chunk
        if worker in self._looked:
            time, place = self._looked.pop(worker)
        else:
            time, place = started, []
            self.happened.append(place)
        place.append(Started(time, decision, worker, count, observation, version, component))

    def record(self, inference: tuple[int, ...]) -> int:
        worker, count, observation = inference[:3]
        decision = self._under_way.pop((worker, count))
        self._observations[decision] = observation
        return decision

    def drop(self, row: int) -> None:
        super().drop(row)
        self._lose(row, self.program.chunk)

    def deposit(self, w: int, row: int, position: int) -> None:
        now = self.env.now
        if position == 0:
            self.hold_rest(w, row)
        before = [*self.inbox.waiting(), (row, position, now)]
        self.inbox.deposit(row, position, self._observations[row], now)
        after = self.inbox.waiting()
        for action in before:
            if action not in after:
                self._lose(action[0], 1)

    def read(self) -> None:
        row, position, _ = self.inbox.take()
        self.happened.append([Read(self.step_start, self.step, row, position)])
        if row >= 0:
            self._settle(row, 1)

    def begin_update(self, k: int) -> None:
        super().begin_update(k)
        self.happened.append([Learning(self.env.now, k, self.step, self.version)])

    def record_update(self, k: int, start: int, end: int, data_step: int, read_version: int, batch: int) -> None:
        self.version += 1

    def landed(self, learners: list[int]) -> None:
        self.happened.append([Landed(self.env.now, tuple(learners), self.learner.merged)])

    def _lose(self, decision: int, actions: int) -> None:
        self.happened.append([Lost(self.env.now, decision, actions)])
        self._settle(decision, actions)

    def _settle(self, decision: int, actions: int) -> None:
        self._left[decision] -= actions
        if not self._left[decision]:
            del self._left[decision], self._observations[decision]
