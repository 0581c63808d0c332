"""What every process of a run does with the rule: ask it under the lock, at logical times.

Logical time is the wall clock since step 0, except that it stands still just before a step
that the environment has not begun yet though it is due: so who acts in that moment acts
before the step, in every record. A worker that wakes late from a wait that the rule asked for
is treated as if it had woken in time, as the rule's contract has it: others ask for it in its
turn; what it was late counts in the duration of its inference.
"""

from __future__ import annotations

import heapq
import os
from array import array
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.lock import ProcessLock
from rtsim.live.memory import Memory
from rtsim.live.plan import LivePlan
from rtsim.schedulers.contract import check_start
from rtsim.timing import StepClock


class Start(NamedTuple):
    """A worker or learner starts: newest step, logical time, and version of the parameters then."""

    step: int
    time: int
    version: int


class Files(NamedTuple):
    """Descriptors that a process of a run is given: shared memory, life line, lock, and a pipe per process."""

    memory: int
    lifeline: int
    lock: int
    bells: Sequence[int]  # writing ends: one of each host, in order of ``hosts + learner_hosts``


class Party:
    """One process's part in a run.

    Parameters
    ----------
    plan : LivePlan
    files : Files
    """

    def __init__(self, plan: LivePlan, files: Files) -> None:
        self.plan, self.scenario = plan, plan.scenario
        self.memory = Memory(plan, files.memory)
        self._rows = self.memory.workers.data  # single numbers by way of numpy cost several times as much
        self.lock = ProcessLock(files.lock)
        self.bells = files.bells
        for bell in files.bells:
            os.set_blocking(bell, False)
        self.program = plan.scenario.program()
        self.learner = plan.scenario.learner
        self.learner_params = [plan.scenario.learner_count, plan.scenario.learning_starts, plan.scenario.batch]
        self.starts = _starts(plan)
        self.host_of_worker = {w: host for host, workers in enumerate(plan.hosts) for w in workers}
        first = len(plan.hosts)
        self.host_of_learner = {k: first + host for host, own in enumerate(plan.learner_hosts) for k in own}
        self.origin = 0
        self.turn_kind = Turn

    def now(self) -> int:
        """Wall clock since step 0, ns."""
        return wall.now_ns() - self.origin

    def logical_now(self) -> int:
        """Logical time, ns. Outside of the lock it may be later than a step that begins at this very moment."""
        return min(self.now(), self.starts[self.published + 1] - 1)

    @property
    def published(self) -> int:
        """Newest step that has begun; it changes under the lock only."""
        return int(self.memory.control[m.PUBLISHED])

    @property
    def version(self) -> int:
        """Updates landed so far."""
        return int(self.memory.control[m.VERSION])

    @property
    def stopping(self) -> bool:
        """Whether all are to leave."""
        return bool(self.memory.control[m.STOP])

    def step_at(self, time: int) -> int:
        """The newest step that had begun at logical ``time``."""
        step = self.published
        while step > 0 and self.starts[step] > time:
            step -= 1
        return step

    def turn(self) -> Turn:
        """Alone with the rule: its memory is read on entering and written on leaving."""
        return self.turn_kind(self)

    def settle(self, until: int) -> set[int]:
        """Ask the rule for every worker whose time has come by logical ``until``, in order of time and index.

        Whoever has the lock does so for all before it does anything later of its own, so that a
        worker whose process wakes late is asked no later than its turn. Under the lock.

        Returns
        -------
        set of int
            Bells of the processes that have something to look at.
        """
        rows = self.memory.workers
        bells: set[int] = set()
        due = ((rows[:, m.STATUS] == m.ASLEEP) & (rows[:, m.TIME] <= until)).nonzero()[0]
        if not len(due):
            return bells
        # Nobody else's time changes when the rule is asked for one of them, so that one look at the table is enough.
        queue = sorted((self._rows[worker, m.TIME], worker) for worker in due.tolist())
        while queue:
            time, worker = heapq.heappop(queue)
            status, again = self.ask(worker, time)
            if status == m.ASLEEP and again <= until:
                heapq.heappush(queue, (again, worker))
            elif status != m.WAITING:  # who waits for a step is woken with it
                bells.add(self.bells[self.host_of_worker[worker]])
        return bells

    def wake_waiting(self, step: int) -> None:
        """Workers that wait for this step, which begins now, are to be asked at its start."""
        for worker in waiting(self.memory.workers, step):
            self._rows[worker, m.TIME], self._rows[worker, m.STATUS] = self.starts[step], m.ASLEEP

    def ask(self, worker: int, time: int) -> tuple[int, int]:
        """Ask the rule at logical ``time`` when an idle worker may start, and note the answer down in its row.

        Returns
        -------
        (status, when) : (int, int)
            What the worker does now: it has been started, sleeps until a time, or waits for a step.
        """
        program, step = self.program, self.step_at(time)
        answer = program.next_start(time, worker, step, self.starts[step], program.params, program.state)
        if answer == time:
            _start(self._rows, worker, Start(step, time, self.version))
            return m.STARTED, time
        check_start(self.scenario.rule, answer, time, step)
        if answer < 0:
            wanted = -1 - answer
            if wanted > self.published:
                self._rows[worker, m.STEP], self._rows[worker, m.STATUS] = wanted, m.WAITING
                return m.WAITING, wanted
            answer = self.starts[wanted]  # it has begun by now, and the worker is asked at its start
        self._rows[worker, m.TIME], self._rows[worker, m.STATUS] = answer, m.ASLEEP
        return m.ASLEEP, answer

    def start_learner(self, k: int, time: int) -> int | None:
        """Ask the learner rule, and note down a start for learner k's process; returns its bell, or None: it waits."""
        answer = self.ask_learner(k, time)
        if answer is None:
            return None
        _start(self.memory.learners.data, k, answer)
        return self.bells[self.host_of_learner[k]]

    def ask_learner(self, k: int, time: int) -> Start | None:
        """Ask the learner rule at logical ``time``; None: the learner waits, as noted down."""
        row = self.memory.learners[k]
        state = self.memory.learner_state.tolist()
        while True:
            step = self.step_at(time)
            answer = self.learner.may_start(time, k, step, self.learner_params, state)
            if answer == time:
                self.memory.learner_state[:] = state
                return Start(step, time, self.version)
            wanted = -1 - answer
            if wanted > self.published:
                row[m.STEP], row[m.STATUS] = wanted, m.WAITING
                return None
            time = self.starts[wanted]


