"""The environment process: one step at every deadline, whatever the others do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsim.envs import make, observation_hash
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.intake import Intake, Taken
from rtsim.live.party import Party

#: Steps after which the actions that are still needed are looked through, and the supervisor is.
KEEP = 64
EMPTY_ROW = (0,) * len(m.STEP_ROW)
CONTINUES, TERMINATED, TRUNCATED = range(3)


class EnvironmentProcess:
    """Paces the steps, reads the mailbox, steps the emulator, starts workers that wait for a step.

    At deadline i, under the lock: observation i is published, actions released until then go
    through the mailbox, and workers and learners that wait for step i are asked in order of
    index. Then, without the lock, the emulator makes its step.

    Parameters
    ----------
    party : Party
    lifeline : Lifeline
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline) -> None:
        self.party, self.lifeline, self.memory = party, lifeline, party.memory
        self.emulator = make(party.plan.game)
        self.shows_console = party.plan.agent == "scripted"
        self.intake = Intake(self.memory, party.scenario.mailbox, party.program.chunk, party.starts)
        self.episode = 0  # its first step
        self.tail = 0  # ns that the runtime took after the emulator's last step

    def prepare(self) -> None:
        """Bring the game to its start; observation 0 lies ready."""
        self._put_observation(0, self.emulator.reset(self.party.scenario.seed))

    def run(self) -> None:
        """All steps, then leave."""
        party, control = self.party, self.memory.control
        control[m.REALTIME] = realtime = wall.realtime_class(wall.ENVIRONMENT)
        control[m.PINNED] = wall.pin(environment=True)
        early = wall.EARLY_REALTIME_NS if realtime else wall.EARLY_NS
        for step in range(party.scenario.steps):
            deadline = party.origin + party.starts[step]
            wall.sleep_until(deadline - early)
            self._rehearse()
            woke = wall.wait_awake(deadline) - party.origin
            if party.stopping:
                return
            taken = self._publish(step)
            self._advance(step, woke, taken)
            if step % KEEP == 0:
                self.intake.forget()
                if not self.lifeline.wait(0):
                    return
        control[m.FINISHED] = 1

    def _rehearse(self) -> None:
        """Take in early what has been posted, and touch what the step will need.

        After ten milliseconds asleep nothing of it lies in the processor's caches, which makes the
        first pass several times slower than the second; so the first one happens before the deadline.
        """
        for _ in range(2):
            if self.party.lock.attempt():
                self.intake.collect()
                self.party.lock.release()
            _waiting(self.memory.workers, -1)
            _waiting(self.memory.learners, -1)
            self.memory.rule_state.tolist()
            observation_hash(self.memory.frames[0])
            self.memory.steps[int(self.memory.control[m.STEPS]) % m.STEP_RING] = EMPTY_ROW

    def _publish(self, step: int) -> Taken:
        """Begin a step; returns the action it reads."""
        with self.party.turn():
            self.memory.control[m.PUBLISHED] = step
            self.intake.collect()
            taken = self.intake.take(step)
            bells = self._start_waiting(step)
        for bell in bells:
            wall.ring(bell)
        return taken

    def _start_waiting(self, step: int) -> set[int]:
        """Ask the rules for those that wait for this step; the bells of the processes that have something to do."""
        party, workers, bells, start = self.party, self.memory.workers, set(), self.party.starts[step]
        for worker in _waiting(workers, step):
            answer = party.ask(worker, start)
            if answer is not None:
                workers[worker, m.STEP], workers[worker, m.TIME] = answer
                workers[worker, m.STATUS] = m.STARTED
            if workers[worker, m.STATUS] != m.WAITING:
                bells.add(party.bells[party.host_of_worker[worker]])
        for k in _waiting(self.memory.learners, step):
            bell = party.start_learner(k, start) if k in party.host_of_learner else None
            if bell is not None:
                bells.add(bell)
        return bells

    def _advance(self, step: int, woke: int, taken: Taken) -> None:
        """The emulator's step, and its row in the record."""
        party, memory = self.party, self.memory
        stale = taken.action is not None and taken.observation < self.episode
        action = self.emulator.noop if taken.action is None or stale else taken.action
        hashed = observation_hash(memory.frames[step % m.FRAMES])
        before = party.now()
        seen, reward, terminated, truncated, _ = self.emulator.step(action)
        ended = TERMINATED if terminated else TRUNCATED if truncated else CONTINUES
        if ended:
            seen = self.emulator.reset()
            self.episode = step + 1
        after = party.now()
        self._put_observation(step + 1, seen)
        index = int(memory.control[m.STEPS])
        memory.steps[index % m.STEP_RING] = (
            *(party.starts[step], taken.worker, taken.inference, taken.observation, taken.position, taken.release),
            *(*self.intake.inbox.counts(), len(self.intake.inbox)),
            *(action, int(np.float64(reward).view(np.int64)), hashed, ended, int(stale)),
            *(woke - party.starts[step], self.tail + before - woke, after - before),
        )
        memory.control[m.STEPS] = index + 1
        self.tail = party.now() - after

    def _put_observation(self, step: int, observation: NDArray[np.uint8]) -> None:
        place = step % m.FRAMES
        self.memory.frames[place] = observation.reshape(-1)
        if self.shows_console:
            console = np.frombuffer(self.emulator.memory(), np.uint8)
            self.memory.consoles[place, : len(console)] = console


def _waiting(actors: NDArray[np.int64], step: int) -> list[int]:
    """Who waits for a step up to this one, in order of index."""
    found: list[int] = ((actors[:, m.STATUS] == m.WAITING) & (actors[:, m.STEP] <= step)).nonzero()[0].tolist()
    return found
