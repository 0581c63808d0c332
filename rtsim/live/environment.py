"""The environment process: one step at every deadline, whatever the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtsim.envs import make, observation_hash
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.desk import Desk, Rehearsal
from rtsim.live.intake import NOTHING, Taken
from rtsim.live.party import Party
from rtsim.schedule import ending

if TYPE_CHECKING:
    from rtsim.live.lessons import Lessons

#: In steps longer than this, ns, what has been posted is taken in on the way: no worker fills its ring meanwhile.
COLLECT = 50_000_000
#: Steps after which the actions that are still needed are looked through, and the supervisor is.
KEEP = 64


class EnvironmentProcess:
    """Paces the steps, and steps the emulator.

    At deadline i the desk publishes observation i, reads the mailbox and starts who waits for
    the step; then, without the lock, the emulator makes its step.

    Parameters
    ----------
    party : Party
    lifeline : Lifeline
    lessons : Lessons, optional
        Where transitions are kept, if they are learnt from.
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline, lessons: Lessons | None = None) -> None:
        self.party, self.lifeline, self.lessons = party, lifeline, lessons
        self.emulator = make(party.plan.game)
        self.shows_console = party.plan.agent == "scripted"
        self.desk, self.rehearsal = Desk(party), Rehearsal(party)
        self.episode = 0  # its first step
        self.tail = 0  # ns that the runtime took after the emulator's last step

    def prepare(self) -> None:
        """Bring the game to its start; observation 0 lies ready."""
        observation = self.emulator.reset(self.party.scenario.seed)
        self.desk.put(0, observation, self.emulator.memory() if self.shows_console else None)
        if self.lessons is not None:
            self.lessons.see(0, observation)
        self.rehearsal.one()

    def run(self) -> None:
        """All steps, then leave."""
        party, control = self.party, self.party.memory.control
        realtime, pinned = wall.realtime_class(wall.ENVIRONMENT), wall.pin(environment=True)
        control[m.REALTIME], control[m.PINNED] = realtime, pinned
        early = wall.EARLY_REALTIME_NS if realtime else wall.EARLY_NS
        for step in range(party.scenario.steps):
            deadline = party.origin + party.starts[step]
            self._sleep_until(deadline - early)
            self.desk.collect_early()
            for _ in range(2):
                self.rehearsal.one()
                shown = observation_hash(party.memory.frames[step % m.FRAMES])
            woke = wall.wait_awake(deadline) - party.origin
            if party.stopping:
                return
            party.memory.pulses[0] = wall.now_ns()
            taken, bells = self.desk.publish(step)
            self._advance(step, woke, self._ring(bells), taken, shown)
            if step % KEEP == 0:
                self.desk.intake.forget()
                if not self.lifeline.wait(0):
                    return
        control[m.FINISHED] = 1

    def _sleep_until(self, deadline: int) -> None:
        while deadline - wall.now_ns() > COLLECT:
            wall.sleep_until(wall.now_ns() + COLLECT)
            self.desk.collect_early()
        wall.sleep_until(deadline)

    def _ring(self, bells: set[int]) -> int:
        """Wake those who have something to do now; returns how long that took, ns: the kernel's work, not ours."""
        if not bells:
            return 0
        before = wall.now_ns()
        for bell in bells:
            wall.ring(bell)
        return wall.now_ns() - before

    def _advance(self, step: int, woke: int, waking: int, taken: Taken, shown: int) -> None:
        """The emulator's step, and its row in the record; ``shown`` is the hash of the observation."""
        party, inbox = self.party, self.desk.intake.inbox
        stale = taken.action is not None and taken.observation < self.episode
        action = self.emulator.noop if taken.action is None or stale else taken.action
        before = party.now()
        seen, reward, terminated, truncated, _ = self.emulator.step(action)
        ended, last = ending(terminated, truncated), seen
        if ended:
            seen = self.emulator.reset()
            self.episode = step + 1
        after = party.now()
        self.desk.put(step + 1, seen, self.emulator.memory() if self.shows_console else None)
        self.desk.write(
            (
                *(party.starts[step], taken.worker, taken.inference, taken.observation, taken.position, taken.release),
                *(*inbox.counts(), len(inbox)),
                *(action, int(np.float64(reward).view(np.int64)), shown, ended, int(stale)),
                *(woke - party.starts[step], self.tail + before - woke, waking, after - before),
            )
        )
        if self.lessons is not None:
            self.lessons.stepped(step, NOTHING if stale else taken, reward, terminated, truncated, last)
            self.lessons.see(step + 1, seen)
        self.tail = party.now() - after