def _start(rows: memoryview[int], actor: int, start: Start) -> None:
    rows[actor, m.STEP], rows[actor, m.TIME], rows[actor, m.START_VERSION] = start
    rows[actor, m.STATUS] = m.STARTED  # last: from now on the row belongs to its process


def started(actors: NDArray[np.int64]) -> Iterator[tuple[int, Start]]:
    """Those that have been started, by place, which are busy from now on. For the process they belong to."""
    for place in (actors[:, m.STATUS] == m.STARTED).nonzero()[0].tolist():
        row = actors[place]
        row[m.STATUS] = m.BUSY
        yield place, Start(int(row[m.STEP]), int(row[m.TIME]), int(row[m.START_VERSION]))


def waiting(actors: NDArray[np.int64], step: int) -> list[int]:
    """Who waits for a step up to this one, in order of index."""
    found: list[int] = ((actors[:, m.STATUS] == m.WAITING) & (actors[:, m.STEP] <= step)).nonzero()[0].tolist()
    return found


class Turn:
    """The lock, and the rule's memory as a list while it is held; an error leaves the memory as it was."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def __enter__(self) -> None:
        self._party.lock.__enter__()
        self._party.program.state = self._party.memory.rule_state.tolist()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._party.memory.rule_state[:] = array("q", self._party.program.state)
        self._party.lock.__exit__(kind, error, at)


class HurriedTurn(Turn):
    """A turn of a process that computes at other times, and may be set aside for others then, but not in its turn.

    Whoever is set aside with the lock in its hands keeps the environment waiting.
    """

    def __enter__(self) -> None:
        wall.realtime_class(wall.HOLDING_BACK)
        super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        wall.ordinary_class()


def _starts(plan: LivePlan) -> list[int]:
    """Start of every step, and of one that never comes, ns."""
    clock = StepClock(plan.scenario.step_time, plan.scenario.seed)
    return [*clock.first(plan.scenario.steps).tolist(), 2**62]
