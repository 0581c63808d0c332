"""The environment process: one step at every deadline, whatever the others do."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks.inbox import Inbox
from rtsim.envs import make, observation_hash
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.party import Party
from rtsim.schedulers import DROP

#: Steps after which the actions that are still needed are looked through.
KEEP = 64
EMPTY_ROW = (0,) * len(m.STEP_ROW)
CONTINUES, TERMINATED, TRUNCATED = range(3)


class EnvironmentProcess:
    """Paces the steps, reads the mailbox, steps the emulator, starts workers that wait for a step.

    At deadline i, under the lock: observation i is published, actions released until then go
    through the mailbox, and workers and learners that wait for step i are asked in order of
    index. Then, without the lock, the emulator makes its step.
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline) -> None:
        self.party, self.lifeline = party, lifeline
        self.memory = party.memory
        self.emulator = make(party.plan.game)
        self.shows_console = party.plan.agent == "scripted"
        self.inbox = Inbox(party.scenario.mailbox, party.program.chunk)
        self.tails = np.zeros(party.scenario.workers, np.int64)
        self.ring = self.memory.inferences.shape[1]
        # Released later: (time of release or start of the step it is held for, worker, order, row, position).
        self.held: list[tuple[int, int, int, int, int]] = []
        self.order = 0
        self.rows: dict[int, tuple[int, int, int, tuple[int, ...]]] = {}
        self.next_row = 0
        self.episode = 0
        self.tail = 0  # ns that the runtime took after the emulator's last step

    def prepare(self) -> None:
        """Bring the game to its start; observation 0 lies ready."""
        self._put_observation(0, self.emulator.reset(self.party.scenario.seed))

    def _put_observation(self, step: int, observation: NDArray[np.uint8]) -> None:
        place = step % m.FRAMES
        self.memory.frames[place] = observation.reshape(-1)
        if self.shows_console:
            console = np.frombuffer(self.emulator.memory(), np.uint8)
            self.memory.consoles[place, : len(console)] = console

    def run(self) -> None:
        """All steps, then leave."""
        party, control = self.party, self.memory.control
        realtime = wall.realtime_class(wall.ENVIRONMENT)
        control[m.PINNED] = wall.pin(environment=True)
        spin = wall.SPIN_REALTIME_NS if realtime else wall.SPIN_NS
        control[m.REALTIME] = realtime
        for step in range(party.scenario.steps):
            start = party.starts[step]
            wall.sleep_until(party.origin + start - spin)
            self._rehearse()
            woke = wall.wait_awake(party.origin + start) - party.origin
            if party.stopping:
                return
            row, position, release, counts = self._publish(step, start)
            self._advance(step, start, woke, row, position, release, counts)
        control[m.FINISHED] = 1

    def _rehearse(self) -> None:
        """Take in early what has been posted, and touch what the step will need.

        After ten milliseconds asleep nothing of it lies in the processor's caches, which makes the
        first pass several times slower than the second; so the first one happens before the deadline.
        """
        for _ in range(2):
            if self.party.lock.attempt():
                self._collect()
                self.party.lock.release()
            self._waiting(self.memory.workers, -1)
            self._waiting(self.memory.learners, -1)
            self.memory.rule_state.tolist()
            observation_hash(self.memory.frames[0])
            self.memory.steps[int(self.memory.control[m.STEPS]) % m.STEP_RING] = EMPTY_ROW

    @staticmethod
    def _waiting(actors: NDArray[np.int64], step: int) -> list[int]:
        """Who waits for a step up to this one, in order of index."""
        found: list[int] = ((actors[:, m.STATUS] == m.WAITING) & (actors[:, m.STEP] <= step)).nonzero()[0].tolist()
        return found

    def _publish(self, step: int, start: int) -> tuple[int, int, int, tuple[int, int, int]]:
        """Begin a step; returns the action it reads and what the mailbox lost."""
        party, memory = self.party, self.memory
        with party.turn():
            memory.control[m.PUBLISHED] = step
            self._collect()
            held = self.held
            while held and held[0][0] <= start:
                release, worker, _, row, position = heapq.heappop(held)
                self.inbox.deposit(row, position, self.rows[row][2], release)
                if position == 0:
                    for later in range(1, party.program.chunk):
                        self._hold(party.starts[min(step + later, len(party.starts) - 1)], worker, row, later)
            row, position, release = self.inbox.take()
            bells = self._start_waiting(step, start)
        for bell in bells:
            wall.ring(bell)
        return row, position, release, self.inbox.counts()

    def _collect(self) -> None:
        """Take in what workers have posted."""
        memory = self.memory
        for worker in (memory.heads != self.tails).nonzero()[0].tolist():
            for index in range(int(self.tails[worker]), int(memory.heads[worker])):
                place = index % self.ring
                inference, observation, _, _, release = memory.inferences[worker, place, :5].tolist()
                if release == DROP:
                    self.inbox.drop()
                    continue
                actions = tuple(memory.actions[worker, place].tolist())
                self.rows[self.next_row] = (worker, inference, observation, actions)
                time = release if release >= 0 else self.party.starts[min(-1 - release, len(self.party.starts) - 1)]
                self._hold(time, worker, self.next_row, 0)
                self.next_row += 1
            self.tails[worker] = memory.heads[worker]

    def _hold(self, time: int, worker: int, row: int, position: int) -> None:
        heapq.heappush(self.held, (time, worker, self.order, row, position))
        self.order += 1

    def _start_waiting(self, step: int, start: int) -> set[int]:
        """Ask the rule for those that wait for this step; the bells of the processes that have something to do."""
        party, bells = self.party, set()
        workers, learners = self.memory.workers, self.memory.learners
        for worker in self._waiting(workers, step):
            answer = party.ask(worker, start)
            if answer is not None:
                workers[worker, m.STEP], workers[worker, m.TIME] = answer
                workers[worker, m.STATUS] = m.STARTED
            if workers[worker, m.STATUS] != m.WAITING:
                bells.add(party.bells[party.host_of_worker[worker]])
        for k in self._waiting(learners, step):
            bell = party.start_learner(k, start) if k in party.host_of_learner else None
            if bell is not None:
                bells.add(bell)
        return bells

    def _advance(
        self, step: int, start: int, woke: int, row: int, position: int, release: int, counts: tuple[int, int, int]
    ) -> None:
        """The emulator's step, and its row in the record."""
        worker, inference, observation, actions = self.rows[row] if row >= 0 else (-1, -1, -1, ())
        stale = row >= 0 and observation < self.episode
        action = self.emulator.noop if row < 0 or stale else actions[position]
        hashed = observation_hash(self.memory.frames[step % m.FRAMES])
        before = self.party.now()
        seen, reward, terminated, truncated, _ = self.emulator.step(action)
        ended = TERMINATED if terminated else TRUNCATED if truncated else CONTINUES
        if ended:
            seen = self.emulator.reset()
            self.episode = step + 1
            self.memory.control[m.EPISODE] = step + 1
        after = self.party.now()
        self._put_observation(step + 1, seen)
        bits = int(np.float64(reward).view(np.int64))
        values = (
            *(start, worker, inference, observation, position, release, *counts, len(self.inbox)),
            *(action, bits, hashed, ended, int(stale), woke - start, self.tail + before - woke, after - before),
        )
        control = self.memory.control
        index = int(control[m.STEPS])
        self.memory.steps[index % m.STEP_RING] = values
        control[m.STEPS] = index + 1
        if step % KEEP == 0:
            self._forget()
            if not self.lifeline.wait(0):
                raise SystemExit(1)
        self.tail = self.party.now() - after

    def _forget(self) -> None:
        """Let go of actions that no step can use any more."""
        needed = {row for *_, row, _ in self.held} | {row for row, _, _ in self.inbox.waiting()}
        self.rows = {row: found for row, found in self.rows.items() if row in needed}
