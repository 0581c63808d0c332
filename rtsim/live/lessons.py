"""What the environment process keeps for the learners: transitions, in the replay memory's file. Imports torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsim.learning import Recent, Transitions, memory_file
from rtsim.live import memory as m
from rtsim.live.gradients import ReplayFile
from rtsim.live.intake import Taken
from rtsim.live.memory import Memory
from rtsim.live.network import SHAPE
from rtsim.live.plan import LivePlan

#: Observations kept, for actions that were chosen on them: more than a minute.
PAST = 4096
#: Places of the file that are brought to memory before the run.
TOUCHED = 512


class Lessons:
    """The only writer of the replay memory.

    Parameters
    ----------
    plan : LivePlan
        One with a learning plan.
    memory : Memory
        Where the learners see how many rows there are.
    replay : ReplayFile
    """

    def __init__(self, plan: LivePlan, memory: Memory, replay: ReplayFile) -> None:
        assert plan.learning is not None
        file = memory_file(plan.learning.checkpoint)
        self.replay = Recent(plan.learning.learner.capacity, SHAPE, np.uint8, file, replay.spare, replay.token)
        self.replay.extent = memory.stored[0].tolist()
        self._made, self._memory = Transitions(self.replay), memory
        self._past = np.zeros((PAST, *SHAPE), np.uint8)
        self._practise()

    def _practise(self) -> None:
        """A first transition, elsewhere, and the first pages of the file: both take milliseconds once."""
        frame = self._past[0]
        practice = Transitions(Recent(8, SHAPE, np.uint8))
        for action in (0, 1):
            practice.acts(frame, action)
            practice.stepped(0.0, False, False, frame)
        practice.stepped(0.0, True, False, frame)
        self.replay.touch(TOUCHED)

    def see(self, step: int, observation: NDArray[np.uint8]) -> None:
        """Observation ``step`` is there; all rows that its learners may draw from have been written."""
        self._past[step % PAST] = observation
        self._memory.stored[step % m.STORED] = self.replay.extent

    def stepped(
        self, step: int, taken: Taken, reward: float, terminated: bool, truncated: bool, seen: NDArray[np.uint8]
    ) -> None:
        """A step is over.

        Parameters
        ----------
        step : int
        taken : Taken
            The action it read and executed, or that of the default policy.
        reward : float
        terminated, truncated : bool
        seen : uint8, shape (84, 84, 1)
            After the step; an episode's last picture.
        """
        # A live run cannot go back to a checkpoint step for step, so places may be used again before the next one.
        self.replay.mark()
        if taken.action is not None and step - taken.observation < PAST:
            self._made.acts(self._past[taken.observation % PAST], taken.action)
        self._made.stepped(reward, terminated, truncated, seen)
